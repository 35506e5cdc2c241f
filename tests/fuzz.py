"""Damaged and hostile input: each must be understood or refused in one clear sentence.

python tests/fuzz.py [NUMBER] tries that many checkpoints, results, configs, command lines and
texts, and fails at the first that does anything else: another exception, a hang, a file elsewhere.
Then a hundredth as many forged folders, through the commands (forged_folders.py); these alone:
python tests/fuzz.py folders NUMBER [--start K] [--jobs N].
"""

from __future__ import annotations

import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import forged_folders
from rnnlab._common.errors import ConfigError
from rnnlab._common.typed import read_as
from rnnlab.config.compose import compose
from rnnlab.config.mistakes import explain
from rnnlab.config.stored import from_dict
from rnnlab.data.corpus import load
from rnnlab.nn.generation import generate
from rnnlab.runs import stack as experiment
from rnnlab.runs.checkpoint import checksum, load_checkpoint
from rnnlab.runs.folder import LAST, RESULT
from rnnlab.runs.result import Result
from rnnlab.runs.resume import Stopped

SECONDS = 20  # longer than that is a hang
ODD = [
    *(None, True, -1, 0, 1e308, -1e-308, 2**63, 2**31, float("nan"), float("inf"), "", "x" * 5000),
    *("../../evil", "/etc/passwd", "\0", "é\ud800", [], {}, [[]], {"_target_": "os.system"}),
    "${oc.env:HOME}",
]
WORDS = (
    """lr theta num_epochs model optimizer dataset.path hydra.run.dir = == + ~ ++ , [ ] { } ' "
    ${ } \\ : @ rnn 1e nan null range(1, sampler é 0x - ../ clip size choice( ) resume !!python
    """.split()
    + [" ", "\n", "x" * 300]
)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut, grown, or with some bytes changed, most often in the header."""
    data = bytearray(content)
    match rng.randrange(4):
        case 0:
            del data[rng.randrange(len(data)) :]
        case 1:
            place = rng.randrange(len(data))
            data[place:place] = rng.randbytes(rng.choice([1, 8, 100, 10_000]))
        case 2:
            data[:8] = rng.choice([2**63 - 1, 0, 7, len(data), 10**8]).to_bytes(8, "little")
        case _:
            reach = rng.choice([16, 600, len(data)])
            for _ in range(rng.choice([1, 3, 30])):
                data[rng.randrange(min(reach, len(data)))] = rng.randrange(256)
    return bytes(data)


def forged(values: Any, rng: random.Random) -> Any:
    """The same JSON with something in it replaced, removed or added."""
    copy = json.loads(json.dumps(values))
    place = copy
    while isinstance(place, (dict, list)) and place:
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        if not isinstance(place[key], (dict, list)) or not place[key] or rng.random() < 0.3:
            match rng.randrange(4):
                case 0:
                    del place[key]
                case 1 if isinstance(place, dict):
                    place[rng.choice(["extra", "lr", "../x"])] = rng.choice(ODD)
                case _:
                    place[key] = rng.choice(ODD)
            return copy
        place = place[key]
    return copy


class Fuzz:
    """A small run in a folder of its own, and what is done to its parts."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        self.home, self.rng = home, rng
        self.folder = home / "run"
        self.folder.mkdir()
        self.config = compose(
            [
                "num_hiddens=4",
                "batch_size=2",
                "num_steps=5",
                "num_epochs=1",
                "dataset.max_tokens=99",
            ]
        )
        experiment.run(self.config, self.folder)
        self.path = self.folder / LAST
        self.content = self.path.read_bytes()
        mapped = load_file(self.path)  # which is written over
        self.tensors = {name: tensor.clone() for name, tensor in mapped.items()}
        with safe_open(self.path, framework="pt") as file:
            self.described = json.loads(file.metadata()["rnnlab"])
        self.result = json.loads((self.folder / RESULT).read_text())
        self.text_config = compose(["dataset=text", f"dataset.path={home / 'text.txt'}"]).dataset

    def checkpoint_bytes(self) -> None:
        self.path.write_bytes(damaged(self.content, self.rng))
        load_checkpoint(self.folder, LAST)

    def checkpoint_content(self) -> None:
        """With a checksum that is right, as an attacker would have it."""
        described, tensors = forged(self.described, self.rng), dict(self.tensors)
        name = self.rng.choice(list(tensors))
        match self.rng.randrange(5):
            case 0:
                del tensors[name]
            case 1:
                tensors[name] = torch.zeros(self.rng.choice([(0,), (1,), (1, 2, 3), (3, 1)]))
            case 2:
                tensors[name] = torch.full_like(tensors[name], self.rng.choice([0, 1]))
        text = json.dumps(described)
        save_file(tensors, self.path, {"rnnlab": text, "sha256": checksum(text, tensors)})
        checkpoint = load_checkpoint(self.folder, LAST)
        generate(checkpoint.parameters, [[0]], 2)
        corpus = load(self.config.dataset)
        before = read_as(Result, self.result)
        Stopped(self.folder, self.config, corpus, before).go_on(["run"], checkpoint)

    def results(self) -> None:
        path, text = self.folder / RESULT, json.dumps(forged(self.result, self.rng))
        content = text.encode()
        path.write_bytes(content if self.rng.random() < 0.7 else damaged(content, self.rng))
        Result.read(self.folder)

    def configs(self) -> None:
        from_dict(forged(self.result["config"], self.rng))

    def command_lines(self) -> None:
        pieces = [self.rng.choice(WORDS) for _ in range(self.rng.randrange(1, 8))]
        override = "".join(pieces)
        try:
            compose([override])
        except (HydraException, OmegaConfBaseException) as error:
            assert explain(error, [override]).strip()

    def texts(self) -> None:
        size = self.rng.choice([0, 1, 2, 10, 300, 5000])
        content = self.rng.randbytes(size)
        if self.rng.random() < 0.5:
            content = bytes(
                self.rng.choice(b"ab \n\r\t\xc3\xa9\x00\xef\xbb\xbf") for _ in range(size)
            )
        (self.home / "text.txt").write_bytes(content)
        load(self.text_config)


SHARES: dict[Callable[[Fuzz], None], float] = {
    Fuzz.checkpoint_bytes: 0.35,
    Fuzz.checkpoint_content: 0.2,
    Fuzz.results: 0.2,
    Fuzz.texts: 0.19,
    Fuzz.configs: 0.05,
    Fuzz.command_lines: 0.01,
}


def hang(*_: object) -> None:
    raise TimeoutError(f"an input took more than {SECONDS} s")


def fuzz(number: int, seed: int = 0) -> Counter[str]:
    """How many inputs of each kind were refused, and understood."""
    seen: Counter[str] = Counter()
    signal.signal(signal.SIGALRM, hang)
    with tempfile.TemporaryDirectory() as outside:
        home = Path(outside) / "home"
        home.mkdir()
        subject = Fuzz(home, random.Random(seed))
        files = set(Path(outside).rglob("*")) | {home / "text.txt"}
        for attack, share in SHARES.items():
            for _ in range(max(1, round(number * share))):
                signal.alarm(SECONDS)
                try:
                    attack(subject)
                    seen[f"{attack.__name__}: understood"] += 1
                except ConfigError as error:
                    assert str(error).strip()
                    seen[f"{attack.__name__}: refused"] += 1
                signal.alarm(0)
        assert set(Path(outside).rglob("*")) <= files, "a file was written elsewhere"
    return seen


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["folders"]:
        return forged_folders.main(arguments[1:])
    started, number = time.monotonic(), int(arguments[0]) if arguments else 100_000
    counts = fuzz(number)
    for name, count in sorted(counts.items()):
        print(f"{count:>7,} {name}")
    print(f"{sum(counts.values()):>7,} inputs in {time.monotonic() - started:.0f} s")
    return forged_folders.main([str(max(1, number // 100))])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
