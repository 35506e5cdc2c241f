"""metrics.jsonl, and the bytes of any file."""

from __future__ import annotations

import contextlib
import json

from forgings.forger import Forger, dumped, forging, shown, write
from tensors_file import TensorsFile


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


def fit_lengths(by: Forger) -> None:
    """The checkpoints say of forged logs what they have become, so that runs go on with them."""
    for log in by.touched:
        path = log.parent / "checkpoints" / "last.safetensors"
        if path.is_symlink() or not (path.is_file() and log.is_file()):
            continue
        with contextlib.suppress(Exception):  # the checkpoint is forged, too
            file = TensorsFile.read(path)
            lengths = file.described["progress"]["lengths"]
            if log.name in lengths:
                lengths[log.name] = by.rng.choice([log.stat().st_size, log.stat().st_size, 0])
                file.write(path)
