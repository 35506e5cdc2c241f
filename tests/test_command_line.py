"""The real command line, from a person's keys to the files on the disk."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from commands import finish, run, start
from conftest import ROOT
from rnnlab.cli.commands import app

TINY = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=4", "dataset.max_tokens=400"]
RESULT_FIELDS = """
    schema_version status process job owner heartbeat error stopped warnings perplexity
    best_perplexity val_perplexity excess_nats lengths epochs tokens tokens_per_second
    stack_tokens_per_second wall_seconds began ended
    command device engine precision seed samples dataset config config_id versions git host stack
    init_from swept resumed formerly
""".split()


def only_run() -> Path:
    (folder,) = Path("outputs/runs").iterdir()
    return folder


def read(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_a_run_from_the_first_key_to_the_last_file():
    typed = [*TINY, "dataset.val_fraction=0.2", "log.val_every=2", "log.sample_every=2"]
    typed += ["size=tiny", "note=it is mine", "tags=[a, b]"]
    status, out, err = run(*typed)
    assert (status, err) == (0, "")
    folder = only_run()
    result = read(folder)
    assert list(result) == RESULT_FIELDS
    assert (result["status"], result["error"], result["epochs"]) == ("completed", None, 4)
    assert 1 < result["val_perplexity"] < 40
    assert result["best_perplexity"] == result["val_perplexity"]
    assert result["dataset"]["num_tokens"] == 320
    assert result["dataset"]["entropy_floor_perplexity"] is None  # nobody knows it of a story
    assert (result["excess_nats"], result["lengths"]) == (None, {})
    began, ended = (datetime.fromisoformat(result[name]) for name in ("began", "ended"))
    assert began.tzinfo is not None
    assert 0 <= (ended - began).total_seconds() <= result["wall_seconds"] + 1
    assert result["command"].endswith("run.py " + shlex.join(typed))
    assert (result["config"]["note"], result["config"]["tags"]) == ("it is mine", ["a", "b"])
    assert result["config"]["num_hiddens"] == 8  # the command line wins over size=tiny
    assert set(result["samples"]) == {"time traveller", "traveller"}
    assert all(len(text) == len(key) + 50 for key, text in result["samples"].items())

    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["perplexity"] == result["perplexity"]
    assert [line["val_perplexity"] is None for line in lines] == [True, False, True, False]
    assert sum(line["tokens"] for line in lines) == result["tokens"]

    closing = out.splitlines()
    speed = f"perplexity {result['perplexity']:.1f}, {result['tokens_per_second']:.1f} tokens/sec"
    assert f"{speed} on cpu" in closing
    assert result["samples"]["traveller"] in out
    assert out.endswith(f"\n\n{folder}\ntensorboard --logdir outputs/runs\n")

    for name in (".hydra/config.yaml", "run.log", "samples.txt", "perplexity.svg"):
        assert (folder / name).stat().st_size > 0
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {
        "last.safetensors",
        "best.safetensors",
    }
    assert "epoch 4: perplexity" in (folder / "run.log").read_text()
    assert not list(folder.rglob(".*.safetensors.*"))

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    assert sorted(events.Tags()["scalars"]) == sorted(
        "perplexity/train perplexity/val speed/tokens_per_second training/loss "
        "training/bits_per_token training/gradient_norm training/clipped_fraction".split()
    )
    curve = events.Scalars("perplexity/train")
    assert [point.step for point in curve] == [1, 2, 3, 4]
    assert [point.value for point in curve] == pytest.approx(
        [line["perplexity"] for line in lines], rel=1e-6
    )
    assert events.Tags()["images"] == ["training_curve/perplexity"]
    assert {"samples/traveller", "note", "tags"} <= {*events.Tags()["tensors"]}
    assert len(list(folder.rglob("events.out.tfevents.*"))) == 1  # no extra sub-run for hparams

    status, out, _ = run(
        "generate", str(folder), "--prefix", "traveller", "--length", "50", module=True
    )
    assert (status, out.rstrip("\n")) == (0, result["samples"]["traveller"])

    def generate(*options: str) -> str:
        return (
            CliRunner().invoke(app, ["generate", str(folder), "--prefix", "the", *options]).output
        )

    warm = ("--temperature", "5", "--length", "40")
    assert generate(*warm, "--seed", "1") == generate(*warm, "--seed", "1")
    assert generate(*warm, "--seed", "1") != generate(*warm, "--seed", "2")
    assert generate(*warm, "--top-k", "1") == generate("--length", "40")
    assert generate(*warm, "--top-p", "1e-9") == generate("--length", "40")
    assert generate(*warm, "--top-p", "0.5", "--top-k", "3") != generate(*warm, "--top-k", "3")
    assert generate("--prefix", "The!") == generate()  # cleaned as the story was
    for given, said in (
        (("--top-p", "0.5"), "--top-p 0.5 without --temperature is not allowed"),
        (("--top-p", "0", "--temperature", "1"), "--top-p 0.0 is not allowed: it is above 0"),
        (("--prefix", "1895"), "it needs at least one token after dataset.clean=letters"),
    ):
        status, out, err = run("generate", str(folder), "--prefix", "the", *given, module=True)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert said in err


@pytest.mark.slow
def test_runs_of_the_same_second_have_folders_of_their_own():
    processes = [start(*TINY, "num_epochs=1", f"seed={seed}") for seed in range(3)]
    assert [finish(process)[0] for process in processes] == [0, 0, 0]
    folders = list(Path("outputs/runs").iterdir())
    assert len(folders) == 3
    assert {read(folder)["seed"] for folder in folders} == {0, 1, 2}


def test_the_same_command_gives_the_same_figures():
    for _ in range(2):
        assert run(*TINY, "model=gru", "sampler=random", "device=cpu")[0] == 0
    first, second = (read(folder) for folder in Path("outputs/runs").iterdir())
    assert first["perplexity"] == second["perplexity"]
    assert first["samples"] == second["samples"]
    assert first["config_id"] == second["config_id"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_its_checkpoint(number):
    process = start(*TINY, "num_epochs=100000", "log.sample_every=0")
    deadline = time.monotonic() + 60
    while (
        not list(Path("outputs/runs").glob("*/metrics.jsonl"))
        or not (only_run() / "metrics.jsonl").stat().st_size
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    status, out, err = finish(process)
    assert status == 130
    assert "interrupted after" in out
    assert "Traceback" not in err
    folder = only_run()
    assert out.endswith(f"\n\n{folder}\ntensorboard --logdir outputs/runs\n"
                        f"go on with: rnnlab resume {folder}\n")  # fmt: skip
    result = read(folder)
    assert result["status"] == "interrupted"
    assert result["epochs"] >= 1
    assert (folder / "checkpoints" / "last.safetensors").is_file()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == result["epochs"]


def test_a_run_that_diverges_says_where_and_fails():
    status, out, _ = run(*TINY, "model.activation=relu", "clip=none", "lr=1e30")
    assert status == 1
    result = read(only_run())
    assert result["status"] == "diverged"
    last = "try smaller steps: the same command with lr=1e+29, or with clip=norm\n"
    assert out.endswith(last)
    for part in ("epoch 1, minibatch ", "lr=1e+30", "theta=1", "clip=none"):
        assert part in result["error"]
        assert part in out


def test_a_loss_beyond_all_perplexities_is_divergence_and_not_success():
    """Finite, but exp(loss) is not: 'completed, perplexity null' would be a lie."""
    status, out, _ = run(*TINY, "clip=none", "lr=1e6")
    assert status == 1
    assert read(only_run())["status"] == "diverged"
    assert "perplexity were not finite" in out


def test_a_reader_that_goes_away_does_not_end_the_training():
    process = start(*TINY, "num_epochs=30")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert read(only_run())["status"] == "completed"


def test_a_folder_that_holds_a_run_is_not_written_over():
    assert run(*TINY, "hydra.run.dir=mine")[0] == 0
    before = Path("mine/metrics.jsonl").read_text()
    status, _, err = run(*TINY, "hydra.run.dir=mine")
    assert status == 2
    assert "it holds a run already; choose another folder with hydra.run.dir=FOLDER" in err
    assert Path("mine/metrics.jsonl").read_text() == before


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="sees torch come, on Linux")
def test_ctrl_c_before_training_leaves_nothing():
    process = start(*TINY, anew=True)
    while process.poll() is None and "torch" not in Path(f"/proc/{process.pid}/maps").read_text():
        time.sleep(0.01)  # until torch is being imported
    process.send_signal(signal.SIGINT)
    status, _, err = finish(process)
    assert status == 130
    assert "Traceback" not in err
    assert not Path("outputs").exists() or read(only_run())["status"] == "interrupted"


def test_a_model_that_does_not_fit_in_memory_says_so():
    status, _, err = run(*TINY, "num_hiddens=99999999999")
    assert status == 2
    assert "and this machine has" in err
    assert "take a smaller num_hiddens" in err
    assert "Traceback" not in err
    assert not Path("outputs").exists()


def test_a_multirun_trains_every_job_in_a_folder_of_its_own():
    status, _, err = run("-m", *TINY, "num_epochs=1", "lr=0.5,1", "dataset.prefixes=[the]")
    assert (status, err) == (0, "")
    (sweep,) = Path("outputs/sweeps").iterdir()
    folders = sorted(path for path in sweep.iterdir() if path.is_dir())
    assert [read(folder)["config"]["lr"] for folder in folders] == [0.5, 1.0]
    assert [folder.name[:2] for folder in folders] == ["0_", "1_"]
    assert all("lr=" in folder.name for folder in folders)


def test_a_plan_leaves_nothing_and_its_reader_may_leave():
    """Neither a folder, nor multirun.yaml, nor a word of a pipe that was closed."""
    process = start("-m", *TINY, "seed=range(0,30)", "plan=true", "sweep=S")
    assert process.stdout is not None
    assert process.stdout.readline() == "job 0   seed=0\n"
    process.stdout.close()
    assert process.stderr is not None
    assert (process.wait(timeout=60), process.stderr.read()) == (0, "")
    status, out, _ = run("lr=1,3", "-m", *TINY, "plan=true", "hydra.launcher.workers=1")
    assert (status, Path("outputs").exists(), Path("S").exists()) == (0, False, False)
    assert "1 stack on 1 worker: about" in out


MISTAKES = {
    "lrr=1": "lrr is not a name in the config: did you mean lr?",
    "num_hidens=3": "did you mean num_hiddens",
    "sample_every=3": "here it is log.sample_every; type log.sample_every=3.",
    "momentum=0.9": "type optimizer=momentum optimizer.momentum=0.9.",
    "lr=abc": "lr=abc is not allowed: lr is a number.",
    "num_steps=3.5": "num_steps=3.5 is not allowed: num_steps is a whole number.",
    "repeat_first_epoch=maybe": "repeat_first_epoch is true or false",
    "lr=-1": "lr is a finite number >= 0",
    "theta=0": "clip=none trains without clipping",
    "sampler=rand": "sampler is one of random, sequential; type for example sampler=random.",
    "dataset=time_machin": "type for example dataset=time_machine.",
    "engine=fast": "engine is one of auto, fused, compiled, eager, torch_nn",
    "optimizer.beta1=0.5": "optimizer.beta1 belongs to optimizer=adam or adamw",
    "model.reset=after": "model.reset belongs to model=gru",
    "+foo=1": "foo is not a name in the config, and + cannot add it",
    "dataset.prefixes=the": "type for example 'dataset.prefixes=[a,b]'.",
    "dataset.prefixes=[[a]]": "it is a list of texts",
    "log=none": "log holds several values",
    "num_epochs=null": "num_epochs needs a value",
    "log.every=0": "log.every=0 is not allowed: log.every is a whole number >= 1",
    "lr 1": "lr 1 cannot be read: an override is NAME=VALUE; type for example lr=1.",
    "~lr": "~lr is not allowed: every job needs a value of it; type lr=VALUE.",
    "sampler=null": "sampler=null is not allowed: every job needs one",
    "lr=0.1,1": "lr=0.1,1 has several values: add -m to train a job for each.",
    "--lr=3": "--lr=3 is not allowed: a value has no dashes; type lr=3.",
    "hydra/launcher=foo": "type for example hydra/launcher=basic",
    "+experiment=chapter_random": "experiment is chosen already: leave out the +.",
    "model.dropout=0.5": "dropout acts between layers; add num_layers=2",
    "dataset.min_freq=100000": "every token of the text is rarer",
    "batch_size=9999": "the corpus has 10000",
    "dataset=text": "dataset.path is missing: this choice needs it; add dataset.path=VALUE.",
    "dataset.prefixes=[7]": "the prefix '7' is not allowed: it needs at least one token after",
}
CHECK = """
import sys
sys.argv = ["run.py", *sys.argv[1:]]
from rnnlab.cli.train import main
try:
    main()
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""


def without_torch(*arguments: str) -> tuple[int, str, str]:
    """Runs the entry point and asserts that it never imported torch."""
    command = [sys.executable, "-c", CHECK, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    *lines, imported = done.stderr.splitlines()
    assert imported == "False"
    return done.returncode, done.stdout, "\n".join(lines)


@pytest.mark.parametrize("override", MISTAKES)
def test_a_mistake_is_one_sentence_and_no_folder(override):
    """Exit status 2, nothing on stdout, no traceback, no output folder, no torch."""
    status, out, err = without_torch(override)
    assert (status, out) == (2, "")
    assert MISTAKES[override] in err
    assert len(err.splitlines()) == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["lr=1,2", "thta=1,2"], "did you mean theta"),
        (["lr=1,2", "theta=1,-1"], "theta=-1 is not allowed"),
        (["lr=1,abc"], "lr is a number"),
        (["sampler=random,rand"], "sampler is one of random, sequential"),
        (["lr=1,-1", "theta=1,-1"], "job 1 (lr=1 theta=-1): theta=-1 is not allowed"),
        (
            ["lr=1,-1", "theta=1,-1"],
            "job 2 (lr=-1 theta=1), 3 (lr=-1 theta=-1): lr=-1 is",
        ),
    ],
)
def test_every_job_of_a_study_is_checked_before_the_first(overrides, sentence):
    status, _, err = without_torch("-m", *overrides)
    assert status == 2
    assert sentence in err
    assert not Path("outputs").exists()


def test_a_folder_of_ones_own_configs_is_searched_too():
    folder = Path("mine/experiment")
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text("# @package _global_\nlr: -3\n")
    status, _, err = without_torch("--config-dir", "mine", "experiment=own")
    assert status == 2
    assert "lr=-3 is not allowed" in err


def test_a_mistake_in_a_file_is_explained_as_one_on_the_command_line():
    Path("mine/experiment").mkdir(parents=True)
    Path("mine/experiment/own.yaml").write_text("# @package _global_\nlr: abc\n")
    status, _, err = without_torch("--config-dir", "mine", "experiment=own")
    said = "mine/experiment/own.yaml, line 2: lr: abc is not allowed: lr is a number."
    assert (status, err) == (2, said)


def test_a_gpu_that_is_not_there_is_an_error():
    status, out, err = run("device=cuda:99")
    assert (status, out) == (2, "")
    assert "device=cuda:99 is not allowed: this machine has" in err
    assert not Path("outputs").exists()


def test_a_torch_optimizer_that_cannot_train_here_is_an_error():
    status, _, err = run("optimizer=torch", "optimizer.algorithm=LBFGS")
    assert status == 2
    assert "closure" in err
    assert "Traceback" not in err


def test_an_output_folder_that_cannot_be_written_is_named():
    Path("outputs").write_text("a file in the way")
    status, _, err = run(*TINY)
    assert status == 2
    assert "outputs" in err
    assert "Traceback" not in err


def test_the_config_and_the_help_come_without_torch():
    status, out, _ = without_torch("--cfg", "job", "lr=0.25")
    assert status == 0
    assert "\nlr: 0.25\n" in out
    status, out, _ = without_torch("--help")
    assert status == 0
    for group in (ROOT / "conf").iterdir():
        if group.is_dir():
            assert f"\n  {group.name}" in out
            assert all(choice.stem in out for choice in group.iterdir())
    assert "\n  lr=1 " in out
    assert not Path("outputs").exists()
