"""What a run's folder, result and trackers promise, piece by piece."""

from __future__ import annotations

import errno
import io
import json
import logging
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import hydra
import pytest
import torch

from rnnlab._common.errors import ConfigError
from rnnlab._common.files import locked
from rnnlab._common.typed import read_as
from rnnlab.config.compose import composing
from rnnlab.config.folder_names import job_folder, run_folder
from rnnlab.config.identity import config_id
from rnnlab.config.stored import from_dict
from rnnlab.runs import resume as resuming
from rnnlab.runs import stack as experiment
from rnnlab.runs.build import build_lane, build_model, build_recipe
from rnnlab.runs.differences import differences
from rnnlab.runs.ending import NO_MEMORY, ending, is_out_of_memory
from rnnlab.runs.figures import perplexity_figure
from rnnlab.runs.folder import RESULT, cut_back, held, overrides_of, remove_leftovers
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.record import Record
from rnnlab.runs.result import Result, Status
from rnnlab.runs.row import group_of, hparams_of
from rnnlab.runs.trackers import Tracked, Tracker, tracker
from rnnlab.training.lane import OneLane
from rnnlab.training.loop import Training

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=6", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=600", "dataset.val_fraction=0.1", "checkpoint.seconds=0"]


def train(config, name: str) -> Path:
    folder = Path(name)
    folder.mkdir(parents=True)
    experiment.run(config, folder)
    return folder


# --- its messages ----------------------------------------------------------------------------


def test_runs_in_folders_of_the_same_name_have_a_run_log_each(compose, monkeypatch):
    """A shared logger would put B's messages into A's, and leave B without any."""
    monkeypatch.setattr(logging.getLogger("rnnlab"), "propagate", False)  # to pytest's handlers
    for study, lr in (("A", 1), ("B", 2)):
        train(compose(*SMALL, f"lr={lr}"), f"{study}/0_lr=1")
    texts = [Path(study, "0_lr=1", "run.log").read_text() for study in "AB"]
    assert ["lr 1," in text for text in texts] == [True, False]
    assert ["lr 2," in text for text in texts] == [False, True]
    assert [text.count("completed: perplexity") for text in texts] == [1, 1]


def test_a_run_log_that_cannot_be_written_is_no_reason(compose, monkeypatch, capsys):
    """Nor a traceback for each of its messages."""

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(logging.getLogger("rnnlab"), "propagate", False)  # to pytest's handlers
    monkeypatch.setattr(io, "TextIOWrapper", lambda *_, **__: Full())
    train(compose(*SMALL), "run")
    assert Result.read(Path("run")).status == Status.completed
    assert capsys.readouterr().err == ""


# --- its trackers ----------------------------------------------------------------------------


class Lines(Tracker):
    """A tracker with a log of its own, as somebody may add it: one definition."""

    logs = ("lines.txt",)

    def __init__(self, folder: Path) -> None:
        self.file = (folder / "lines.txt").open("a")

    @classmethod
    def of(cls, run: Tracked) -> Lines:
        return cls(run.folder)

    def epoch(self, figures, val_perplexity) -> None:  # noqa: ARG002
        self.file.write(f"{figures.epoch} {figures['perplexity']}\n")

    def sample(self, epoch, prefix, text, last) -> None: ...

    def figure(self, figure) -> None: ...

    def close(self, result) -> None:  # noqa: ARG002
        self.file.close()

    def lengths(self) -> dict[str, int]:
        self.file.flush()
        return {"lines.txt": self.file.tell()}


def test_a_trackers_own_log_is_cut_back_and_goes_on(compose, stop_after, monkeypatch):
    """Were only the logs that rnnlab itself has known by name, no run could be resumed."""
    monkeypatch.setattr(tracker, "TRACKERS", [*tracker.TRACKERS, Lines])
    config = compose(*SMALL)
    whole = train(config, "whole")
    stop_after(30)
    folder = train(config, "run")
    with (folder / "lines.txt").open("a") as file:
        file.write("from after the checkpoint\n")
    stop_after(float("inf"))
    assert resuming.resume(folder, {}).status == Status.completed
    assert (folder / "lines.txt").read_text() == (whole / "lines.txt").read_text()
    assert list(differences(whole, folder)) == []


def test_a_tracker_that_is_added_later_does_not_hold_a_run_up(compose, stop_after, monkeypatch):
    stop_after(30)
    folder = train(compose(*SMALL), "run")
    monkeypatch.setattr(tracker, "TRACKERS", [*tracker.TRACKERS, Lines])
    stop_after(float("inf"))
    assert resuming.resume(folder, {}).status == Status.completed
    assert [line.split()[0] for line in (folder / "lines.txt").open()] == ["3", "4", "5", "6"]


# --- its folder ------------------------------------------------------------------------------


def test_a_single_runs_folder_says_what_was_typed():
    """TensorBoard shows it; the second look at the config has to find the same folder."""
    typed = ["sampler=random", "lr=1", "note='for, the talk'", "tags=[a]"]
    with composing():
        whole = hydra.compose("config", typed, return_hydra_config=True)
        first, again = (whole.hydra.run.dir for _ in range(2))
        other = hydra.compose("config", typed, return_hydra_config=True).hydra.run.dir
        plain = hydra.compose("config", [], return_hydra_config=True).hydra.run.dir
    moment, number = r"outputs/runs/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_", "[0-9a-f]{6}"
    assert re.fullmatch(f"{moment}sampler=random,lr=1_{number}", first)
    assert re.fullmatch(f"{moment}{number}", plain)
    assert first == again != other


@pytest.mark.parametrize("text", ["世", "é", "e\u0301", "x", "😀", "\udcff", "/", " "])
def test_folder_names_are_cut_by_bytes_and_between_characters(text):
    """A name of 120 Chinese characters has 360 bytes, which no file system takes."""
    for name in (job_folder(12, [f"note_={text * 300}"]), run_folder([f"x={text * 300}"])):
        assert 100 < len(name.encode()) < 143
        assert set(name) <= {*"0123456789abcdefnote_=x,-世é"}
        Path(name).mkdir()


@pytest.mark.parametrize("name", ["other.txt", "../other.txt", "a.log.txt", "/etc/hostname", ""])
def test_a_checkpoint_can_have_no_file_cut_that_is_no_log(name):
    Path("run").mkdir()
    for path in (Path("other.txt"), Path("run/other.txt"), Path("run/a.log.txt")):
        path.write_text("not a log")
    with pytest.raises(ConfigError, match="the log was changed or removed"):
        cut_back(Path("run"), {name: 0}, ["*.log"])
    assert {path.read_text() for path in Path().rglob("*.txt")} == {"not a log"}


def test_logs_are_cut_to_their_lengths_and_later_ones_removed():
    for name in ("a.log", "b.log", "c.txt"):
        Path(name).write_text("0123456789")
    cut_back(Path(), {"a.log": 4}, ["*.log"])
    assert {path.name: path.stat().st_size for path in Path().iterdir()} == {
        "a.log": 4,
        "c.txt": 10,
    }


def test_only_what_a_killed_write_of_ours_left_is_removed():
    """A user's hidden files may look alike: hydra.run.dir=. is allowed."""
    theirs = [".env.template", ".notes.20241231", ".app.settings", ".result.json.ABCDEFGH"]
    ours = [".result.json.0123abcd", "checkpoints/.last.safetensors.deadbeef"]
    Path("checkpoints").mkdir()
    for name in (*theirs, *ours):
        Path(name).write_text("")
    remove_leftovers(Path())
    assert {path.name for path in Path().rglob(".*")} == set(theirs)


def test_a_folder_in_which_nobody_has_said_yet_who_trains_is_in_use():
    Path("run").mkdir()
    sentence = "run is in use: another process trains there; wait for it, or end it"
    with locked(Path("run")), pytest.raises(ConfigError, match=sentence), held([Path("run")]):
        pass


@pytest.mark.parametrize("text", [None, "{", "- !!python/object:os.system x", "lr: 1", "3", "\xff"])
def test_overrides_that_cannot_be_read_are_none(text):
    Path("run/.hydra").mkdir(parents=True)
    if text is not None:
        Path("run/.hydra/overrides.yaml").write_text(text, encoding="latin-1")
    assert overrides_of(Path("run")) is None


# --- its result ------------------------------------------------------------------------------


def test_a_result_without_a_newer_optional_field_is_read(compose):
    folder = train(compose(*SMALL, "num_epochs=1"), "run")
    values = json.loads((folder / RESULT).read_text())
    for name in ("stack", "swept", "resumed", "tokens_per_second"):
        del values[name]
    (folder / RESULT).write_text(json.dumps(values))
    result = Result.read(folder)
    assert (result.status, result.swept, result.tokens_per_second) == (Status.completed, [], None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"extra": 1}, "unexpected keyword argument 'extra'"),
        ({"status": "paused"}, "its status is not of the type Status"),
        ({"epochs": "1"}, "its epochs is not of the type int"),
        ({"epochs": True}, "its epochs is not of the type int"),
        ({"perplexity": 10**400}, "its number 1000000"),
        ({"epochs": -3}, "its epochs is -3, and not >= 0"),
        ({"samples": {"the": 1}}, "its samples.the is not of the type str"),
        ({"stack": [None]}, "its stack is not of the type str"),
        ({"schema_version": 3}, "its schema_version is 3"),
    ],
)
def test_a_result_with_anything_else_in_it_is_refused(compose, change, said):
    folder = train(compose(*SMALL, "num_epochs=1"), "run")
    values = json.loads((folder / RESULT).read_text())
    (folder / RESULT).write_text(json.dumps(values | change))
    with pytest.raises(ConfigError, match=f"is not a result of rnnlab, or is damaged: .*{said}"):
        Result.read(folder)


@dataclass
class Inner:
    numbers: tuple[int, ...]


@dataclass
class Outer:
    inner: Inner | None
    share: float = 0.5
    named: dict[str, list[float]] = field(default_factory=dict)


def test_values_take_the_types_of_their_annotations():
    read = read_as(Outer, {"inner": {"numbers": [1, 2]}, "named": {"a": [1, 2.5]}})
    assert read == Outer(Inner((1, 2)), 0.5, {"a": [1.0, 2.5]})
    assert read_as(Outer, {"inner": None}) == Outer(None)
    for values, said in (
        ({"inner": {"numbers": [1, "2"]}}, "its inner.numbers is not of the type int"),
        ({"inner": [1]}, "its inner is not made of names and values"),
        ({"share": 1}, "missing 1 required positional argument: 'inner'"),
        ([], "its content is not made of names and values"),
    ):
        with pytest.raises(TypeError, match=said):
            read_as(Outer, values)


def test_torchs_optimizers_are_named(compose):
    settings = ["optimizer=torch", "optimizer.algorithm=NAdam", "lr=0.003"]
    config = compose(*SMALL, *settings)
    record = Record.begun(config, check(config, Corpora()), Path("run"), torch.device("cpu"))
    assert "sampling, torch.optim.NAdam lr 0.003, clipping" in record.description
    hparams = hparams_of(config, [])
    assert (hparams["optimizer"], hparams["optimizer.algorithm"]) == ("torch", "NAdam")
    assert "torch.optim.NAdam" in group_of(config, [], "")


def test_tags_and_a_note_are_no_part_of_an_experiment(compose, stop_after):
    """Older folders have none; they may change when a run goes on."""
    bare, remarked = compose(*SMALL), compose(*SMALL, "tags=[a,b]", "note='it is, mine'")
    assert config_id(bare, "") == config_id(remarked, "")
    assert (remarked.tags, remarked.note) == (("a", "b"), "it is, mine")
    stored = bare.as_dict()
    del stored["tags"], stored["note"], stored["log"]["every_minibatches"]
    assert from_dict(stored) == bare
    stop_after(5)
    folder = train(remarked, "run")
    stop_after(float("inf"))
    result = resuming.resume(folder, {"tags": ["c"], "note": ""})
    assert (result.config["tags"], result.config["note"]) == (["c"], "")


def test_a_run_that_went_on_says_when_and_by_which_command(compose, stop_after, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/python3", "run.py", "note=it is"])
    stop_after(5)
    folder = train(compose(*SMALL), "run")
    before = Result.read(folder)
    assert before.command == "python3 run.py 'note=it is'"
    monkeypatch.setattr(sys, "orig_argv", ["python3", "/venv/bin/rnnlab", "resume", "run"])
    stop_after(float("inf"))
    after = resuming.resume(folder, {})
    assert (after.began, after.command) == (before.began, before.command)
    assert after.resumed[0]["command"] == "rnnlab resume run"
    moments = [before.began, before.ended, after.resumed[0]["began"], after.ended]
    assert moments == sorted(map(str, moments))


def test_a_lane_tells_its_own_speed_and_its_stacks(compose):
    """Its own is a third of it, or less where another has more epochs."""
    configs = [compose(*SMALL, f"num_epochs={n}", f"seed={n}") for n in (2, 2, 4)]
    results = experiment.run_stack(configs, [Path(f"{k}") for k in range(3)])
    shares = []
    for result in results:
        assert result.stack_tokens_per_second
        assert result.tokens_per_second
        shares.append(result.stack_tokens_per_second / result.tokens_per_second)
    assert shares[:2] == pytest.approx([3, 3], rel=0.2)
    assert 1.2 < shares[2] < 2.8
    alone = experiment.run(configs[0], Path("alone"))
    assert alone.stack_tokens_per_second == pytest.approx(alone.tokens_per_second)


def test_a_curve_of_one_epoch_is_a_dot():
    """A line from a point to itself is not drawn."""
    figure = perplexity_figure([(1, 20.0)], [(1, 22.0)])
    assert [line.get_marker() for line in figure.axes[0].lines] == ["o", "o"]
    figure = perplexity_figure([(1, 20.0), (2, 19.0)], [])
    assert [line.get_marker() for line in figure.axes[0].lines] == ["None"]


# --- how it ends -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda: torch.empty(10**12, 100),
        lambda: torch.empty(2**61, 2),
        lambda: torch.empty(1, 10**22),
        lambda: bytearray(2**62),
    ],
)
def test_memory_that_cannot_be_had_is_told_from_other_errors(ask):
    with pytest.raises((MemoryError, RuntimeError, TypeError)) as told:
        ask()
    assert is_out_of_memory(told.value)


@pytest.mark.parametrize(
    "error",
    [
        OverflowError("int too large to convert to float"),
        RuntimeError("value cannot be converted to type float without overflow"),
        ValueError("DefaultCPUAllocator: can't allocate memory"),
        OSError("can't allocate"),
        KeyError("Overflow"),
    ],
)
def test_other_errors_are_not_taken_for_a_lack_of_memory(error):
    assert not is_out_of_memory(error)


def test_a_lack_of_memory_is_one_sentence_in_the_result(compose, monkeypatch):
    def asking(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Training, "run_epoch", asking)
    with pytest.raises(OSError, match="does not fit in memory"):
        train(compose(*SMALL), "run")
    assert (Result.read(Path("run")).status, Result.read(Path("run")).error) == (
        Status.failed,
        NO_MEMORY,
    )


def test_what_has_ended_is_not_told_again(compose):
    """An error after one run of two has completed is the other's."""
    config, folders = compose(*SMALL), [Path("a"), Path("b")]
    records = []
    for folder in folders:
        folder.mkdir()
        records.append(Record.begun(config, check(config, Corpora()), folder, torch.device("cpu")))
    with pytest.raises(RuntimeError, match="a bug"), ending(records):
        records[0].result.status = Status.completed
        raise RuntimeError("a bug")
    found = [Result.read(folder) for folder in folders]
    assert [(result.status, result.error) for result in found] == [
        (Status.completed, None), (Status.failed, "RuntimeError: a bug"),
    ]  # fmt: skip


def test_a_lane_is_a_view_and_goes_on_from_its_snapshot(compose):
    """Lane 1 of two, put into another training's lane 1, ends with the same bits."""
    configs = [compose(*SMALL, "optimizer=adam", f"seed={seed}") for seed in (0, 3)]
    corpus = check(configs[0], Corpora())
    model = build_model(configs[0], len(corpus.vocabulary))
    recipe = build_recipe(configs[0], model, torch.device("cpu"))
    one, other = (Training(recipe, [build_lane(c, corpus) for c in configs]) for _ in range(2))
    one.run_epoch()
    first, lane, again = OneLane(one, 0), OneLane(one, 1), OneLane(other, 1)
    again.restore(lane.parameters, lane.snapshot(), epoch=1, minibatch=0, seconds=0.0)
    first.idle()
    before = first.parameters.flat.clone()
    one.run_epoch()
    other.run_epoch()
    assert torch.equal(lane.parameters.flat, again.parameters.flat)
    assert torch.equal(first.parameters.flat, before)
    assert (lane.epoch, lane.minibatch, lane.diverged) == (2, 0, None)
