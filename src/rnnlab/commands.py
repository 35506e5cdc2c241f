"""The commands that a study was made with, so that its folder is enough to go on with it.

Hydra's own multirun.yaml holds the last one only, and nothing of --config-dir. A command says which
jobs there are; what has become of them is in their folders.
"""

import json
from pathlib import Path

COMMANDS = "commands.jsonl"  # in the study's folder: a list of arguments a line


def note_command(sweep: Path, arguments: list[str]) -> None:
    """Add a command, without its sweep=FOLDER, if it is a new one."""
    if arguments not in read_commands(sweep):
        with (sweep / COMMANDS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(arguments, ensure_ascii=False) + "\n")


def read_commands(sweep: Path) -> list[list[str]]:
    """All of them, oldest first; none where the folder is not a study's."""
    try:
        lines = (sweep / COMMANDS).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return []
