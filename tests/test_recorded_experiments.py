"""experiments/: what is claimed is computed from the results, and the pages are what they say."""

from __future__ import annotations

import math
import re
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

import commands
from conftest import ROOT
from rnnlab._common.errors import ConfigError
from rnnlab.data import synthetic
from rnnlab.experiments import reproduce as reproducing
from rnnlab.experiments.claims import Claim
from rnnlab.experiments.commands import study_folder, with_words
from rnnlab.experiments.conditions import OneOf
from rnnlab.experiments.experiment import FILE, Experiment
from rnnlab.experiments.page import page
from rnnlab.experiments.plot import Plot
from rnnlab.experiments.quantities import Unanswered, quantity
from rnnlab.experiments.reading import Node
from rnnlab.experiments.record import RESULTS, Record
from rnnlab.experiments.reproduce import OTHER_SEEDS
from rnnlab.experiments.rows import Row
from rnnlab.experiments.tables import cell
from rnnlab.results.load import load
from rnnlab.runs import stack
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.ranking import Ranking
from typed import typed

FOLDERS = sorted(path.parent for path in (ROOT / "experiments").glob(f"*/{FILE}"))
NAMES = [folder.name for folder in FOLDERS]
TINY = "num_hiddens=3 dataset.max_tokens=300 batch_size=4 num_epochs=1"
HEAD = f"""title: Which lr?
question: Which of two?
finding: Perplexity {{low}} at lr 1.
commands: python run.py -m {TINY} lr=0.5,1 seed=0
cost: {{minutes: 1, jobs: 2}}
tables: {{Both: {{by: lr, figures: training_perplexity}}}}
figures: {{curves: Both}}
"""
PLOT = "{shows: Both, figure: accuracy_at_dataset.lag, against: dataset.lag, for_each: seed}"
CLAIM = """claims:
  low:
    says: It is low.
    value: {figure: training_perplexity, where: {lr: 1}, reduce: max}
    above: 1
    below: LIMIT
"""


def written(text: str, folder: str = "mine") -> Path:
    place = Path(folder)
    place.mkdir(exist_ok=True)
    (place / FILE).write_text(text, encoding="utf-8")
    return place


# --- quantities ------------------------------------------------------------------------------

ROWS = [
    Row(f"{k}", {"lr": lr, "theta": theta, "seed": seed, "sampler": "random"},
        {"status": status, "training_perplexity": perplexity, "epochs": 5})
    for k, (lr, theta, seed, status, perplexity) in enumerate(
        [
            (1.0, 1.0, 0, "completed", 2.0), (1.0, 1.0, 1, "completed", 5.0),
            (3.0, 0.5, 0, "completed", 4.0), (3.0, 0.5, 1, "completed", 1.0),
            (9.0, None, 0, "diverged", None), (9.0, None, 1, "completed", 7.0),
            (99.0, 9.0, 0, "interrupted", 3.0),
        ]
    )
]  # fmt: skip
P = "figure: training_perplexity"
LENGTHS = {0: (10, 80.0), 1: (20, 20.0), 2: (40, 5.0)}  # lags, and 8000 lag^-2
LOST = f"{{{P}, where: {{lr: 9, seed: 0}}, reduce: max}}"
POWER = [
    Row(f"{seed}.{k}", {"dataset.lag": lag, "seed": seed},
        {"status": "completed", "training_perplexity": y * (1 + seed) * (1 + seed * k),
         f"accuracy_at_{lag}": k / 2})
    for seed in (0, 1) for k, (lag, y) in LENGTHS.items()
]  # fmt: skip


def value_of(text: str, rows: Sequence[Row] = ROWS) -> float:
    return quantity(Node.of(written(text) / FILE)).of(rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{{{P}, where: {{lr: 1}}, reduce: mean}}", 3.5),
        (f"{{{P}, where: {{lr: [1, 3]}}, reduce: std}}", math.sqrt(10 / 3)),
        (f"{{{P}, where: {{lr: [1, 3]}}, reduce: median}}", 3),
        (f"{{{P}, where: {{theta: null, status: completed}}, reduce: min}}", 7),
        (f"{{{P}, where: {{lr: 9}}, reduce: max}}", math.inf),  # it diverged: not left out
        (f"{{{P}, where: {{lr: {{below: 10}}}}, reduce: mean, for_each: lr, then: min}}", 2.5),
        (f"{{{P}, where: {{lr: {{below: 10}}}}, reduce: mean, for_each: lr, then: max}}", math.inf),
        (f"{{{P}, where: {{lr: {{below: 4}}}}, reduce: max, for_each: [lr, seed], then: mean}}", 3),
        (f"{{{P}, where: {{lr*theta: {{above: 1, below: 2}}}}, reduce: max}}", 4),  # 1 is not above
        ("{figure: lr*theta, where: {lr: 3}, reduce: max}", 1.5),
        ("{where: {status: diverged}, reduce: count}", 1),
        ("{where: {status: failed}, reduce: count}", 0),
        ("ratio: {left: {figure: lr, where: {lr: [1, 9]}, reduce: max}, right: 4}", 2.25),
        ("difference: {left: 1, right: {figure: epochs, where: {lr: 1}, reduce: max}}", -4),
        ("product: {left: 0.5, right: {ratio: {left: 1, right: 4}}}", 0.125),
    ],
)  # fmt: skip
def test_a_quantity(text, expected):
    assert value_of(text) == pytest.approx(expected, rel=1e-12)


def test_exponents_are_those_of_least_squares_on_logarithms():
    """With seed 0 a power law; with seed 1 scipy is asked. Intervals of the mean too."""
    each = f"{P}, against: dataset.lag, reduce: exponent"
    ends = [value_of(f"{{{each}, where: {{seed: {seed}}}}}", POWER) for seed in (0, 1)]
    x, y = zip(*((row.value("dataset.lag"), row.figures["training_perplexity"])
                 for row in POWER[3:]), strict=True)  # fmt: skip
    own = scipy.stats.linregress(np.log(x), np.log(y)).slope
    assert ends == pytest.approx([-2, own], rel=1e-12)
    scale = np.std(ends, ddof=1) / np.sqrt(2)
    expected = scipy.stats.t.interval(0.95, 1, loc=np.mean(ends), scale=scale)
    found = [value_of(f"{{{each}, for_each: seed, then: {end}}}", POWER) for end in ("low", "high")]
    assert found == pytest.approx(expected, rel=1e-9)


def test_of_a_run_that_diverged_every_figure_is_the_worst():
    lost = Row("0", {"lr": 9.0, "theta": 2.0}, {"status": "diverged", "accuracy_at_4": 0.9})
    assert lost.figure("training_perplexity") == lost.figure("excess_nats_at_4") == math.inf
    assert lost.figure("accuracy_at_4") == 0
    assert (lost.figure("lr*theta"), lost.figure("lr")) == (18, 9)


def test_a_figure_at_each_runs_own_length():
    at = "figure: accuracy_at_dataset.lag, where: {seed: 0}"
    assert value_of(f"{{{at}, reduce: max}}", POWER) == 1
    assert value_of(f"{{{at}, reduce: mean}}", POWER) == 0.5
    low = "figure: accuracy_at_20, where: {seed: 1, dataset.lag: 20}"
    assert value_of(f"{{{low}, reduce: min}}", POWER) == 0.5


def test_gradients_of_the_first_look_at_the_lengths_that_are_evaluated(compose):
    config = compose("dataset=copy", "dataset.lag=3", "dataset.length=400", "num_hiddens=3",
                     "batch_size=4", "num_steps=8", "num_epochs=2", "log.inspect_every=1",
                     "instruments=[gradient_lag]", "eval.lengths=[3,7,8]",
                     "model=lstm")  # fmt: skip
    stack.run(config, Path("S/run"))
    (run,) = load("S")
    logged = run.instruments
    first = (logged["epoch"] == 1) & (logged["place"] == 7)
    assert sorted(logged["name"][first]) == ["0.C", "0.H"]
    row = Row.of(run, curves=False)
    assert row.value("gradient_at_7") == max(logged["value"][first]) > 0
    assert row.value("gradient_at_dataset.lag") > row.value("gradient_at_7")
    assert row.value("gradient_at_8") is None  # beyond the window


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{{{P}, where: {{lr: 1}}, reduce: exponent, against: lr}}", "an exponent takes two"),
        (f"{{{P}, where: {{lr: [1, 9]}}, reduce: exponent, against: lr}}", "an exponent takes two"),
        (f"{{{P}, where: {{lr: 1, seed: 0}}, reduce: low}}", "one run alone has no confidence"),
        (f"{{{P}, where: {{lr: 2}}, reduce: mean}}", "no run has lr=2"),
        (f"{{{P}, reduce: mean}}", "6 is interrupted"),
        (f"{{{P}, where: {{lr: 1, seed: 0}}, reduce: std}}", "one run alone has no standard"),
        ("{figure: held_out_perplexity, reduce: mean, where: {lr: 1}}", "0 has no held_out_"),
        ("ratio: {left: 1, right: {where: {lr: 2}, reduce: count}}", "its right side is zero"),
        (f"{{{P}, where: {{lr: 9}}, reduce: std}}", "1 of 2 diverged: there is no standard dev"),
        (f"{{{P}, where: {{lr: 9}}, reduce: low}}", "1 of 2 diverged: there is no confidence"),
        (
            f"{{{P}, where: {{lr: [3, 9]}}, reduce: max, for_each: lr, then: high}}",
            "1 of 2 diverged",
        ),
        (f"difference: {{left: {LOST}, right: {LOST}}}", "inf and inf have no difference"),
        (f"product: {{left: 0, right: {LOST}}}", "0 and inf have no product"),
    ],
)
def test_what_the_study_cannot_answer(text, why):
    with pytest.raises(Unanswered, match=why):
        value_of(text)


@pytest.mark.parametrize(
    ("bounds", "holds"),
    [("above: 3.4", True), ("above: 3.5", False), ("below: 3.6", True), ("below: 3.5", False),
     ("above: 3.6\nbelow: 9", False), ("above: 3\nbelow: 4", True),
     (f"below: {{{P}, where: {{lr: 9}}, reduce: mean}}", True),
     (f"below: {{{P}, where: {{lr: 2}}, reduce: mean}}", False)],
)  # fmt: skip
def test_a_claim(bounds, holds):
    text = f"says: x\nvalue: {{{P}, where: {{lr: 1}}, reduce: mean}}\n{bounds}"
    assert Claim.of("c", Node.of(written(text) / FILE)).judged(ROWS).holds == holds


def test_a_cell_of_a_table():
    assert cell([1.0, 2.0, 4.5]) == "2.5 (1 to 4.5)"
    assert cell([2.0, math.inf]) == "1 of 2 diverged"
    assert cell([math.inf]) == "diverged"
    assert cell([2.0, None]) == ""


def test_what_a_plot_shows():
    """Of each run a dot, through the means a line with a gap where one diverged."""
    plot = Plot.of(Node.of(written(PLOT[1:-1].replace(", ", "\n")) / FILE))
    expected = [(10, 0), (20, 0.5), (40, 1)]
    assert plot.lines(POWER) == {"seed=0": expected, "seed=1": expected}
    both = replace(plot, figure="training_perplexity", against="lr", for_each=())
    assert both.lines(ROWS)[""][4:] == [(9, math.inf), (9, 7), (99, 3)]
    axes = both.drawn(ROWS).axes[0]
    dots, crosses, line = axes.get_lines()
    ends = [(1, 2), (1, 5), (3, 4), (3, 1), (9, 7), (99, 3)]
    np.testing.assert_array_equal(dots.get_xydata(), ends)
    np.testing.assert_array_equal(crosses.get_xdata(), [9])
    np.testing.assert_array_equal(line.get_xydata(), [(1, 3.5), (3, 2.5), (9, np.nan), (99, 3)])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "3", "9", "99"]
    assert axes.get_xlim()[1] > 99
    chosen = replace(both, where=(OneOf("seed", (0,)),), for_each=("lr",), least=2)
    assert [*chosen.lines(ROWS).items()][:2] == [("lr=1", [(2, 2)]), ("lr=3", [(3, 4)])]
    with pytest.raises(ConfigError, match="against lr with 0 lines is not allowed: it has 1 to 8"):
        replace(both, where=(OneOf("lr", (5,)),)).drawn(ROWS)


def test_a_plot_over_the_lengths_of_each_run():
    own = {"status": "completed", "accuracy_at_10": 0.5, "accuracy_at_40": 0.25}
    rows = [Row("0", {"eval.lengths": [10, 40, 90]}, own)]
    plot = Plot("", "accuracy_at_eval.lengths", "eval.lengths", log=("x",))
    assert plot.lines(rows) == {"": [(10, 0.5), (40, 0.25)]}
    drawn = plot.drawn(rows).axes[0]
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("eval.lengths", "accuracy")
    assert drawn.get_xscale() == "log"


# --- mistakes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title: Which lr?\n", "", "line 1: the file has no title; it takes title, question"),
        ("finding:", "findings:", "line 3: findings is no part of the file; did you mean finding?"),
        ("{low}", "{lo}", "line 3: \\{lo\\} is no claim; did you mean low?"),
        (CLAIM.replace("LIMIT", "30"), "claims: {}\n", "line 8: there are no claims; write at"),
        ("run.py -m", "run.py", "line 4: a command trains a study; write python run.py -m"),
        ("seed=0", "seed=0 rm", "line 4: rm is no setting; the commands' words are NAME=VALUE"),
        ("minutes: 1", "minutes: a", "line 5: minutes is a number, and not a"),
        ("by: lr", "by: lrr", "line 6: lrr is no setting and no figure; did you mean lr?"),
        ("{curves:", "{curve:", "line 7: curve is no figure of a report; did you mean curves?"),
        ("{curves: Both}", "{../up: Both}", "line 7: ../up names a figure's file; use a to z"),
        ("{curves: Both}", "{a: {shows: b}}", "line 7: a has no figure; it takes shows, figure"),
        (
            "{curves: Both}",
            f"{{a: {PLOT[:-1]}, log: z}}}}",
            "line 7: z is no log; there are x, y",
        ),
        (
            "{curves: Both}",
            "{a: {shows: b, figure: excess, against: lr}}",
            "line 7: excess is no se",
        ),
        ("{lr: 1}", "{lq: 1}", "line 11: lq is no setting and no figure"),
        ("reduce: max", "reduce: maxi", "line 11: maxi is no reduce; did you mean max"),
        ("reduce: max", "reduce: max, then: min", "line 11: for_each and then come together"),
        ("figure: training_perplexity, ", "", "line 11: value has no figure"),
        ("reduce: max", "reduce: exponent", "line 11: exponent and against come together"),
        ("training_perplexity, where", "accuracy_at_dataste, where", "line 11: accuracy_at_data"),
        ("    above: 1\n    below: 30\n", "", "line 9: the claim low has no bound; write above:"),
        ("below: 30", "below: 0.5", "line 9: no number is above 1 and below 0.5"),
        ("below: 30", "below: nan", "line 13: below is nan, which is no number"),
        ("above: 1", "above: inf", "line 9: no number is above inf and below 30"),
        ("{lr: 1}", "{lr: []}", "line 11: lr is an empty list; write at least one"),
        ("{lr: 1}", "{lr: {}}", "line 11: lr has no bound; write above: or below:"),
        ("{lr: 1}", "{lr: {above: 1, below: 1}}", "line 11: no number is above 1 and below 1"),
        ("figure: training_perplexity", "figure: lr*model", "line 11: model is a choice, and no"),
        ("figure: training_perplexity", "figure: status", "line 11: status is a text, and no"),
        ("by: lr", "by: lr*status", "line 6: status is a text, and no number"),
        ("figures: training", "figures: [], across: training", "line 6: figures is an empty"),
        ("seed=0", 'seed="0', "line 4: a command is as one types it, and this one has no closing"),
        ("lr=0.5", "lrr=0.5", "line 4: lrr is no setting; did you mean lr?"),
        ("lr=0.5", "resume=x", "line 4: resume=x,1 is no setting"),
        ("cost:", "miniature: num_epoch=1\ncost:", "line 5: num_epoch is no setting; did you mean"),
        ("jobs: 2", "jobs: inf", "line 5: jobs is a finite number above 0, and not inf"),
        ("jobs: 2", "jobs: 2.5", "line 5: jobs is a whole number, and not 2.5"),
        ("jobs: 2", "jobs: 1" + "0" * 400, "line 5: jobs is a finite number above 0, and not inf"),
        ("minutes: 1", "minutes: -1", "line 5: minutes is a finite number above 0, and not -1"),
        ("minutes: 1", "minutes: nan", "line 5: minutes is nan, which is no number"),
        ("above: 1\n    below: 30", "above: &x 1\n    below: *x", "line 13: \\*x is not read"),
        ("says: It is low.", "says: [a]", "line 10: says is a text"),
        ("cost: {", "cost: {{", "line 6: did not find expected ',' or '}'"),
        ("cost:", "title:", "line 5: title is in line 1 already; remove one of them"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(old, new, said):
    text = HEAD + CLAIM.replace("LIMIT", "30")
    assert old in text
    folder = written(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=f"^mine/{FILE}, {said}") as refused:
        Experiment.read(folder)
    assert "\n" not in str(refused.value)


def test_words_take_the_place_of_those_of_their_name():
    both = [["lr=1,3", "seed=0"], ["theta=2", "seed=0"]]
    assert with_words(both, ["seed=4,5", "lr=9"]) == [
        ["lr=9", "seed=4,5"],
        ["theta=2", "seed=4,5", "lr=9"],
    ]
    assert study_folder("a", both) == study_folder("a", [("lr=1,3", "seed=0"), both[1]])
    assert study_folder("a", both) != study_folder("a", with_words(both, ["seed=1"]))


def test_a_product_with_what_is_no_number_is_none():
    """Python would repeat a text so many times."""
    row = Row("0", {"lr": 2, "model": "gru"}, {"status": "completed"})
    assert row.value("lr*lr") == 4
    assert row.value("lr*model") is None


DAMAGED = {
    '"status": "completed"': '"status": "great"',
    '"training_perplexity": ': '"training_perplexity": "a", "x": ',
    '"curves": {': '"curves": {"a": [[1, "a"]], ',
    '"stacks": ': '"stacks": 0.5',
    '"ended": "': '"ended": "yesterday',
    '"commands": [[': '"commands": [[1, ',
    '"settings": {': '"settings": 3, "x": {',
}


@pytest.mark.parametrize("old", DAMAGED)
def test_results_that_are_damaged_are_a_sentence(old):
    text = (ROOT / "experiments" / "reber" / RESULTS).read_text(encoding="utf-8")
    Path("r.json").write_text(text, encoding="utf-8")
    Record.read(Path("r.json"))
    assert old in text
    Path("r.json").write_text(text.replace(old, DAMAGED[old], 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^r\.json is not the results of an experiment, or is"):
        Record.read(Path("r.json"))


# --- the command -----------------------------------------------------------------------------


def test_a_study_is_trained_once_and_its_claims_are_checked():
    folder = written(HEAD + CLAIM.replace("LIMIT", "30"))
    status, out, err = commands.run("reproduce", "mine", module=True)
    assert (status, err) == (0, "")
    assert "low holds: 2" in out
    record = Record.read(folder / RESULTS)
    first = load(study_folder("mine", record.commands))
    assert [row.value("lr") for row in record.rows] == [0.5, 1]
    assert record.rows[1].value("training_perplexity") == first[1].result.perplexity
    shown = (folder / "README.md").read_text(encoding="utf-8")
    assert f"**Finding.** Perplexity {first[1].result.perplexity:.4g} at lr 1." in shown
    assert (folder / "curves.svg").read_text(encoding="utf-8").startswith("<?xml")

    written(HEAD + CLAIM.replace("LIMIT", "2"))  # nothing is trained anew, and it does not hold
    status, out, _ = commands.run("reproduce", "mine", module=True)
    assert status == 1
    assert "low does not hold: 2" in out
    again = load(first[1].folder.parent)
    assert [run.result.ended for run in again] == [run.result.ended for run in first]
    assert "Not what is claimed: see low." in (folder / "README.md").read_text(encoding="utf-8")


def test_the_report_draws_of_the_record_what_it_draws_of_the_runs(trained_here):
    """The same tables and curves, without the runs' folders."""
    home = trained_here(["num_hiddens=3", "dataset.max_tokens=300", "batch_size=4", "num_epochs=2",
                         "dataset.val_fraction=0.3", "lr=0.5,1"], Path("S"))  # fmt: skip
    record = Record.of("mine", [[]], load(home), curves=True)
    record.write(Path("r.json"), [])
    kept = [row.entry for row in Record.read(Path("r.json")).rows]
    own, _ = read(home)
    assert [[*map(tuple, curve)] for e in kept for curve in e.curves] == [
        [*curve] for e in own for curve in e.curves
    ]
    assert [str(group) for group in Ranking(kept).groups] == [
        str(group) for group in Ranking(own).groups
    ]
    assert Ranking(kept).rule == Ranking(own).rule


def test_other_seeds_stand_beside_and_other_words_apart(trained_here, monkeypatch):
    monkeypatch.setattr(reproducing, "study", lambda words, *_: load(trained_here(words)))
    folder = written(HEAD + CLAIM.replace("LIMIT", "30"))
    (first,) = reproducing.reproduce(folder)
    (other,) = reproducing.reproduce(folder, seeds="3")
    assert first.value != other.value
    assert Record.read(folder / OTHER_SEEDS).commands[0][-1] == "seed=3"
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "with seeds 3" in page
    assert f"| {first.value:.4g} | holds | {other.value:.4g} | holds |" in page

    reproducing.reproduce(folder, ["num_epochs=2"])
    assert (folder / "README.md").read_text(encoding="utf-8") == page
    apart = study_folder("mine", with_words(Experiment.read(folder).commands, ["num_epochs=2"]))
    assert (apart / "README.md").exists()


def test_what_only_a_person_may_say_is_typed(monkeypatch):
    """A folder that somebody sent does not choose code to run."""
    monkeypatch.setattr(reproducing, "study", lambda *_: pytest.fail("it trains"))
    text = HEAD + CLAIM.replace("LIMIT", "30")
    folder = written(text.replace("lr=0.5,1", "model=./mine/evil.py"))
    with pytest.raises(
        ConfigError, match=r"^model=\./mine/evil\.py, which mine/.* asks for, is not"
    ):
        reproducing.reproduce(folder)
    with pytest.raises(pytest.fail.Exception):
        reproducing.reproduce(folder, ["model=./mine/evil.py"])


@pytest.mark.parametrize(
    ("words", "options", "said"),
    [
        (["sweep=x"], {}, "sweep=x is not allowed: an experiment has a folder of its own"),
        (["resume=x"], {}, "resume=x is not allowed: an experiment has a folder of its own"),
        (["plan=true"], {}, "plan=true is not allowed: an experiment has a folder of its own"),
        ([], {"seeds": ","}, "--seeds , is not allowed: type whole numbers, as 10,11,12"),
        ([], {"seeds": "a"}, "--seeds a is not allowed: type whole numbers"),
        ([], {"miniature": True}, "--miniature is not allowed: mine/experiment.yaml does not say"),
        ([], {"seeds": "3"}, "--seeds 3 is not allowed: mine has no results to stand beside yet"),
        ([], {}, "mine/other_seeds.json is not the results of an experiment, or is damaged"),
        (["num_epochs=2"], {}, "it trains"),
    ],
)  # fmt: skip
def test_what_can_be_refused_is_refused_before_training(words, options, said, monkeypatch):
    monkeypatch.setattr(reproducing, "study", lambda *_: pytest.fail("it trains"))
    folder = written(HEAD + CLAIM.replace("LIMIT", "30"))
    (folder / OTHER_SEEDS).write_text("{}")
    with pytest.raises((ConfigError, pytest.fail.Exception), match=f"^{said}"):
        reproducing.reproduce(folder, words, **options)


def test_damaged_results_are_told_before_other_seeds_are_trained(monkeypatch):
    monkeypatch.setattr(reproducing, "study", lambda *_: pytest.fail("it trains"))
    folder = written(HEAD + CLAIM.replace("LIMIT", "30"))
    (folder / RESULTS).write_text("{}")
    with pytest.raises(ConfigError, match=r"^mine/results\.json is not the results of an exper"):
        reproducing.reproduce(folder, seeds="3")


def test_a_wrong_value_is_told_with_the_line_that_it_stands_in(monkeypatch):
    """Of the file, where nobody has typed it; what the jobs differ in is no mistake of theirs."""
    said = "job 1 (seed=1 lr=-1): lr=-1 is not allowed: lr is a finite number >= 0."

    def refuse(*_):
        raise ConfigError(said)

    monkeypatch.setattr(reproducing, "study", refuse)
    folder = written(HEAD.replace("lr=0.5,1", "lr=0.5,-1") + CLAIM.replace("LIMIT", "30"))
    for words, expected in (
        ([], f"mine/{FILE}, line 4: {said}"),
        (["theta=2"], f"mine/{FILE}, line 4: {said}"),
        (["lr=0.5,-1"], said),
        (["lr=-1"], said),
    ):
        with pytest.raises(ConfigError) as refused:
            reproducing.reproduce(folder, words)
        assert str(refused.value) == expected


def test_what_goes_on_after_ctrl_c_is_the_command_that_writes_the_page():
    folder = written(HEAD.replace("num_epochs=1", "num_epochs=100000") + CLAIM)
    (folder / FILE).write_text((folder / FILE).read_text().replace("LIMIT", "30"))
    process = commands.start("reproduce", "mine", "theta=2", "--seeds", "4", module=True, anew=True)
    until = time.monotonic() + 120
    while not [*Path("outputs").glob("experiments/*/*/metrics.jsonl")]:
        assert time.monotonic() < until
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    status, out, _ = commands.finish(process)
    assert status == 130
    assert out.splitlines()[-1] == "go on with: rnnlab reproduce mine theta=2 --seeds 4"


def test_in_miniature_no_claim_is_judged(trained_here, monkeypatch):
    monkeypatch.setattr(reproducing, "study", lambda words, *_: load(trained_here(words)))
    written(HEAD + "miniature: batch_size=2\n" + CLAIM.replace("LIMIT", "2"))
    status, out, _ = typed("reproduce", "mine", "--miniature")
    assert status == 0
    *_, page, once, found = out.splitlines()
    assert page.endswith("README.md")
    assert once == "found in miniature, where no claim is judged:"
    assert re.fullmatch(r"low: [0-9.]+", found)


def test_a_run_is_a_run_whatever_else_is_in_its_folder(compose):
    config = compose("num_hiddens=3", "dataset.max_tokens=300", "batch_size=4", "num_epochs=1")
    stack.run(config, Path("run"))
    written(HEAD + CLAIM, "run")
    status, out, _ = commands.run("reproduce", "run", module=True)
    assert status == 0
    assert "bit for bit" in out
    (Path("run") / FILE).unlink()
    status, _, err = commands.run("reproduce", "run", "--seeds", "1", module=True)
    assert status == 2
    assert (
        err == f"--seeds of run is not allowed: only an experiment, which has {FILE}, takes it.\n"
    )


# --- what is recorded ------------------------------------------------------------------------


@pytest.fixture
def trained_here():
    """A study's jobs, one after the other in this process."""

    def train(words: list[str], home: Path | None = None) -> Path:
        own = [word for word in words if not word.startswith("sweep=")]
        home = home or Path(next(w for w in words if w.startswith("sweep=")).partition("=")[2])
        configs = {config.as_dict().__repr__(): config for config in commands.jobs("-m", *own)}
        already = len([*home.glob("*/result.json")])  # of a command before this one
        for k, config in enumerate(configs.values(), already):
            stack.run_stack([config], [home / f"{k}"], swept=["seed"])  # of a study: no pictures
        return home

    return train


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_an_experiment_in_miniature(folder, trained_here, monkeypatch, request):
    """The study as its file has it, in a few seconds; whether the claims hold is another matter."""
    if any(row.value("text") == "time_machine" for row in Record.read(folder / RESULTS).rows):
        monkeypatch.setenv("RNNLAB_DATA", str(request.getfixturevalue("time_machine_folder")))
    monkeypatch.setattr(reproducing, "study", lambda words, *_: load(trained_here(words)))
    monkeypatch.setattr(synthetic, "STRINGS", 8)
    shutil.copytree(folder, folder.name)
    before = {path.name: path.read_bytes() for path in Path(folder.name).iterdir()}
    verdicts = reproducing.reproduce(Path(folder.name), miniature=True)
    assert all(not verdict.why for verdict in verdicts if "std" not in str(verdict.claim))
    assert {path.name: path.read_bytes() for path in Path(folder.name).iterdir()} == before
    (home,) = Path("outputs/experiments").iterdir()
    figures = [f"{kind}.svg" for kind in Experiment.read(folder).figures]
    assert all((home / name).is_file() for name in ["README.md", RESULTS, *figures])


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_a_page_says_what_its_results_say(folder):
    experiment, record = Experiment.read(folder), Record.read(folder / RESULTS)
    beside = folder / OTHER_SEEDS
    others = Record.read(beside) if beside.exists() else None
    assert (folder / "README.md").read_text(encoding="utf-8") == page(experiment, record, others)
    assert record.commands == [*map(list, experiment.commands)]
    assert len(record.rows) == experiment.jobs
    for path, own in [(folder / RESULTS, record), *([(beside, others)] if others else [])]:
        verdicts = [claim.judged(own.rows) for claim in experiment.claims]
        assert [verdict.claim.name for verdict in verdicts if not verdict.holds] == []
        assert path.read_text(encoding="utf-8") == own.text(verdicts)
        if own is others:
            (seeds,) = {word for words in own.commands for word in words if word[:5] == "seed="}
            assert own.commands == with_words(experiment.commands, [seeds])
            assert not {r.value("seed") for r in own.rows} & {r.value("seed") for r in record.rows}
