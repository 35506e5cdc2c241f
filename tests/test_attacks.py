"""What somebody could have done with a folder that others go on with: each attack by its name.

In the jail of tests/jail.py: no network, and whatever is written elsewhere is noted.
"""

from __future__ import annotations

from typing import Any

import pytest

from forged_folders import FINE, Case, Tried, told

pytestmark = [
    pytest.mark.attack(5, "named attacks in a jail, each a forged folder"),
    pytest.mark.slow,
]

CANARY, NOTHING = "a link to a canary", "a link to nothing yet"
ELSEWHERE = "a link to what it was, elsewhere"
ALIASES = "".join(
    f"- &{b} [{','.join([f'*{a}'] * 9) if a else 'x'}]\n"
    for a, b in zip(["", *"abcdefghi"], "abcdefghij", strict=True)
)
RESUME, REPORT, ZERO = "resume FOLDER", "report FOLDER", "a link to /dev/zero"
LAST = "checkpoints/last.safetensors"


def attack(name: str, folder: str, command: str, *forgings: list[Any]) -> Case:
    return Case(name, folder, command, forgings)


ATTACKS = [
    attack("a stored config fetches a URL", "stopped", RESUME, ["download", "/nowhere"]),
    attack("reproducing fetches a URL", "run", "reproduce FOLDER", ["download", "../world/x"]),
    attack("callbacks", "halted", RESUME, ["words", "+hydra.callbacks.x._target_=os.system"]),
    attack(
        "a callback that runs a program", "halted", RESUME,
        ["words", "+hydra.callbacks.x={_target_:os.system,command:true}"],
    ),
    attack(
        "a callback that makes a folder", "halted", RESUME,
        ["words", "+hydra.callbacks.x={_target_:os.mkdir,path:../world/evil}"],
    ),
    attack("another launcher", "halted", RESUME, ["words", "hydra.launcher._target_=os.mkdir"]),
    attack("another sweeper", "halted", RESUME, ["words", "hydra.sweeper._target_=os.system"]),
    attack("jobs elsewhere", "halted", RESUME, ["words", "hydra.sweep.subdir=../../x"]),
    attack("a study elsewhere", "halted", RESUME, ["words", "hydra.sweep.dir=../world/x"]),
    attack(
        "a log elsewhere", "halted", RESUME,
        ["words", "hydra.job_logging.handlers.file.filename=../world/evil"],
    ),
    attack("a secret", "halted", RESUME, ["words", "hydra.sweep.subdir=${oc.env:FUZZ_SECRET}"]),
    attack("a config folder", "halted", RESUME, ["words", "--config-dir=../world/canary"]),
    attack("a download", "halted", RESUME, ["words", "dataset=time_machine", "dataset.root=x"]),
    attack("10^9 seeds", "halted", RESUME, ["words", "seed=range(0,1000000000)"]),
    *(
        attack(f"{name} is {way}", "stopped", RESUME, ["kind", name, way])
        for name in ("samples.txt", "metrics.jsonl", "run.log", "events.out*", "checkpoints", LAST)
        for way in (CANARY if name == "run.log" else ELSEWHERE,)
    ),
    attack("the curve is a link", "stopped", RESUME, ["kind", "perplexity.svg", CANARY]),
    attack("a link to nothing yet", "stopped", RESUME, ["kind", "run.log", NOTHING]),
    attack("a job's folder is a link", "halted", RESUME, ["kind", "/0_seed=0", ELSEWHERE]),
    attack(
        "a folder that is to be made is a link", "halted", RESUME,
        ["kind", "/2_seed=2", "a link to a folder"],
    ),
    attack("a report is a link", "run", REPORT, ["kind", "results.csv", CANARY]),
    attack("run.log is a hard link", "halted", RESUME, ["kind", "run.log", "a hard link"]),
    attack("a report waits for a FIFO", "run", REPORT, ["kind", "metrics.jsonl", "a FIFO"]),
    attack("a result that is a FIFO", "run", REPORT, ["kind", "result.json", "a FIFO"]),
    attack("a log that is a FIFO", "stopped", RESUME, ["kind", "run.log", "a FIFO"]),
    attack("metrics without an end", "run", REPORT, ["kind", "metrics.jsonl", ZERO]),
    attack("a result without an end", "run", REPORT, ["kind", "result.json", ZERO]),
    attack("a sparse result", "run", REPORT, ["kind", "result.json", "sparse"]),
    attack("sparse metrics", "run", REPORT, ["kind", "metrics.jsonl", "sparse"]),
    attack(
        "epoch 10^9", "stopped", RESUME,
        ["checkpoint", "epoch", 10**9, "progress.figures.epochs", 10**9],
    ),
    attack(
        "epoch -3", "stopped", RESUME,
        ["checkpoint", "epoch", -3, "progress.figures.epochs", -3],
    ),
    attack("minibatch 10^9", "stopped", RESUME, ["checkpoint", "progress.minibatch", 10**9]),
    attack("a log elsewhere is cut", "stopped", RESUME,
           ["checkpoint", "progress.lengths", {"../../canary/note.txt": 0}]),
    attack("10^9 epochs", "stopped", RESUME, ["config", "num_epochs", 10**9]),
    attack("10^9 layers", "stopped", RESUME, ["config", "num_layers", 10**9]),
    attack("100,000 layers", "stopped", RESUME, ["config", "num_layers", 10**5]),
    attack("a device in other digits", "stopped", RESUME, ["config", "device", "cuda:٣"]),
    attack("a text of a long name", "run", "reproduce FOLDER",
           ["config", "dataset", {"name": "text", "path": "x" * 10**4, "clean": "letters",
            "token": "char", "min_freq": 0, "max_tokens": 99, "val_fraction": 0.3,
            "prefixes": ["the"]}]),
    attack("an epoch of a dictionary", "stopped", RESUME,
           ["metrics", '{"epoch": {}, "perplexity": 2, "val_perplexity": 2}']),
    attack("no checkpoint", "run", "reproduce FOLDER", ["kind", LAST, "an empty file"]),
    attack("samples of a tebibyte", "run", "reproduce FOLDER", ["kind", "samples.txt", "sparse"]),
    attack("float8 compared", "run", "reproduce FOLDER", ["dtype", "F8_E4M3"]),
    attack("minibatch 10^9 of a run that had ended", "run", "resume FOLDER num_epochs=4",
           ["checkpoint", "progress.minibatch", 10**9]),
    attack("10^9 hidden units", "stopped", RESUME, ["config", "num_hiddens", 10**9]),
    attack("10^9 layers again", "run", "reproduce FOLDER", ["config", "num_layers", 10**9]),
    attack("10^9 tokens of a sample", "stopped", RESUME, ["config", "log.sample_length", 10**9]),
    attack("10^400", "run", REPORT, ["result", "perplexity", 10**400]),
    attack("10^400 epochs", "study", REPORT, ["result", "epochs", 10**400]),
    attack("10^400 in the metrics", "run", REPORT,
           ["metrics", '{"epoch": 1, "perplexity": 1' + "0" * 400 + "}"]),
    attack("aliases of aliases", "study", REPORT, ["overrides", ALIASES]),
    attack("aliases of aliases, resumed", "halted", RESUME, ["overrides", ALIASES]),
    attack("nested metrics", "run", REPORT, ["metrics", "[" * 10**5]),
    *(attack(dtype, "stopped", RESUME, ["dtype", dtype]) for dtype in ("F8_E4M3", "C64", "BOOL")),
    attack("float8 generates", "run", "generate FOLDER --prefix the", ["dtype", "F8_E5M2"]),
]  # fmt: skip


TRIED = Tried(ATTACKS)


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case.number)
def test_an_attack_does_nothing(case: Case):
    outcome = TRIED.outcomes[case.number]
    assert outcome["verdict"] in FINE, told(outcome)
