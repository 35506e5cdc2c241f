"""A folder that is about to be sent, and odd values to put into it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
