"""A run on a text with a known floor shows its perplexity beside it, everywhere; eval.lengths."""

from __future__ import annotations

import csv
import json
import math
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import library
import rnnlab
from commands import answer
from rnnlab._common.errors import ConfigError
from rnnlab.data.source import Source
from rnnlab.nn.generation import generate
from rnnlab.runs import figures, lengths
from rnnlab.runs import stack as experiment
from rnnlab.runs.checkpoint import load_checkpoint
from rnnlab.runs.differences import differences
from rnnlab.runs.events import read_numbers
from rnnlab.runs.folder import LAST
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.result import Result
from rnnlab.runs.resume import resume, resume_stack
from rnnlab.studies.report.curves import curves_figure
from rnnlab.studies.report.effects import effects_figure
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.write import write_report
from rnnlab.training.evaluation import evaluate, score

SMALL = ["num_hiddens=6", "batch_size=3", "num_steps=8", "num_epochs=2", "log.sample_length=5"]
COPY = [*SMALL, "dataset=copy", "dataset.lag=4", "dataset.length=2000", "log.val_every=1"]
FLOOR = 8 ** (1 / 5)


def paid(tokens: int, size: int = 5) -> float:
    """By whoever knows the lag: of whole strings but the first symbol, of which one is news."""
    return (tokens // size - 1) * math.log(8) / (tokens - 1)


def run(config, name: str = "run") -> Result:
    Path(name).mkdir(parents=True)
    return experiment.run(config, Path(name))


def scalars(folder: str = "run") -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for step, tag, (value, *_) in read_numbers(Path(folder)):
        found.setdefault(tag, []).append((step, value))
    return found


def test_a_run_is_told_beside_its_floor(compose, capsys):
    result = run(compose(*COPY))
    values = json.loads(Path("run/result.json").read_text())
    assert values["dataset"]["entropy_floor_perplexity"] == pytest.approx(FLOOR)
    excess = math.log(result.val_perplexity or 0) - paid(200)
    assert values["excess_nats"] == pytest.approx(excess)
    assert excess > 0.01
    said = capsys.readouterr().out
    assert "20 in the vocabulary, floor 1.516)" not in said
    assert "19 in the vocabulary, floor 1.516)" in said
    for what, figure in (
        ("perplexity", result.perplexity),
        ("held-out perplexity", result.val_perplexity),
    ):
        assert f"\n{what} {figure:.4g} (floor 1.516)" in said
    assert len(re.findall(r"epoch [12]/2  perplexity [\d.]+ \(floor 1.516\), held out", said)) == 2
    shown = scalars()
    assert shown["perplexity/floor"] == [(1, pytest.approx(FLOOR)), (2, pytest.approx(FLOOR))]
    assert shown["perplexity/excess_nats"][-1] == (2, pytest.approx(excess, abs=1e-6))


def test_without_held_out_text_the_excess_is_of_training(compose):
    result = run(compose(*COPY, "dataset.val_fraction=0"))
    assert result.perplexity
    assert result.excess_nats == pytest.approx(math.log(result.perplexity) - paid(2000))
    assert scalars()["perplexity/excess_nats"][-1][1] == pytest.approx(result.excess_nats, abs=1e-6)


def test_an_ordinary_text_has_none(compose, capsys):
    result = run(compose(*SMALL, "dataset.max_tokens=300"))
    assert (result.dataset["entropy_floor_perplexity"], result.excess_nats) == (None, None)
    assert "floor" not in capsys.readouterr().out
    assert not [tag for tag in scalars() if "floor" in tag or "excess" in tag]
    write_report(Path("run"))
    assert "above the floor" not in Path("run/report.md").read_text()
    assert "excess" not in [*scalars()]


def test_a_folder_of_an_older_version_is_read(compose):
    """It has neither the floor nor what comes of it, and no eval in its config."""
    run(compose(*COPY))
    path = Path("run/result.json")
    values = json.loads(path.read_text())
    del values["excess_nats"], values["lengths"], values["config"]["eval"]
    del values["dataset"]["entropy_floor_perplexity"], values["dataset"]["source_nats"]
    path.write_text(json.dumps(values))
    result = Result.read(Path("run"))
    assert (result.excess_nats, result.lengths, result.floor) == (None, {}, None)
    assert result.config["eval"] == {"lengths": []}
    assert resume(Path("run"), {"num_epochs": 3}).excess_nats is not None


def test_the_curve_has_the_floor_as_a_line(monkeypatch):
    monkeypatch.undo()  # of what makes curves small in tests
    figure = figures.perplexity_figure([(1, 3.0), (2, 2.5)], [], "", 2.27)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert np.asarray(lines["floor 2.27"].get_ydata()).tolist() == [2.27, 2.27]
    assert figure.axes[0].get_ylim()[0] < 2.27
    plain = figures.perplexity_figure([(1, 3.0), (2, 2.5)], [], "")
    assert [line.get_label() for line in plain.axes[0].lines] == ["training"]


@pytest.fixture
def study(compose) -> Path:
    for lag in (3, 4):
        for lr in (0.5, 1):
            own = [f"dataset.lag={lag}", f"lr={lr}", "eval.lengths=[3,9]"]
            run(compose(*COPY, *own), f"study/{lag}-{lr}")
    return Path("study")


def test_a_report_has_it_in_every_file(study):
    write_report(study)
    rows = [*csv.DictReader((study / "results.csv").open())]
    for row in rows:
        floor = 8 ** (1 / (int(row["dataset.lag"]) + 1))
        assert float(row["floor_perplexity"]) == pytest.approx(floor)
        own = paid(200, size=int(row["dataset.lag"]) + 1)
        excess = math.log(float(row["held_out_perplexity"])) - own
        assert float(row["excess_nats"]) == pytest.approx(excess)
        for length in ("3", "9"):
            held = json.loads((study / row["folder"] / "result.json").read_text())["lengths"][
                length
            ]
            assert float(row[f"perplexity_at_{length}"]) == pytest.approx(held["perplexity"])
            assert float(row[f"accuracy_at_{length}"]) == pytest.approx(held["accuracy"])
            size = int(length) + 1
            above = math.log(held["perplexity"]) - paid(512 * size, size)
            assert float(row[f"excess_nats_at_{length}"]) == pytest.approx(above)
    text = (study / "report.md").read_text()
    assert "nats above the floor" in text
    assert "## At other lengths" in text
    loaded = rnnlab.load(study)
    assert loaded[0].figures["excess_nats"] == pytest.approx(float(rows[0]["excess_nats"]))
    assert np.all(np.asarray(loaded.frame["excess_nats_at_9"]) > 0)


def test_figures_to_keep_have_the_floors(study):
    entries, _ = read(study)
    ranking = Ranking(entries)
    expected = [pytest.approx(8 ** (1 / 5)), pytest.approx(8 ** (1 / 4))]
    for make in (curves_figure, effects_figure):
        figure = make(ranking, 240.0)
        for axes in figure.axes:
            drawn = [np.asarray(line.get_xydata()) for line in axes.lines]
            flat = {
                points[0, 1]
                for points in drawn
                if points[:, 0].tolist() == [0, 1] and points[0, 1] == points[1, 1]
            }
            assert sorted(flat) == expected
            assert axes.get_ylim()[0] < 8 ** (1 / 5)
        assert "floors" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_texts_of_one_source_are_told_by_what_they_differ_in(study):
    from rnnlab.studies.report.axes import texts_apart

    assert sorted(texts_apart(Ranking(read(study)[0])).values()) == ["copy lag=3", "copy lag=4"]


# --- eval.lengths ----------------------------------------------------------------------------


def rows_of(tokens: torch.Tensor, size: int) -> torch.Tensor:
    return tokens.unfold(0, size + 1, size)


@pytest.mark.parametrize("length", [1, 7, 40])
def test_a_score_is_that_of_each_row_from_the_zero_state(monkeypatch, length):
    """Row by row by the pass over held-out text; borders of what is taken at once lose nothing."""
    monkeypatch.setattr("rnnlab.training.evaluation.ROWS", 3)
    monkeypatch.setattr("rnnlab.training.evaluation.TOKENS", 15)
    model = library.model("lstm", 5, 8)
    parameters = model.init([0], torch.float64, torch.device("cpu"))
    parameters.flat.mul_(40)
    tokens = torch.randint(5, (8 * length + 1,), generator=torch.Generator().manual_seed(2))
    rows = rows_of(tokens, length)
    found = score(parameters, rows, torch.tensor([1, 3]))
    each = [math.log(evaluate(parameters, row)) for row in rows]
    assert found.nats == pytest.approx(sum(each) / len(rows), rel=1e-10)
    right, asked = 0, 0
    for row in rows.tolist():
        for end in range(1, length + 1):
            if row[end] in (1, 3):
                (after,) = generate(parameters, [row[:end]], 1)
                logits = logits_of(parameters, row[:end])
                asked += 1
                right += (row[end] == 1) == bool(logits[1] > logits[3])
                assert after[-1] == int(logits.argmax())
    assert found.accuracy == (pytest.approx(right / asked) if asked else None)


def logits_of(parameters, tokens: list[int]) -> torch.Tensor:
    from rnnlab.nn.engines import ENGINES

    forward = ENGINES["eager"].forward_pass(parameters, len(tokens), 1)
    state = parameters.model.zero_state(1, 1, torch.float64, torch.device("cpu"))
    return forward(torch.tensor(tokens)[None, None], state)[0][0, -1]


def test_held_out_text_is_cut_into_pieces_of_each_length(compose):
    config = compose(
        *SMALL, "dataset.max_tokens=400", "dataset.val_fraction=0.2", "eval.lengths=[5,30]"
    )
    result = run(config)
    parameters = load_checkpoint(Path("run"), LAST).parameters
    held_out = torch.from_numpy(check(config, Corpora()).held_out).long()
    for length in (5, 30):
        each = [math.log(evaluate(parameters, row)) for row in rows_of(held_out, length)]
        found = result.lengths[str(length)]
        assert found["perplexity"] == pytest.approx(math.exp(sum(each) / len(each)), rel=1e-5)
        assert (found["excess_nats"], found["accuracy"]) == (None, None)


def test_an_untrained_model_answers_no_better_than_chance(compose, capsys):
    """lr=0: of eight copies one is right; whoever knew nothing would be wrong of all others."""
    result = run(compose(*COPY, "lr=0", "eval.lengths=[3,20]"))
    for length in (3, 20):
        found = result.lengths[str(length)]
        assert found["accuracy"] == pytest.approx(1 / 8, abs=0.06)
        assert found["perplexity"] == pytest.approx(19, rel=0.01)
    said = capsys.readouterr().out
    assert re.search(
        r"at length 20: perplexity 19, 2.8\d nats above the floor, 1\d\.\d% of the", said
    )
    at = scalars()
    assert [step for step, _ in at["tested_at_length/accuracy"]] == [3, 20]
    assert at["tested_at_length/perplexity"][1][1] == pytest.approx(19, rel=0.01)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["dataset.max_tokens=400", "eval.lengths=[5]"],
            "length 5 of eval.lengths=[5] is not allowed: it needs 6 tokens of held-out text",
        ),
        (
            ["eval.lengths=[0]"],
            "eval.lengths=[0] is not allowed: it is a list of whole numbers >= 1",
        ),
        (
            ["dataset=dyck", "eval.lengths=[4,7]"],
            "length 7 of eval.lengths=[4, 7] is not allowed: it is an even number, as each",
        ),
        (
            ["dataset=copy", "eval.lengths=[1]"],
            "length 1 of eval.lengths=[1] is not allowed: a copy comes after the 1 symbols and "
            "the marker.",
        ),
        (
            ["dataset=parity", "eval.lengths=[2000000]"],
            "length 2000000 of eval.lengths=[2000000] is not allowed: dataset.bits is a "
            "whole number in [1, 1000000].",
        ),
        (
            ["dataset=copy", "eval.lengths=[200000]"],
            "512 strings of it have 102,400,512 symbols, and there may be 67,108,864.",
        ),
    ],
)
def test_lengths_that_cannot_be_are_a_sentence(compose, words, said):
    with pytest.raises(ConfigError) as caught:
        check(compose(*SMALL, *words), Corpora())
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("eval.lengths=7", "a list of whole numbers; type for example 'eval.lengths=[40,80]'"),
        ("eval.lengths=40,80", "or type 'eval.lengths=[40,80]' for one list"),
        ("eval.lengths=[a]", "eval.lengths"),
    ],
)
def test_what_is_no_list_is_answered_with_one(word, said):
    assert said in answer(word)


def test_a_run_that_goes_on_ends_with_the_same_lengths(compose, stop_after):
    """To the last bit, its TensorBoard too; what was measured at an earlier end is gone."""
    own = [*COPY, "eval.lengths=[3,9]"]
    run(compose(*own, "num_epochs=3"), "whole")
    stop_after(2)
    assert run(compose(*own, "num_epochs=2")).status == "interrupted"
    stop_after(math.inf)
    assert resume(Path("run"), {}).lengths != {}
    resume(Path("run"), {"num_epochs": 3})
    assert list(differences(Path("whole"), Path("run"))) == []


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, float], None]:
    """stop_at(name, n): a stop is asked for when this function of lengths.py is called n times."""

    def at(name: str, number: float) -> None:
        calls, function = count(1), getattr(lengths, name)
        came = threading.Event()

        def counted(*args: Any) -> Any:
            if next(calls) >= number:
                came.set()
            return function(*args)

        @contextmanager
        def requests() -> Iterator[Callable[[], bool]]:
            yield came.is_set

        monkeypatch.setattr(lengths, name, counted)
        monkeypatch.setattr(experiment, "stop_requests", requests)

    return at


@pytest.mark.parametrize(("name", "number"), [("strings_of", 1), ("score", 1), ("score", 2)])
def test_an_evaluation_that_is_stopped_is_done_when_the_run_goes_on(compose, stop_at, name, number):
    """While strings are drawn or read; the run is the whole one then, TensorBoard too."""
    config = compose(*COPY, "eval.lengths=[3,9]")
    run(config, "whole")
    stop_at(name, number)
    result = run(config)
    assert (result.status, result.epochs, result.lengths) == ("interrupted", 2, {})
    stop_at(name, math.inf)
    result = resume(Path("run"), {})
    assert (result.status, [*result.lengths]) == ("completed", ["3", "9"])
    assert list(differences(Path("whole"), Path("run"))) == []


def test_a_stop_while_one_lane_is_evaluated_stops_the_others(compose, stop_at):
    lanes = [compose(*COPY, "eval.lengths=[3]", f"num_epochs={n}") for n in (1, 2)]
    whole, folders = ([Path(f"{name}{k}") for k in range(2)] for name in ("whole", "lane"))
    experiment.run_stack(lanes, whole)
    stop_at("score", 1)
    stopped = experiment.run_stack(lanes, folders)
    assert [(r.status, r.epochs) for r in stopped] == [("interrupted", 1)] * 2
    stop_at("score", math.inf)
    resume_stack(folders, {})
    for one, other in zip(whole, folders, strict=True):
        assert list(differences(one, other)) == []


def test_before_a_run_none_of_its_strings_is_drawn(compose, monkeypatch):
    config, corpora = compose(*COPY, "eval.lengths=[130000]"), Corpora()
    assert corpora[config.dataset]
    monkeypatch.setattr("rnnlab.data.synthetic.Synthetic.text", None)
    check(config, corpora)


def test_a_source_is_abstract_without_a_rate_of_its_own():
    """Whoever adds one is told at once; ordinary texts have none."""
    from rnnlab.data.synthetic import Synthetic

    assert "entropy_rate" in Synthetic.__abstractmethods__
    assert "entropy_rate" not in Source.__abstractmethods__
