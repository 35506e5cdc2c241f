"""What somebody who sends a folder can have done to it: each function forges one thing.

A forging takes a Forger, changes the folder, and says what it did.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnnlab.config.identity import config_id
from rnnlab.config.stored import from_dict
from tensors_file import NAMES, Stored, TensorsFile

RAW = {  # what json.dumps cannot write, by what stands for it
    '"@deep"': "[" * 10**4 + "]" * 10**4,
    '"@deep objects"': '{"a":' * 10**4 + "1" + "}" * 10**4,
    '"@5000 digits"': "1" + "0" * 5000,
    '"@1e400"': "1e400",
}
NUMBERS = [10**9, 10**18, 2**63, 10**400, 1e308, -1e308, -3, 0, 0.5, 1e-320, 2**31]
NUMBERS += [float("nan"), float("inf"), -float("inf"), True, False, None]
STRINGS = ["", "\x1b]0;x\x07\x1b[2J", "\0", "\ud800", "a\ud800b", "${oc.env:FUZZ_SECRET}", "${${${"]
STRINGS += ["../../evil", "/etc/passwd", "x" * 10**6, "<script>x</script>", "$(touch evil)"]
STRINGS += [
    "٣",
    "\n\r\u2028",
    "nan",
    "%s%n",
    "`touch evil`",
    "$\\frac{",
    "$$$",
    "=cmd|' /C calc'!A0",
]
CODE = {"_target_": "os.system", "command": "touch evil", "_args_": ["touch evil"]}
THINGS: list[Any] = [[], {}, [[]], {"a": {"b": []}}, CODE, [None] * 10**5, "@deep", "@deep objects"]
THINGS += ["@5000 digits", "@1e400", [1], ["../../evil"], {"../../evil": 1}, {"": ""}]
LARGE = "num_layers num_hiddens num_epochs batch_size num_steps max_minibatches seed".split()
LARGE += ["log.sample_length", "log.every", "log.sample_every", "checkpoint.seconds", "lr", "theta"]


@dataclass
class Forger:
    """A folder that is about to be sent, and the chance of what is forged in it."""

    sent: Path  # the folder
    world: Path  # what is around it: a canary/ too
    rng: random.Random
    port: int = 9  # of a server that is not there
    touched: list[Path] = field(default_factory=list)  # files whose lengths are others now

    @property
    def canary(self) -> Path:
        return self.world / "canary"

    @property
    def runs(self) -> list[Path]:
        """Its runs' folders; itself, if it is one."""
        return sorted({path.parent for path in self.sent.rglob("result.json")}) or [self.sent]

    @property
    def run(self) -> Path:
        return self.rng.choice(self.runs)

    def odd(self) -> Any:
        return self.rng.choice(self.rng.choice([NUMBERS, STRINGS, THINGS]))

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/x"


FORGINGS: dict[str, Callable[[Forger], str]] = {}


def forging(forge: Callable[[Forger], str]) -> Callable[[Forger], str]:
    FORGINGS[forge.__name__] = forge
    return forge


def shown(value: Any) -> str:
    said = ascii(value)
    return said if len(said) < 120 else f"{said[:100]}... ({len(said)})"


def dumped(values: Any, indent: int | None = None) -> str:
    text = json.dumps(values, indent=indent)
    for placeholder, raw in RAW.items():
        text = text.replace(placeholder, raw)
    return text


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))


def set_in(values: dict[str, Any], dotted: str, value: Any) -> None:
    *groups, last = dotted.split(".")
    for group in groups:
        values = values.setdefault(group, {})
    values[last] = value


def leaves(values: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, value in values.items():
        found.append(prefix + name)
        if isinstance(value, dict):
            found += leaves(value, f"{prefix}{name}.")
    return found


# --- result.json, and the config in it -------------------------------------------------------


def _result(run: Path) -> dict[str, Any]:
    return json.loads((run / "result.json").read_text())


@forging
def result_value(by: Forger) -> str:
    """One of its values, of any level; sometimes twice under the same name, or missing."""
    run, values = by.run, _result(by.run)
    values = _result(run)
    name, value = by.rng.choice(leaves(values)), by.odd()
    way = by.rng.choice(["set", "set", "set", "set", "twice", "removed", "key"])
    match way:
        case "twice":
            text = "{" + f"{json.dumps(name.split('.')[0])}: {dumped(value)}," + dumped(values)[1:]
            write(run / "result.json", text)
            return f"result.json: {name} twice, first {shown(value)}"
        case "removed":
            group, _, last = name.rpartition(".")
            place = values
            for each in group.split(".") if group else []:
                place = place[each]
            del place[last]
            value = None
        case "key":
            name = f"samples.{by.rng.choice(STRINGS).replace('.', '')}"
            set_in(values, name, value)
        case _:
            set_in(values, name, value)
    write(run / "result.json", dumped(values, by.rng.choice([None, 2])))
    return f"result.json: {shown(name)} {way} {shown(value)}"


@forging
def figures(by: Forger) -> str:
    """Numbers of the right type that no run has."""
    run = by.run
    values = _result(run)
    names = "perplexity best_perplexity val_perplexity tokens_per_second wall_seconds epochs tokens"
    name = by.rng.choice([*names.split(), "status", "stack", "swept", "process", "error"])
    value = by.rng.choice([10**9, 1e308, -3, -1e308, 1e-320, 0, 10**18, -0.0, 10**400])
    if name in ("status", "stack", "swept", "error"):
        odd = {"status": ["running", "completed", "diverged", "interrupted", "failed"]}
        odd |= {"stack": [[], ["", ""], ["../../evil"]], "error": ["x" * 10**6, "\x1b[2J", "|a|\n"]}
        odd |= {"swept": [["seed", "lr", "nothing"], ["__class__"], ["lr"] * 10**4]}
        value = by.rng.choice(odd[name])
    values[name] = value
    write(run / "result.json", dumped(values))
    return f"result.json: {name}={shown(value)}"


def _reconfigured(run: Path, config: dict[str, Any]) -> None:
    """With the config_id that belongs to it, in the checkpoints too."""
    values = _result(run)
    values["config"] = config
    with contextlib.suppress(Exception):  # it may be none that rnnlab would have an id for
        values["config_id"] = config_id(from_dict(config), values["dataset"]["sha256"])
    write(run / "result.json", dumped(values))
    for path in (run / "checkpoints").glob("*"):
        file = TensorsFile.read(path)
        file.described |= {"config": config, "config_id": values["config_id"]}
        file.write(path, dumped(file.described))


@forging
def config_value(by: Forger) -> str:
    run = by.run
    config = _result(run)["config"]
    name, value = by.rng.choice(leaves(config)), by.odd()
    if by.rng.random() < 0.5:
        name, value = by.rng.choice(LARGE), by.rng.choice([10**9, 10**18, 10**400, 10**5, 2**63])
    elif by.rng.random() < 0.2:
        name, value = "device", by.rng.choice(["cuda:٣", "cuda:" + "9" * 5000, "cuda:-1", "meta"])
    set_in(config, name, value)
    _reconfigured(run, config)
    return f"config: {name}={shown(value)}"


@forging
def config_dataset(by: Forger) -> str:
    """Another source of text: one that is fetched, or read or written anywhere."""
    run = by.run
    values = _result(run)
    shared = "clean token min_freq max_tokens val_fraction prefixes".split()
    own = {name: values["config"]["dataset"][name] for name in shared}
    paths = [by.canary / "note.txt", by.canary, "/dev/zero", "/etc", "~", "x" * 10**4, "a\0b", "."]
    path = str(by.rng.choice(paths))
    if by.rng.random() < 0.6:
        file = by.rng.choice(["evil.txt", "evil.txt", "a\0", "x" * 300, "..", "note.txt"])
        urls = by.rng.choice([[by.url()], [by.url()] * 3, ["file:///etc/passwd"], [], ["http://["]])
        root = by.rng.choice([str(by.canary), None, "/dev", "~nobody/x", "", "../world/evil"])
        own |= {"name": "download", "file": file, "urls": urls, "root": root}
        own["sha256"] = by.rng.choice([values["dataset"]["sha256"], "0" * 64, ""])
    else:
        own |= {"name": "text", "path": path}
    values["config"]["dataset"] = own
    _reconfigured(run, values["config"])
    return f"config: dataset={shown(own)}"


@forging
def config_choice(by: Forger) -> str:
    """Another model, optimizer or clip than the run was trained with."""
    run = by.run
    config = _result(run)["config"]
    group, value = by.rng.choice(
        [
            ("model", {"name": "lstm", "dropout": 0.0, "init_std": 0.01, "forget_bias": 1.0}),
            ("model", {"name": "gru", "dropout": 0.0, "init_std": 0.01}),
            ("model", config["model"] | {"activation": "__class__"}),
            ("model", config["model"] | {"init_std": 1e308}),
            ("model", {"name": "../../evil"}),
            ("optimizer", {"name": "torch", "algorithm": "Adam", "options": CODE}),
            ("optimizer", {"name": "torch", "algorithm": "__builtins__", "options": {}}),
            ("optimizer", {"name": "torch", "algorithm": "Optimizer", "options": {"lr": "x"}}),
            ("optimizer", {"name": "torch", "algorithm": "LBFGS", "options": {}}),
            ("optimizer", {"name": "torch", "algorithm": "SparseAdam", "options": {}}),
            ("clip", {"name": "value"}),
            ("sampler", {"name": "random"}),
        ]
    )
    config[group] = value
    _reconfigured(run, config)
    return f"config: {group}={shown(value)}"


# --- the logs --------------------------------------------------------------------------------


@forging
def metrics(by: Forger) -> str:
    path = by.run / "metrics.jsonl"
    lines = path.read_text().splitlines()
    place, last = by.rng.randrange(len(lines)), by.rng.random() < 0.5
    place = len(lines) - 1 if last else place
    values = json.loads(lines[place])
    way = by.rng.choice(["value", "value", "value", "value", "missing", "torn", "line", "twice"])
    done = way
    match way:
        case "value":
            name = by.rng.choice(["epoch", "perplexity", "val_perplexity", *values])
            values[name] = value = by.odd()
            lines[place], done = dumped(values), f"{name}={shown(value)}"
        case "missing":
            name = by.rng.choice(["epoch", "perplexity", "val_perplexity", *values])
            del values[name]
            lines[place], done = dumped(values), f"no {name}"
        case "torn":
            lines[place] = lines[place][: by.rng.randrange(len(lines[place]))]
        case "line":
            odd = ["null", "[]", "3", '"x"', "\0" * 50, "[" * 10**5, "1" * 5000, "{}", "NaN"]
            odd += ['{"epoch": 1, "perplexity": 2, "x": "' + "x" * 10**7 + '"}', "\x85"]
            lines[place] = by.rng.choice(odd)
            done = shown(lines[place])
        case "twice":
            lines *= 2
    end = by.rng.choice(["\n", "\n", "\n", ""])
    content = ("\n".join(lines) + end).encode()
    if by.rng.random() < 0.1:
        content, done = content.replace(b"e", b"\xff", 1), f"{done}, no UTF-8"
    write(path, content)
    by.touched.append(path)
    return f"metrics.jsonl, line {place + 1} of {len(lines)}: {done}"


@forging
def garbled(by: Forger) -> str:
    """Any file of the folder, cut, grown or with some bytes changed."""
    files = sorted(path for path in by.sent.rglob("*") if path.is_file() and path.stat().st_size)
    named = [path for path in files if path.name.startswith("events")]
    path = by.rng.choice(named if by.rng.random() < 0.3 and named else files)
    data = bytearray(path.read_bytes())
    match by.rng.randrange(4):
        case 0:
            del data[by.rng.randrange(len(data)) :]
        case 1:
            place = by.rng.randrange(len(data))
            data[place:place] = by.rng.randbytes(by.rng.choice([1, 8, 100, 10_000]))
        case 2:
            data[:8] = by.rng.choice([2**63 - 1, 0, 7, len(data), 10**8]).to_bytes(8, "little")
        case _:
            for _ in range(by.rng.choice([1, 3, 30])):
                data[by.rng.randrange(min(600, len(data)))] = by.rng.randrange(256)
    path.write_bytes(data)
    by.touched.append(path)
    return f"{path.relative_to(by.sent)}: garbled"


# --- checkpoints -----------------------------------------------------------------------------


def _checkpoint(by: Forger) -> Path:
    name = by.rng.choice(["last", "last", "last", "best"])
    return by.run / "checkpoints" / f"{name}.safetensors"


def _signed(by: Forger, path: Path, file: TensorsFile, text: str | None = None) -> str:
    """Under its own name, or as the one that was about to become the last."""
    if path.name == "last.safetensors" and by.rng.random() < 0.15:
        path = path.with_name("next.safetensors")
    file.write(path, text)
    return str(path.relative_to(by.sent))


@forging
def checkpoint_metadata(by: Forger) -> str:
    path = _checkpoint(by)
    file = TensorsFile.read(path)
    whole, progress = file.described, file.described["progress"] or {}
    value: Any = by.rng.choice(NUMBERS)
    places = "epoch minibatch seconds lengths lengths sizes vocabulary figures any any".split()
    place = by.rng.choice(places)
    match place:
        case "epoch":
            whole["epoch"] = value
            if progress and by.rng.random() < 0.7:
                progress["figures"]["epochs"] = value
        case "minibatch":
            progress["minibatch"] = value
        case "seconds":
            progress["seconds" if by.rng.random() < 0.5 else "seconds_in_epoch"] = value
        case "lengths":
            names = ["metrics.jsonl", "samples.txt", "../../canary/note.txt", "/etc/passwd", ""]
            names += ["result.json", "events.out.tfevents.*", "events.out.tfevents./../../x", "a\0"]
            name = by.rng.choice(names)
            progress.setdefault("lengths", {})[name] = value = by.rng.choice([*NUMBERS, 0, 1, 7])
            place = f"lengths.{shown(name)}"
        case "sizes":
            place = by.rng.choice(["num_layers", "num_hiddens", "vocab_size"])
            whole["model"][place] = value
        case "vocabulary":
            tokens = whole["vocabulary"]["tokens"]
            value = by.odd()
            tokens[by.rng.randrange(len(tokens))] = value
        case "figures":
            name = by.rng.choice([*progress.get("figures", {}), "samples.x"])
            value = by.odd()
            set_in(progress.setdefault("figures", {}), name, value)
            place = f"figures.{name}"
        case _:
            place, value = by.rng.choice(leaves(whole)), by.odd()
            set_in(whole, place, value)
    written = _signed(by, path, file, dumped(whole))
    return f"{written}: {place}={shown(value)}"


@forging
def checkpoint_tensors(by: Forger) -> str:
    path = _checkpoint(by)
    file = TensorsFile.read(path)
    chosen = by.rng.choice(list(file.tensors))
    own = file.tensors[chosen]
    way = by.rng.choice("dtype dtype all shape size empty many name values lost".split())
    done = f"{chosen}: {way}"
    match way:
        case "dtype" | "all":
            dtype = by.rng.choice(list(NAMES))
            for name in file.tensors if way == "all" else [chosen]:
                file.tensors[name] = Stored.zeros(dtype, file.tensors[name].shape)
            done += f" {dtype}"
        case "shape":
            shape = by.rng.choice([[], [0], [1], [1, 2, 3], [3, 1], [1] * 100, [1, 0, 10**18]])
            file.tensors[chosen] = Stored.zeros(own.dtype, shape)
            done += f" {shape}"[:40]
        case "size":
            huge = by.rng.choice([[2**40], [2**62], [2**32, 2**32], [10**9, 10**9]])
            size = by.rng.choice([None, 2**42])
            file.tensors[chosen] = Stored(own.dtype, huge, own.content, size)
            done += f" {huge}"
        case "empty":
            file.tensors = {}
        case "many":
            file.tensors |= {f"training.{k}": Stored.zeros("F32", [0]) for k in range(10**4)}
        case "name":
            odd = by.rng.choice(["training.", "training.state.0.0", "../../evil", "\ud800", "W"])
            file.tensors[odd] = file.tensors.pop(chosen)
            done += f" {shown(odd)}"
        case "values":
            byte = by.rng.choice([b"\xff", b"\x7f", b"\x00", b"\x80"])
            file.tensors[chosen] = Stored(own.dtype, own.shape, byte * len(own.content))
            done += f" {byte!r}"
        case "lost":
            del file.tensors[chosen]
    return f"{_signed(by, path, file)}: {done}"


def fit_lengths(by: Forger) -> None:
    """The checkpoints say of forged logs what they have become, so that runs go on with them."""
    for log in by.touched:
        path = log.parent / "checkpoints" / "last.safetensors"
        if path.is_symlink() or not (path.is_file() and log.is_file()):
            continue
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            file = TensorsFile.read(path)
            lengths = file.described["progress"]["lengths"]
            if log.name in lengths:
                lengths[log.name] = by.rng.choice([log.stat().st_size, log.stat().st_size, 0])
                file.write(path)


# --- what it was made with -------------------------------------------------------------------

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n"
    for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
LIST_BOMB = "".join(
    f"- &{b} [{','.join([f'*{a}'] * 9) if a else 'x'}]\n"
    for a, b in zip(["", *"abcdefghi"], "abcdefghij", strict=True)
)
WORDS = [
    "hydra.run.dir=../../x", "hydra.sweep.subdir=../../x", "hydra.sweep.dir=../../x",
    "+hydra.callbacks.x._target_=os.system", "hydra.sweep.subdir=${oc.env:FUZZ_SECRET}",
    "+hydra.callbacks.x={_target_:os.mkdir,path:../world/evil}", "hydra.job.chdir=true",
    "hydra.sweeper.sampler._target_=os.system", "hydra/sweeper=optuna", "hydra/launcher=basic",
    "--config-dir=../world/canary", "--config-dir=/", "--config-path=/etc", "--config-name=x",
    "hydra.searchpath=[file:///etc]", "seed=range(0,1000000000)", "seed=range(0,100000)",
    "dataset=text", "dataset.path=../world/canary/note.txt", "dataset.path=/dev/zero",
    "dataset.urls=[http://127.0.0.1:9/x]", "dataset=time_machine", "dataset.root=../world/evil",
    "+dataset.root=../world/evil", "num_epochs=1000000000", "num_hiddens=1000000000",
    "num_layers=1000000000", "lr=${oc.env:FUZZ_SECRET}", "lr=${${${", "device=cuda:7",
    "hydra.job_logging.handlers.file.filename=../../x", "hydra.output_subdir=../../x",
    "hydra.job_logging.handlers.file.class=os.system", "hydra.job.env_set.PATH=/evil",
    "hydra.verbose=true", "hydra.mode=RUN", "plan=true", "sweep=../../x", "resume=../../canary",
    "on_invalid=skip", "--cfg=job", "--help", "--version", "-h", "--info", "~model", "+x=1",
    "--shell-completion", "hydra.launcher._target_=os.system", "hydra.launcher.workers=100000",
    "hydra.sweeper._target_=os.mkdir", "+experiment=../../x", "model=../../x", "size=base",
    "seed=1", "\ud800", "x" * 10**5, "", "=", "optimizer=torch",
    "+optimizer.options={_target_:os.system}", "hydra.sweep.subdir=/tmp/forged-evil",
]  # fmt: skip


@forging
def overrides(by: Forger) -> str:
    path = by.run / ".hydra" / "overrides.yaml"
    plain = path.read_text() if path.exists() else ""
    texts = {
        "aliases": BOMB,
        "list of aliases": LIST_BOMB,
        "python": "!!python/object/apply:os.system ['touch ../world/evil']",
        "python in a list": "- !!python/object/apply:os.system ['touch ../world/evil']",
        "mapping": "a: b",
        "text": "lr=1",
        "nested": "[" * 10**4 + "]" * 10**4,
        "100,000": "- lr=1\n" * 10**5,
        "itself": "&a [*a]",
        "bytes": "- !!binary aGVsbG8=\n- 2001-01-01\n- ~\n- {a: b}\n- 1e400\n- .nan",
        "digits": f"- {'1' * 5000}",
        "nothing": "",
        "merge": "<<: [&a {<<: *a}]",
        "date": "- 2001-99-99",
        "control": "- \x01",
    } | {word: f"{plain}- {json.dumps(word)}\n" for word in WORDS}
    name = by.rng.choice(list(texts))
    write(path, texts[name])
    return f"overrides.yaml: {shown(name)}"


@forging
def hydras_own(by: Forger) -> str:
    """config.yaml, hydra.yaml or multirun.yaml."""
    names = [by.run / ".hydra" / "config.yaml", by.run / ".hydra" / "hydra.yaml"]
    path = by.rng.choice([*names, by.sent / "multirun.yaml"])
    callbacks = "hydra: {callbacks: {x: {_target_: os.system, command: touch evil}}}"
    python = "!!python/object/apply:os.system [true]"
    write(path, by.rng.choice([BOMB, callbacks, python, "${${${"]))
    return f"{path.relative_to(by.sent)}: forged"


@forging
def commands(by: Forger) -> str:
    """The commands that a study was made with."""
    path = by.sent / "commands.jsonl"
    plain = ["-m", "seed=0,1,2", "num_hiddens=4"]
    lines = path.read_text().splitlines() if path.exists() else [json.dumps(plain)]
    words = json.loads(lines[-1])
    way = by.rng.choice(["word"] * 12 + ["torn", "line", "many", "new", "value"])
    done = way
    match way:
        case "word" | "new":
            chosen = by.rng.sample(WORDS, by.rng.choice([1, 1, 1, 2, 3]))
            words = [*words, *chosen] if by.rng.random() < 0.8 else [*chosen, *words]
            lines[len(lines) - (way == "word") :] = [json.dumps(words)]
            done = f"{way} {shown(chosen)}"
        case "value":
            words[by.rng.randrange(len(words))] = value = by.odd()
            lines[-1], done = dumped(words), shown(value)
        case "torn":
            lines[-1] = lines[-1][: by.rng.randrange(len(lines[-1]))]
        case "line":
            lines[-1] = by.rng.choice(["null", "{}", "3", '"-m"', "[" * 10**5, "[]", "\0", "[[]]"])
            done = shown(lines[-1])
        case "many":
            lines = lines * 10**3
    write(path, "\n".join(lines) + by.rng.choice(["\n", "\n", ""]))
    return f"commands.jsonl: {done}"


# --- kinds of files --------------------------------------------------------------------------

WRITTEN = ["result.json", "metrics.jsonl", "samples.txt", "run.log", "perplexity.svg", ".lock"]
WRITTEN += ["checkpoints", "checkpoints/last.safetensors", "checkpoints/next.safetensors"]
WRITTEN += ["checkpoints/best.safetensors", ".hydra", ".hydra/overrides.yaml", ".hydra/config.yaml"]
REPORTED = ["report.html", "report.md", "results.csv", "commands.jsonl", "multirun.yaml", ".lock"]


@forging
def kind(by: Forger) -> str:
    """A file or folder becomes something else, or there is something where one will be written."""
    named = [by.run / name for name in WRITTEN] + [by.sent / name for name in REPORTED]
    there = [path for path in by.sent.rglob("*") if path.parent.is_dir()]
    named += [path for path in there if path.name.startswith("events")] * 3
    path = by.rng.choice(sorted(there) if by.rng.random() < 0.2 and there else named)
    if by.sent / "commands.jsonl" in named and by.rng.random() < 0.05:
        path = by.sent / by.rng.choice(["3_seed=3", "0", "optimization_results.yaml"])
    way = by.rng.choice(list(KINDS))
    _becomes(by, path, way)
    by.touched.append(path)
    return f"{path.relative_to(by.sent)} becomes {way}"


def _becomes(by: Forger, path: Path, way: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = path.exists() and not path.is_symlink()
    if way == "mode 000":
        if kept:
            path.chmod(0)
        return
    if way == "a link to what it was, elsewhere" and kept:
        moved = by.canary / "moved" / path.name
        moved.parent.mkdir(exist_ok=True)
        shutil.move(path, moved)
        path.symlink_to(moved)
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    KINDS[way](by, path)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _full_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("full")


KINDS: dict[str, Callable[[Forger, Path], Any]] = {
    "a link to a canary": lambda by, path: path.symlink_to(by.canary / "note.txt"),
    "a relative link": lambda by, path: path.symlink_to(
        os.path.relpath(by.canary / "note.txt", path.parent)
    ),
    "a link to a folder": lambda by, path: path.symlink_to(by.canary),
    "a link to nothing yet": lambda by, path: path.symlink_to(by.canary / "new"),
    "a link to what it was, elsewhere": lambda by, path: path.symlink_to(by.canary / "note.txt"),
    "a link to /dev/zero": lambda by, path: path.symlink_to("/dev/zero"),
    "a link to /dev/tty": lambda by, path: path.symlink_to("/dev/tty"),
    "a link to itself": lambda by, path: path.symlink_to(path.name),
    "a link to its folder": lambda by, path: path.symlink_to("."),
    "a link to all": lambda by, path: path.symlink_to("/"),
    "a FIFO": lambda by, path: os.mkfifo(path),
    "a socket": lambda by, path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "a folder": lambda by, path: path.mkdir(),
    "a full folder": lambda by, path: _full_folder(path),
    "an empty file": lambda by, path: path.write_bytes(b""),
    "sparse": lambda by, path: _sparse(path),
    "a hard link": lambda by, path: os.link(by.canary / "note.txt", path),
    "mode 000": lambda by, path: path.chmod(0),
}


# --- forged as somebody says ------------------------------------------------------------------


def forge(by: Forger, named: str | list[Any]) -> str:
    """A forging by its name, or one that is told exactly: [what, *where and how]."""
    if isinstance(named, str):
        return FORGINGS[named](by)
    what, *how = named
    EXACTLY[what](by, *how)
    return f"{what}: {shown(how)}"


def _kind(by: Forger, where: str, way: str) -> None:
    """`where`: in the first run's folder, or with a / before it in the folder that is sent."""
    path = by.sent / where[1:] if where.startswith("/") else by.runs[0] / where
    path = next(iter(sorted(path.parent.glob(path.name))), path)
    _becomes(by, path, way)
    by.touched.append(path)


def _words(by: Forger, *words: str) -> None:
    path = by.sent / "commands.jsonl"
    write(path, json.dumps([*json.loads(path.read_text().splitlines()[-1]), *words]) + "\n")


def _set_result(by: Forger, name: str, value: Any) -> None:
    values = _result(by.runs[0])
    set_in(values, name, value)
    write(by.runs[0] / "result.json", dumped(values))


def _set_config(by: Forger, name: str, value: Any) -> None:
    config = _result(by.runs[0])["config"]
    set_in(config, name, value)
    _reconfigured(by.runs[0], config)


def _set_dataset(by: Forger, **more: Any) -> None:
    values = _result(by.runs[0])
    shared = "clean token min_freq max_tokens val_fraction prefixes".split()
    own = {name: values["config"]["dataset"][name] for name in shared}
    values["config"]["dataset"] = own | more
    _reconfigured(by.runs[0], values["config"])


def _set_described(by: Forger, *pairs: Any) -> None:
    """Of the last checkpoint: name, value, name, value..."""
    path = by.runs[0] / "checkpoints" / "last.safetensors"
    file = TensorsFile.read(path)
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        set_in(file.described, name, value)
    file.write(path, dumped(file.described))


def _set_dtype(by: Forger, dtype: str) -> None:
    path = by.runs[0] / "checkpoints" / "last.safetensors"
    file = TensorsFile.read(path)
    file.tensors = {n: Stored.zeros(dtype, each.shape) for n, each in file.tensors.items()}
    file.write(path)


def _set_line(by: Forger, line: str) -> None:
    """The last one of metrics.jsonl."""
    path = by.runs[0] / "metrics.jsonl"
    write(path, "\n".join([*path.read_text().splitlines()[:-1], line]) + "\n")
    by.touched.append(path)


EXACTLY: dict[str, Callable[..., None]] = {
    "kind": _kind,
    "words": _words,
    "result": _set_result,
    "config": _set_config,
    "download": lambda by, where: _set_dataset(
        by, name="download", file="evil.txt", root=where, sha256="0" * 64, urls=[by.url()]
    ),
    "checkpoint": _set_described,
    "dtype": _set_dtype,
    "metrics": _set_line,
    "overrides": lambda by, text: write(by.runs[0] / ".hydra" / "overrides.yaml", text),
}
