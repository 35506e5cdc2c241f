"""Who may import whom, read from the sources; imports inside functions and for types count too."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from conftest import ROOT

SOURCES = ROOT / "src" / "rnnlab"
ROOMS = {  # each with all that it may import besides itself
    "_common": "",
    "data": "_common",
    "nn": "_common",
    "training": "_common nn",
    "instruments": "_common nn training",
    "config": "_common nn training instruments data",
    "runs": "_common nn training instruments data config",
    "studies": "_common nn training instruments data config runs",
    "results": "_common nn training instruments data config runs studies",
    "experiments": "_common nn training instruments data config runs studies results",
    "cli": "_common nn training instruments data config runs studies results experiments",
}
HYDRA = ("hydra", "omegaconf")
KNOWS_HYDRA = (
    *("config._hydra", "config.compose", "config.mistakes", "config.stored_words"),
    *("config.forms", "config.typed_words", "config.yaml_files", "config.shortest"),
    *("config.grid", "config.zipped", "cli"),
)
TORCH_FREE = (
    "_common config data nn.spec nn.cells nn.engines training.samplers training.rules "
    "results.load results.study results.run results.frames results.sampling experiments "
    "training.clips training.schedules training.precision runs.needs runs.preflight runs.folder "
    "runs.result runs.surroundings "
    "studies.command studies.job studies.plan studies.stacks studies.executors.gpus"
).split()


def modules() -> dict[str, Path]:
    """Every module of ours by its name below rnnlab; a package is its __init__."""
    found = {}
    for path in SOURCES.rglob("*.py"):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(path: Path) -> Iterator[str]:
    """All that a file imports, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{alias.name}" for alias in names)


def of_ours(path: Path) -> set[str]:
    """The modules of ours that a file imports."""
    found = set()
    for name in imports(path):
        name = name.removeprefix("rnnlab.")
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found |= {name} - {""}
    return found


def test_every_room_is_known():
    rooms = {name.partition(".")[0] for name in MODULES}
    assert rooms - {"__init__", "__main__"} == set(ROOMS)


def test_imports_go_down_and_to_the_right_only():
    wrong = []
    for name, path in MODULES.items():
        room = name.partition(".")[0]
        allowed = {room, *ROOMS.get(room, " ".join(ROOMS)).split()}
        wrong += [
            f"{name} -> {other}" for other in of_ours(path) if other.split(".")[0] not in allowed
        ]
    assert wrong == []


def test_no_module_needs_itself():
    """Cycles: a module is taken away once all that it imports is; what is left are cycles."""
    needs = {name: of_ours(path) - {name} for name, path in MODULES.items()}
    while free := [name for name, others in needs.items() if not others & needs.keys()]:
        for name in free:
            del needs[name]
    assert needs == {}


def test_hydra_stays_at_the_border():
    wrong = [
        f"{name} -> {imported}"
        for name, path in MODULES.items()
        for imported in imports(path)
        if imported.split(".")[0] in HYDRA and not name.startswith(KNOWS_HYDRA)
    ]
    assert wrong == []


def test_the_network_knows_no_paths():
    wrong = [
        f"{name} -> {imported}"
        for name, path in MODULES.items()
        for imported in imports(path)
        if name.split(".")[0] in ("nn", "training", "instruments")
        and imported.split(".")[0] in ("pathlib", "os")
    ]
    assert wrong == []


def test_what_is_read_before_training_imports_no_torch():
    names = [
        f"rnnlab.{name}"
        for name in MODULES
        if any(name == free or name.startswith(f"{free}.") for free in TORCH_FREE)
        and not name.startswith("nn.engines.")
    ]
    code = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    assert len(names) > 20
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
