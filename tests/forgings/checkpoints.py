"""Checkpoints whose checksums are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forgings.forger import NUMBERS, Forger, dumped, forging, leaves, set_in, shown
from tensors_file import NAMES, Stored, TensorsFile


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
