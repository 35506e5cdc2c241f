"""What the Tab key offers after `rnnlab train`: names and choices, by Hydra's own completion."""

from __future__ import annotations

import re

import typer


def completed(context: typer.Context, incomplete: str) -> list[str]:
    """Every override that begins with the last word of the command line.

    Of sampler=ra, bash asks for `ra` after the words `sampler` and `=`; other shells for the whole.
    """
    from rnnlab.config.compose import completions

    *before, last = re.sub(r" ?= ?", "=", " ".join(context.params["overrides"] or [""])).split(" ")
    started = last.rstrip("=") + "=" if re.fullmatch(r"[^=]+=?", last) else ""
    if not started:
        before.append(last)
    found = completions([*before, started + incomplete])
    if len(found) == 1 and found[0].endswith("="):
        found += completions([*before, *found])  # and its value: no shell then adds a space
    return [word.removeprefix(started) for word in found]
