"""A run on a text with a known floor shows its perplexity beside it, everywhere; eval.lengths."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import library
import rnnlab
from commands import answer
from rnnlab._common.errors import ConfigError
from rnnlab.data.source import Source
from rnnlab.nn.generation import generate
from rnnlab.runs import figures
from rnnlab.runs import stack as experiment
from rnnlab.runs.checkpoint import load_checkpoint
from rnnlab.runs.differences import differences
from rnnlab.runs.events import read_numbers
from rnnlab.runs.folder import LAST
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.result import Result
from rnnlab.runs.resume import resume
from rnnlab.studies.report.curves import curves_figure
from rnnlab.studies.report.effects import effects_figure
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.write import write_report
from rnnlab.training.evaluation import evaluate, score

SMALL = ["num_hiddens=6", "batch_size=3", "num_steps=8", "num_epochs=2", "log.sample_length=5"]
COPY = [*SMALL, "dataset=copy", "dataset.lag=4", "dataset.length=2000", "log.val_every=1"]
FLOOR = 8 ** (1 / 5)


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
    excess = math.log(result.val_perplexity or 0) - math.log(8) / 5
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
    assert result.excess_nats == pytest.approx(math.log(result.perplexity / FLOOR))
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
    del values["dataset"]["entropy_floor_perplexity"]
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
        excess = math.log(float(row["held_out_perplexity"]) / floor)
        assert float(row["excess_nats"]) == pytest.approx(excess)
        for length in ("3", "9"):
            held = json.loads((study / row["folder"] / "result.json").read_text())["lengths"][
                length
            ]
            assert float(row[f"perplexity_at_{length}"]) == pytest.approx(held["perplexity"])
            assert float(row[f"accuracy_at_{length}"]) == pytest.approx(held["accuracy"])
            above = math.log(held["perplexity"]) - math.log(8) / (int(length) + 1)
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
    assert [step for step, _ in at["lengths/accuracy"]] == [3, 20]
    assert at["lengths/perplexity"][1][1] == pytest.approx(19, rel=0.01)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["dataset.max_tokens=400", "eval.lengths=[5]"],
            "length 5 needs 6 tokens of held-out text",
        ),
        (
            ["eval.lengths=[0]"],
            "eval.lengths=[0] is not allowed: it is a list of whole numbers >= 1",
        ),
        (["dataset=dyck", "eval.lengths=[7]"], "it is an even number"),
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


def test_a_source_is_abstract_without_a_rate_of_its_own():
    """Whoever adds one is told at once; ordinary texts have none."""
    from rnnlab.data.synthetic import Synthetic

    assert "entropy_rate" in Synthetic.__abstractmethods__
    assert "entropy_rate" not in Source.__abstractmethods__
