"""result.json, and the config in it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from forgings.forger import CODE, STRINGS, Forger, dumped, forging, leaves, set_in, shown, write
from rnnlab.config.identity import config_id
from rnnlab.config.stored import from_dict
from tensors_file import TensorsFile

LARGE = "num_layers num_hiddens num_epochs batch_size num_steps max_minibatches seed".split()
LARGE += ["log.sample_length", "log.every", "log.sample_every", "checkpoint.seconds", "lr", "theta"]


def result_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "result.json").read_text())


@forging
def result_value(by: Forger) -> str:
    """One of its values, of any level; sometimes twice under the same name, or missing."""
    run, values = by.run, result_of(by.run)
    values = result_of(run)
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
    values = result_of(run)
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


def reconfigured(run: Path, config: dict[str, Any]) -> None:
    """With the config_id that belongs to it, in the checkpoints too."""
    values = result_of(run)
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
    config = result_of(run)["config"]
    name, value = by.rng.choice(leaves(config)), by.odd()
    if by.rng.random() < 0.5:
        name, value = by.rng.choice(LARGE), by.rng.choice([10**9, 10**18, 10**400, 10**5, 2**63])
    elif by.rng.random() < 0.2:
        name, value = "device", by.rng.choice(["cuda:٣", "cuda:" + "9" * 5000, "cuda:-1", "meta"])
    set_in(config, name, value)
    reconfigured(run, config)
    return f"config: {name}={shown(value)}"


@forging
def config_dataset(by: Forger) -> str:
    """Another source of text: one that is fetched, or read or written anywhere."""
    run = by.run
    values = result_of(run)
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
    reconfigured(run, values["config"])
    return f"config: dataset={shown(own)}"


@forging
def config_choice(by: Forger) -> str:
    """Another model, optimizer or clip than the run was trained with."""
    run = by.run
    config = result_of(run)["config"]
    group, value = by.rng.choice(
        [
            ("model", {"name": "lstm", "dropout": 0.0, "init_std": 0.01, "peephole": 1.0}),
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
    reconfigured(run, config)
    return f"config: {group}={shown(value)}"
