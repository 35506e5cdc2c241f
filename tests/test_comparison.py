"""Paired comparison: its statistics against scipy, its promises in simulation, what it refuses."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import shlex
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from scipy import stats

import rnnlab
from commands import jobs
from rnnlab._common.errors import ConfigError
from rnnlab.runs.result import Result, Status
from rnnlab.studies.comparison.compare import Comparison, compare, loss
from rnnlab.studies.comparison.paired import DRAWS, SEED, Paired, holm
from rnnlab.studies.comparison.table import CHOSEN, FORMS, GUESSING, records, to_text
from rnnlab.studies.report.entries import Entry
from rnnlab.studies.student import point, power, seeds_needed, two_sided
from test_report import config, forge
from typed import SMALL, typed

FREEDOMS = [1, 2, 3, 4, 5, 8, 9, 19, 120, 999]
LEVELS = [0.05, 0.05 / 3, 0.05 / 60]
V = 28  # of forged runs


# --- against scipy ---------------------------------------------------------------------------


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_students_t_is_scipys(freedom):
    for t in (0.0, 0.1, 1.0, -2.2, 4.0, 30.0, 200.0):
        assert two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), abs=1e-13)
    for level in LEVELS:
        assert point(freedom, level) == pytest.approx(stats.t.isf(level / 2, freedom), rel=1e-10)


@pytest.mark.parametrize("n", [3, 4, 5, 10, 50, 1000])
def test_power_is_that_of_scipys_noncentral_t(n):
    for delta, level in itertools.product((0.1, 1.0, 3.0, 6.0), LEVELS):
        bound, effect = stats.t.isf(level / 2, n - 1), delta / math.sqrt(n)
        below = np.nan_to_num(stats.nct.cdf(-bound, n - 1, delta))  # NaN where next to nothing is
        wanted = stats.nct.sf(bound, n - 1, delta) + below
        assert power(effect, n, level) == pytest.approx(wanted, abs=1e-10)
    assert power(0.0, n) == pytest.approx(0.05, abs=1e-10)


def test_so_many_seeds_are_needed_and_no_fewer():
    """Of half a standard deviation 34, as the tables have; the power that is wanted is reached."""
    assert seeds_needed(0.5) == 34
    assert seeds_needed(-0.5) == 34
    for effect in (0.2, 1.0, 2.0):
        n = seeds_needed(effect, 0.01)
        assert n is not None
        assert power(effect, n - 1, 0.01) < 0.8 <= power(effect, n, 0.01)
    assert seeds_needed(100.0) == 3
    assert seeds_needed(0.01) is None


@pytest.mark.parametrize("n", [3, 5, 20])
def test_differences_say_what_scipy_says(n):
    own = np.random.default_rng(n).normal(0.3, 1.0, n)
    paired = Paired(tuple(own.tolist()))
    test = stats.ttest_1samp(own, 0)
    assert paired.p == pytest.approx(test.pvalue, abs=1e-10)
    assert paired.interval == pytest.approx(test.confidence_interval(), rel=1e-10)
    generator = np.random.default_rng(SEED)
    bootstrap = stats.bootstrap(
        (own,), np.mean, n_resamples=DRAWS, method="percentile", rng=generator
    )
    assert paired.bootstrap == pytest.approx(bootstrap.confidence_interval, rel=1e-10)


def test_differences_that_are_all_the_same():
    nothing, always = Paired((0.0,) * 5), Paired((0.25,) * 5)
    assert (nothing.p, nothing.interval, nothing.seeds_needed(0.05)) == (1.0, (0.0, 0.0), None)
    assert (always.p, always.interval, always.seeds_needed(0.05)) == (0.0, (0.25, 0.25), 3)


@pytest.mark.parametrize("seed", range(20))
def test_holm_is_the_closed_test_of_bonferroni(seed):
    """A hypothesis falls where all sets that it is in fall, by their least p times their size."""
    ps = np.random.default_rng(seed).uniform(0, 0.2, 5).round(2).tolist()
    sets = [s for k in range(1, 6) for s in itertools.combinations(range(5), k)]
    closed = [
        max(min(1.0, len(s) * min(ps[j] for j in s)) for s in sets if i in s) for i in range(5)
    ]
    assert holm(ps) == pytest.approx(closed, abs=1e-15)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9]) == [0.9]


# --- in simulation ---------------------------------------------------------------------------


@cache
def result(model: str, seed: int) -> Result:
    own = replace(config(f"model={model}"), seed=seed)
    blank = Result.without_run("")
    dataset = {"name": "sample", "sha256": "a", "vocab_size": V}
    known = replace(blank, status=Status.completed, error=None, dataset=dataset, seed=seed)
    return replace(known, config=own.as_dict(), epochs=3)


def entry(model: str, seed: int, perplexity: float | None, **more: Any) -> Entry:
    """A run of which nothing lies on the disk."""
    own = replace(result(model, seed), perplexity=perplexity, **more)
    return Entry.of(Path(f"{model}_{seed}"), own)


def simulated(models: str, seeds: int, generator: np.random.Generator) -> Comparison:
    """Settings that are equal: what a seed does to all of them, and to each by itself."""
    shared = generator.normal(0, 0.3, seeds)
    losses = {model: 2 + shared + generator.normal(0, 0.1, seeds) for model in models.split()}
    runs = [
        entry(model, seed, math.exp(loss))
        for model, own in losses.items()
        for seed, loss in enumerate(own.tolist())
    ]
    return compare(runs, ["model"])


def test_equal_settings_give_a_false_alarm_in_twenty():
    """400 pairs over five seeds, through the whole comparison: 5 % +- 2 %."""
    generator = np.random.default_rng(0)
    found = [simulated("rnn gru", 5, generator).rows[0] for _ in range(400)]
    assert 0.03 <= fmean(row.p_holm <= 0.05 for row in found) <= 0.07
    assert {row.lower for row in found} == {"rnn", "gru"}
    assert all(row.paired.mean >= 0 for row in found)


def test_a_table_of_three_equal_settings_has_a_false_alarm_in_twenty():
    """Anywhere in it: without Holm it is one in eight."""
    generator = np.random.default_rng(1)
    tables = [simulated("rnn gru lstm", 5, generator) for _ in range(400)]
    assert fmean(min(row.p_holm for row in t.rows) <= 0.05 for t in tables) <= 0.07
    assert fmean(min(row.paired.p for row in t.rows) <= 0.05 for t in tables) >= 0.09


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_interval_keeps_its_promise_where_a_bootstrap_does_not(n):
    generator = np.random.default_rng(n)
    found = [Paired(tuple(generator.normal(size=n).tolist())) for _ in range(1000)]
    assert fmean(low <= 0 <= high for low, high in (p.interval for p in found)) >= 0.93
    drawn = fmean(low <= 0 <= high for low, high in (p.bootstrap for p in found[:300]))
    assert drawn <= {3: 0.8, 5: 0.89, 10: 0.94}[n]


def test_a_seed_alone_explains_what_unpaired_means_do_not():
    """rnn is better by 0.05 at every seed, where seeds move both by ten times that."""
    seeds = [2.0, 2.5, 1.6, 2.2, 1.9]
    runs = [entry("rnn", s, math.exp(loss)) for s, loss in enumerate(seeds)]
    small = [0.05, 0.052, 0.048, 0.051, 0.049]
    runs += [entry("gru", s, math.exp(seeds[s] + small[s])) for s in range(5)]
    (row,) = compare(runs, ["model"]).rows
    assert (row.lower, row.higher) == ("rnn", "gru")
    assert row.paired.differences == pytest.approx(small)
    assert row.p_holm < 1e-5
    unpaired = stats.ttest_ind(seeds, [a + b for a, b in zip(seeds, small, strict=True)])
    assert unpaired.pvalue > 0.5


# --- diverged, and worse than guessing -------------------------------------------------------


def test_what_diverged_counts_as_guessing_and_not_as_missing():
    runs = [entry("rnn", s, 3.0 + s / 10) for s in range(4)]
    runs += [entry("gru", s, 3.1 + s / 10) for s in range(3)]
    runs.append(entry("gru", 3, None, status=Status.diverged))
    (row,) = compare(runs, ["model"]).rows
    assert row.paired.differences[3] == pytest.approx(math.log(V / 3.3))
    assert row.guessing == 1
    said = to_text(compare(runs, ["model"]))
    assert "rnn and gru are not told apart" in said
    assert said.endswith(GUESSING)


def test_a_side_that_does_nothing_but_guess_is_not_judged():
    """What it differs by is the spread of the other about a constant: no interval, and no p."""
    lost = {"status": Status.diverged}
    runs = [entry("rnn", s, 3.0 + s / 10) for s in range(3)]
    runs += [entry("gru", s, None, **lost) for s in range(3)]
    runs += [entry("lstm", s, 3.4 + s / 9) for s in range(3)]
    found = compare(runs, ["model"])
    judged, *others = found.rows
    assert (judged.lower, judged.higher) == ("rnn", "lstm")
    assert (judged.p_holm, judged.level) == (judged.paired.p, 0.05)  # the only row of its family
    assert [(row.higher, row.guesses, row.is_judged) for row in others] == [
        ("gru", (0, 3), False), ("gru", (0, 3), False)]  # fmt: skip
    assert [own["difference"] is own["p"] is own["low"] is None for own in records(found)] == [
        False, True, True]  # fmt: skip
    text = to_text(found)
    assert "\ngru diverged in 3 of 3\n" in text
    assert "better than gru" not in text
    runs[3:6] = [entry("gru", s, 100.0 if s else None, **({} if s else lost)) for s in range(3)]
    assert "\ngru is no better than guessing in 3 of 3\n" in to_text(compare(runs, ["model"]))
    both = [entry(m, s, None, **lost) for m in ("rnn", "gru") for s in range(3)]
    said = to_text(compare(both, ["model"]))
    assert "rnn diverged in 3 of 3 and gru diverged in 3 of 3" in said
    for form in FORMS.values():
        assert form(compare(both, ["model"]))


def test_equal_runs_need_no_seeds():
    runs = [entry(model, s, 3.0 + s) for model in ("rnn", "gru") for s in range(3)]
    assert "> 1000" not in to_text(compare(runs, ["model"]))


@pytest.mark.parametrize("perplexity", [0.0, -3.0])
def test_what_is_no_perplexity_is_a_sentence(perplexity):
    runs = [entry(m, s, perplexity if s else 3.0) for m in ("rnn", "gru") for s in range(3)]
    with pytest.raises(ConfigError, match=f"rnn_1 has {perplexity:g}, which is no perplexity"):
        compare(runs, ["model"])


def test_what_is_no_vocabulary_is_a_sentence():
    own = {"dataset": {"name": "sample", "sha256": "a", "vocab_size": -3}}
    runs = [entry(m, s, 3.0, **own) for m in ("rnn", "gru") for s in range(3)]
    with pytest.raises(ConfigError, match="rnn_0 does not tell the size of its vocabulary"):
        compare(runs, ["model"])


def test_no_run_counts_as_worse_than_guessing():
    for perplexity, status in ((27.9, "completed"), (100.0, "completed"), (3.0, "diverged")):
        own = loss(entry("rnn", 0, perplexity, status=Status(status)), "training_perplexity")
        assert own == pytest.approx(math.log(27.9 if perplexity == 27.9 else V))


# --- what pairs ------------------------------------------------------------------------------


def grid(**gains: float) -> list[Entry]:
    """model x lr x seed; `gains` are what lr=3 takes from a model's loss."""
    return [
        forge(
            f"{model}_{lr}_{seed}",
            math.exp(2 - (gain if lr == 3 else 0) + shared + own),
            f"model={model}",
            lr=float(lr),
            seed=seed,
        )
        for (model, gain), own in zip(gains.items(), (0.0, 0.1, 0.3), strict=False)
        for lr in (1, 3)
        for seed, shared in enumerate((0.0, 0.11, 0.07))
    ]


def test_every_place_has_its_rows_and_holm_counts_them_all():
    found = compare(grid(rnn=0.0, gru=0.2), ["model"])
    assert [(row.place, row.lower, row.higher) for row in found.rows] == [
        ({"lr": "1"}, "rnn", "gru"),
        ({"lr": "3"}, "gru", "rnn"),
    ]
    assert [row.p_holm for row in found.rows] == holm([row.paired.p for row in found.rows])
    assert found.rows[0].paired.mean == pytest.approx(0.1)
    text = to_text(found)
    assert "at lr=1, rnn is better than gru by 0.1" in text


def test_each_value_at_its_best():
    found = compare(grid(rnn=-0.3, gru=0.2), ["model"], at_best=["lr"])
    (row,) = found.rows
    assert to_text(found).endswith(CHOSEN)
    assert (row.lower, row.higher) == ("model=gru lr=3", "model=rnn lr=1")
    assert row.paired.mean == pytest.approx(0.1)


def test_several_settings_together():
    found = compare(grid(rnn=0.0, gru=0.2), ["model", "lr"])
    assert len(found.rows) == 6
    labels = {f"model={model} lr={lr}" for model in ("rnn", "gru") for lr in (1, 3)}
    assert {label for row in found.rows for label in (row.lower, row.higher)} == labels
    assert found.places == ()


def test_what_a_choice_brings_along_is_told():
    runs = [forge(f"sgd{s}", 3.0 + s, "optimizer=sgd", lr=1.0, seed=s) for s in range(3)]
    runs += [forge(f"adam{s}", 3.1 + s, "optimizer=adam", lr=0.001, seed=s) for s in range(3)]
    found = compare(runs, ["optimizer"])
    assert found.brought == ("lr",)
    assert "by optimizer, which brings lr:" in to_text(found)


def test_held_out_text_counts_where_all_have_it():
    runs = [
        forge(f"{m}{s}", 5.0, f"model={m}", held_out=h + s, seed=s)
        for m, h in (("rnn", 6.0), ("gru", 7.0))
        for s in range(3)
    ]
    assert compare(runs, ["model"]).figure == "held_out_perplexity"
    for name, other in (("val_perplexity", "held_out"), ("perplexity", "training")):
        assert compare(runs, ["model"], name) == compare(runs, ["model"], f"{other}_perplexity")
    (row,) = compare(runs, ["model"], "perplexity").rows
    assert (row.paired.mean, row.paired.p) == (0, 1)
    assert to_text(compare(runs, ["model"], "perplexity")).endswith("equal at each of 3 seeds")


REFUSED = {
    "modle": r"comparing by modle is not allowed: what differs between its runs is model, lr\.",
    "seed": r"comparing by seed is not allowed: what differs",
    "": r"comparing by nothing is not allowed: type --by NAME\.",
}


@pytest.mark.parametrize("by", REFUSED)
def test_what_cannot_be_compared_is_a_sentence(by):
    with pytest.raises(ConfigError, match=REFUSED[by]):
        compare(grid(rnn=0.0, gru=0.2), [by] if by else [])


@pytest.mark.parametrize("by", ["model,lr", " model, lr,model", ["model", "lr"], ["model,lr"]])
def test_settings_are_named_in_a_text_or_a_list(by):
    assert compare(grid(rnn=0.0, gru=0.2), by).by == ("model", "lr")


@pytest.mark.parametrize("wrong", [5, None, [5], ["model", None]])
def test_what_is_no_name_is_a_sentence(wrong):
    runs = grid(rnn=0.0, gru=0.2)
    said = r"is not allowed: it takes a setting's name, or a list of names\.$"
    with pytest.raises(ConfigError, match=f"^comparing by .*{said}"):
        compare(runs, wrong)
    with pytest.raises(ConfigError, match=f"^comparing at the best .*{said}"):
        compare(runs, "model", at_best=wrong)


@pytest.mark.parametrize("wrong", [5, "", ["loss"]])
def test_what_is_no_figure_is_a_sentence(wrong):
    with pytest.raises(ConfigError, match=r"^the figure .* is not allowed: it is one of held_out"):
        compare(grid(rnn=0.0, gru=0.2), "model", wrong)


def test_too_few_seeds_are_answered_with_one_command_that_trains_more():
    """Of all settings, where they are a grid; the seeds that are there are not asked for again."""
    runs = [run for run in grid(rnn=0.0, gru=0.2) if run.result.seed == 1]
    with pytest.raises(ConfigError) as error:
        compare(runs, "model")
    said, command = str(error.value).split("; type rnnlab train ")
    assert said.endswith("it takes 3 seeds at least, and there is seed=1")
    asked = [(job.model.name, job.lr, job.seed) for job in jobs(*shlex.split(command))]
    expected = itertools.product(("rnn", "gru"), (1, 3), (0, 2, 3, 4))
    assert sorted(asked) == sorted(expected)


def test_other_refusals():
    runs = grid(rnn=0.0, gru=0.2)
    few = [run for run in runs if run.result.seed < 2]
    cases: list[tuple[list[Entry], dict[str, Any], str]] = [
        (
            few,
            {},
            r"3 seeds at least, and there is seed=0,1; type rnnlab train -m .*seed=2,3,4",
        ),
        (
            runs,
            {"figure": "loss"},
            "the figure loss is not allowed: it is one of held_out_",
        ),
        (runs, {"figure": "held_out_perplexity"}, "text out; type --figure training_perplexity"),
        (runs, {"at_best": ["theta"]}, "comparing at the best theta is not allowed: .* is lr"),
        ([*runs, forge("again", 3.0, "model=gru", lr=1.0)], {}, "have the same settings and seed"),
        ([*runs[:-1], forge("other", 3.0, "model=gru", lr=3.0, seed=2, text="b")], {}, "texts"),
    ]
    for own, asked, said in cases:
        with pytest.raises(ConfigError, match=said):
            compare(own, ["model"], **asked)


def test_a_setting_that_only_one_value_has_belongs_to_the_values():
    runs = [
        forge(f"{a}{s}", 3.0 + s, "model=rnn", f"model.activation={a}", seed=s)
        for a in ("tanh", "relu")
        for s in range(3)
    ]
    runs += [forge(f"gru{s}", 3.1 + s, "model=gru", seed=s) for s in range(3)]
    with pytest.raises(ConfigError, match=r"have model\.activation, .* model,model\.act"):
        compare(runs, ["model"])
    found = compare(runs, ["model", "model.activation"])
    assert len(found.rows) == 3


def test_a_cell_that_was_never_asked_for_is_trained_as_its_value_is():
    """adam with its own lr, at the batch size that only sgd had."""
    runs = [
        forge(f"{o}{b}{s}", 3.0 + s, f"optimizer={o}", lr=lr, batch_size=b, seed=s)
        for o, lr, sizes in (("sgd", 1.0, (2, 4)), ("adam", 0.001, (2,)))
        for b in sizes
        for s in range(3)
    ]
    with pytest.raises(ConfigError) as error:
        compare(runs, ["optimizer"])
    said, command = str(error.value).split("; type rnnlab train ")
    missing = [f"there is no run of optimizer=adam batch_size=4 seed={s}" for s in range(3)]
    assert said == f"comparing by optimizer is not allowed: {', '.join(missing)}"
    *_, config = (job for job in jobs(*shlex.split(command)))
    assert (config.optimizer.name, config.lr, config.batch_size, config.seed) == (
        "adam",
        0.001,
        4,
        2,
    )


def test_an_unfinished_run_is_named():
    runs = grid(rnn=0.0, gru=0.2)
    runs[3] = replace(runs[3], result=replace(runs[3].result, status=Status.interrupted))
    said = r"is not allowed: rnn_3_0 is interrupted; type rnnlab resume study/rnn_3_0$"
    with pytest.raises(ConfigError, match=said):
        compare(runs, ["model"])


# --- the command -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("trained")
    words = ["model=rnn,gru", "seed=0,1,2", "num_epochs=2", "dataset.val_fraction=0.1"]
    assert typed("-m", *SMALL, *words, "sweep=study", at=str(home))[0] == 0
    return home / "study"


@pytest.fixture
def study(trained) -> str:
    shutil.copytree(trained, "study")
    return "study"


def test_removing_a_run_turns_the_table_into_a_refusal_that_names_it(study):
    """And what it says to type trains the run that was there, after which the table is back."""
    status, table, _ = typed("compare", study, "--by", "model")
    assert status == 0
    assert table.startswith("held-out perplexity by model: differences in nats, paired by 3 seeds")
    shutil.rmtree(Path(study, "4_model=gru,seed=1"))
    status, out, err = typed("compare", study, "--by", "model")
    assert (status, out) == (2, "")
    assert err.startswith("comparing by model is not allowed: there is no run of model=gru seed=1;")
    _, command = err.strip().split("; type rnnlab train ")
    assert typed(*shlex.split(command))[0] == 0
    assert typed("compare", study, "--by", "model")[1] == table


def test_a_job_that_failed_is_not_left_out(study):
    folder = Path(study, "2_model=rnn,seed=2")
    replace(Result.read(folder), status=Status.failed, error="no room").write(folder)
    _, _, err = typed("compare", study, "--by", "model")
    assert err.endswith(f"2_model=rnn,seed=2 is failed; type rnnlab resume {study}\n")
    assert typed("resume", study)[0] == 0
    assert typed("compare", study, "--by", "model")[0] == 0


def test_every_format_has_the_same_figures(study):
    found = rnnlab.load(study).compare("model")
    (row,) = json.loads(typed("compare", study, "--by", "model", "--format", "json")[1])["rows"]
    text = typed("compare", study, "--by", "model", "--format", "csv")[1]
    (line,) = csv.DictReader(io.StringIO(text))
    assert {name: str(value) for name, value in row.items()} == line
    assert row["difference"] == found.rows[0].paired.mean == found.frame["difference"][0]
    assert typed("compare", study, "--by", "model", "--format", "markdown")[1].count("\n|---|") == 1
    assert repr(found) == typed("compare", study, "--by", "model")[1].rstrip("\n")
    frame = rnnlab.load(study).frame
    losses = np.log(np.array(frame["held_out_perplexity"]))
    higher, lower = (losses[np.array(frame["model"]) == row[name]] for name in ("higher", "lower"))
    assert row["difference"] == pytest.approx(higher.mean() - lower.mean(), abs=1e-12)
    refused = typed("compare", study, "--by", "model", "--format", "xml")[2]
    assert refused.startswith("--format xml is not allowed: it is one of text, markdown, csv, json")
