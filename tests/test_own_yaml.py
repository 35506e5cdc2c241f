"""A user's own YAML files compose as in plain Hydra; what does not is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import answer, jobs, run
from rnnlab.config.schema import Config

GLOBAL = "# @package _global_\n"
HEADS = {  # whole files, and what is said of them: the line and what to write
    "lr: 0.5\n": "1: write # @package _global_ as the first line: without it lr is read as exp",
    "# mine\n# @package _global_\nlr: 0.5\n": "2: write # @package _global_ as the first line, and",
    "# @package global\nlr: 0.5\n": "1: write # @package _global_ as the first line: without",
    "# @package: _global_\nlr: 1\n": "1: write # @package _global_, and no more in this line.",
    "": "1: it is empty; write NAME: VALUE in each line, as in lr: 0.5.",
}
BODIES = {  # what follows the first line
    "": "1: it is empty;",
    "\nnum_hidens: 3\n": "3: num_hidens is not a name in the config: did you mean num_hiddens",
    "hidden_size: 3\n": "2: hidden_size is not a name in the config: here it is num_hiddens; "
    "write num_hiddens: 3.",
    "log:\n  evry: 3\n": "3: log.evry is not a name in the config: did you mean log.every",
    "modle:\n  dropout: 0\n": "2: modle is not a name in the config: did you mean model?",
    "optimizer:\n  beta1: 0.3\n": "3: optimizer.beta1 belongs to optimizer=adam or adamw",
    "hydra:\n  run:\n    dri: x\n": "4: hydra.run.dri is not a name of Hydra's",
    "seed: 1\nlr: abc\n": "3: lr: abc is not allowed: lr is a number.",
    "lr: [1, 2]\n": "2: lr: 1, 2 is not allowed: lr is a number.",
    "lr:\n": "2: lr: is not allowed: lr needs a value.",
    "num_epochs: {a: 3}\n": "2: num_epochs: {...} is not allowed: num_epochs is a whole number.",
    "model: gru\n": "2: model: gru is not allowed: a choice stands in the defaults list; write - "
    "override /model: gru there.",
    "checkpoint: 3\n": "2: checkpoint: 3 is not allowed: it holds several values;",
    "log: 3\n": "2: log: 3 is not allowed: it holds several values; write each in a line",
    "dataset:\n  prefixes: time\n": "3: dataset.prefixes: time is not allowed: it is a list; "
    "write prefixes: [a, b].",
    "seed: 1\nlr: -3\n": "3: lr=-3 is not allowed: lr is a finite number >= 0.",
    "log:\n\tevery: 3\n": "3: there is a tab in it; write spaces instead.",
    "lr: 1\nseed: 3\nlr: 2\n": "4: lr is in line 2 already; remove one of them.",
    "log:\n  every: 1\n  every: 2\n": "4: every is in line 3 already",
    "theta: ${lrr}\n": "2: ${lrr} is not allowed: Interpolation key 'lrr' not found",
    "theta: ${lr\n": "2: no viable alternative at input '${lr'; an own ${ is written \\${.",
    "- lr: 3\n": "2: it is a list; write NAME: VALUE in each line, as in lr: 0.5.",
    "lr = 3\n": "2: it is a text; write NAME: VALUE",
    "lr: 3: 4\n": "2: mapping values are not allowed in this context; write NAME: VALUE",
    "lr: 1\n---\nlr: 2\n": "3: expected a single document",
    "lr: !!python/object/apply:os.system ['true']\n": "2: could not determine a constructor",
    "lr: 3 \x01\n": "2: YAML has no such character; remove it.",
    "? [a]\n: 3\n": "2: a name is a text;",
    "defaults:\n  sampler: random\n": "3: the defaults are a list; write - override /GROUP: CHOICE",
}
ENTRIES = {  # of a defaults list
    "override /sampler: rnd": "3: sampler=rnd is not allowed: sampler is one of random, "
    "sequential; write for example override /sampler: random.",
    "override /sampler: 3": "3: sampler=3 is not allowed",
    "override /samplr: random": "3: samplr is in no defaults list: the groups are clip, dataset",
    "/sampler: random": "3: sampler is chosen already: write override /sampler: CHOICE.",
    "sampler: random": "3: write override /sampler: random.",
    "override sampler: random": "3: sampler is in no defaults list: write override /sampler: CH",
    "override /sampler: random\n    override /model: gru": "4: an entry has one group; "
    "write - override /GROUP: CHOICE in each line.",
    "override /sampler: random\n  - /model: gru": "3: override /sampler is written at the end",
}
MISTAKES = HEADS | {GLOBAL + body: said for body, said in BODIES.items()}
MISTAKES |= {f"{GLOBAL}defaults:\n  - {entry}\nlr: 1\n": said for entry, said in ENTRIES.items()}


@pytest.fixture
def write():
    """write("experiment/own", text): a file in the folder `mine`."""

    def write(name: str, text: str | bytes) -> None:
        path = Path("mine", f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    return write


def composed(*words: str) -> Config:
    (config,) = jobs("--config-dir", "mine", *words)
    return config


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_a_file_names_the_file_the_line_and_what_to_write(write, text):
    write("experiment/own", text)
    said = answer("--config-dir", "mine", "experiment=own")
    assert said.startswith(f"mine/experiment/own.yaml, line {MISTAKES[text]}")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_a_sentence(write, encoding):
    write("experiment/own", f"{GLOBAL}lr: 0.5\n# ä\n".encode(encoding))
    assert "it is not UTF-8; save it as UTF-8." in answer("--config-dir", "mine", "experiment=own")


@pytest.mark.parametrize("text", ["\ufeff# @package _global_\nlr: 0.5\n", GLOBAL + "lr: '0.5'\r\n"])
def test_marks_and_line_ends_of_other_systems_are_no_mistake(write, text):
    write("experiment/own", text)
    assert composed("experiment=own").lr == 0.5


def test_a_mistake_that_was_typed_is_not_looked_for_in_files(write):
    write("experiment/own", GLOBAL + "lr: -3\nhidden_size: 3\n")
    assert answer("--config-dir", "mine", "num_hidens=3").startswith("num_hidens is not a name")
    write("experiment/other", GLOBAL + "lr: -3\n")
    assert composed("experiment=other", "lr=3").lr == 3
    said = answer("--config-dir", "mine", "experiment=other", "lr=-4")
    assert said == "lr=-4 is not allowed: lr is a finite number >= 0."


def test_choices_of_ones_own_are_known_in_hints(write):
    write("experiment/own", GLOBAL + "lr: 1\n")
    write(
        "model/mine",
        "defaults: [/schema/model/gru@_here_]\nreset: after\ndropout: 0\ninit_std: 1\n",
    )
    write("other/a", GLOBAL + "lr: 0.75\n")
    assert "optimizers, samplers, own; type" in answer("--config-dir", "mine", "experiment=owm")
    assert composed("model=mine").model.init_std == 1
    assert answer("--config-dir", "mine", "other=a").endswith("type +other=a.")
    assert composed("+other=a").lr == 0.75
    assert "own" not in answer("experiment=owm")


def test_a_choice_that_does_not_say_of_what_it_is_a_variant(write):
    write("model/mine", "reset: after\n")
    said = answer("--config-dir", "mine", "model=mine")
    assert said.startswith(
        "mine/model/mine.yaml, line 1: write defaults: [/schema/model/gru@_here_]"
    )


def test_texts_keep_what_was_written(write):
    """YAML's numbers, truths and nulls are none where a text is wanted."""
    Path("2024_01").write_text("no yes null 0x10 1e3 0.50" * 200)
    text = "defaults:\n  - override /dataset: text\ndataset:\n  path: 2024_01\n"
    write("experiment/own", GLOBAL + text + "  prefixes: [no, 0x10, 0.50, null, 1e3]\nlr: 1_0\n")
    config = composed("experiment=own").as_dict()
    assert config["dataset"]["path"] == "2024_01"
    assert config["dataset"]["prefixes"] == ["no", "0x10", "0.50", "null", "1e3"]
    assert config["lr"] == 10
    write("experiment/2024_01", GLOBAL + "defaults:\n  - override /experiment: own\n")
    write("experiment/nothing", GLOBAL + text.replace("2024_01", "null"))
    said = answer("--config-dir", "mine", "experiment=nothing")
    assert said.endswith("line 5: dataset.path: null is not allowed: dataset.path needs a value.")


def test_what_a_file_may_ask_for_is_there(write, monkeypatch):
    monkeypatch.setenv("RNNLAB_TEST_LR", "0.25")
    Path("t.txt").write_text("time traveller " * 200)
    dataset = (
        "defaults:\n  - override /dataset: text\ndataset:\n  path: ${hydra:runtime.cwd}/t.txt\n"
    )
    write("experiment/own", GLOBAL + dataset + "lr: ${oc.env:RNNLAB_TEST_LR}\ntheta: ${lr}\n")
    config = composed("experiment=own")
    assert (config.lr, config.theta) == (0.25, 0.25)
    assert config.as_dict()["dataset"]["path"] == str(Path("t.txt").absolute())
    write("experiment/numbered", GLOBAL + "seed: ${hydra:job.num}\n")
    study = jobs("-m", "--config-dir", "mine", "experiment=numbered", "lr=1,2,3")
    assert [job.seed for job in study] == [0, 1, 2]


def test_a_whole_config_of_ones_own(write):
    """--config-name in --config-dir; --config-path has all there is."""
    write("own", "defaults:\n  - config\n  - _self_\nlr: 0.0625\nhydra:\n  searchpath: []\n")
    assert composed("--config-name", "own").lr == 0.0625
    assert composed("--config-name", "own", "lr=2").lr == 2
    assert answer("--config-path", "mine").endswith(
        f"there is no config.yaml in {Path('mine').absolute()}; the configs there are own."
    )
    write("bad", "defaults:\n  - config\n  - _self_\nlr: abc\n")
    said = answer("--config-dir", "mine", "--config-name=bad")
    assert said == "mine/bad.yaml, line 4: lr: abc is not allowed: lr is a number."


def test_a_run_and_a_study_of_ones_own_files_train_what_was_checked(write):
    """Composed once for the check and once by Hydra: both see the same files and values."""
    tiny = [
        "num_hiddens=4",
        "batch_size=2",
        "num_steps=5",
        "num_epochs=1",
        "dataset.max_tokens=200",
    ]
    write("own", "defaults:\n  - config\n  - _self_\nlr: 0.0625\n")
    run_dir = "hydra.run.dir=out/${now:%Y}"
    words = ["--config-dir", "mine", "--config-name", "own", *tiny, run_dir]
    status, _, err = run(*words)
    assert (status, err) == (0, "")
    (result,) = Path("out").glob("2*/result.json")
    assert json.loads(result.read_text())["config"]["lr"] == 0.0625
    write("experiment/numbered", GLOBAL + "seed: ${hydra:job.num}\n")
    status, _, err = run(
        *tiny, "lr=1,2", "-m", "experiment=numbered", "sweep=S", "--config-dir=mine"
    )
    assert (status, err) == (0, "")
    results = [json.loads(path.read_text()) for path in sorted(Path("S").glob("*/result.json"))]
    assert [(r["config"]["lr"], r["seed"]) for r in results] == [(1, 0), (2, 1)]
