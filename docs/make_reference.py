"""The reference of every knob, choice, file and command: docs/reference, from where each is defined.

    make reference

A meaning stands once, beside what it is the meaning of; tests/test_reference.py fails where a page
is not what this writes. It also brings the lines up to date that docs/mathematics.md links to.
"""
# ruff: noqa: E501  (pages' prose)

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from rnnlab._common.choices import registered
from rnnlab.cli.commands import app
from rnnlab.config.described import (
    NO_VALUE,
    Described,
    about,
    chosen,
    in_order,
    knobs_of,
    knobs_of_config,
    primary,
)
from rnnlab.config.names import groups
from rnnlab.runs import folder
from rnnlab.runs.result import Result
from rnnlab.studies.comparison import table as comparison
from rnnlab.studies.report import spreadsheet
from rnnlab.training.metrics import FIGURES

DOCS = Path(__file__).resolve().parent
MADE = "<!-- Written by docs/make_reference.py (make reference); change what it is made from. -->"
ALL = "all"  # the choices of a group that have a knob
LOGGED = {  # of metrics.jsonl, besides the figures
    "epoch": ("a whole number", "the first is 1"),
    "val_perplexity": ("a number or null", "of held-out text, in epochs where it was taken"),
}
PLACES = {  # of minibatches.jsonl
    "minibatch": ("a whole number", "of the epoch, the first is 1; figures are of those up to it"),
    "epoch": ("a whole number", "that is under way"),
}
IN_WORDS = (  # a type as JSON has it
    *(("str", "a text"), ("int", "a whole number"), ("float", "a number")),
    *(("dict", "an object"), ("list", "a list"), ("Status", "a text")),
)


def pages() -> dict[str, str]:
    """Every page by its name in docs/reference."""
    return {
        "knobs.md": _page("Knobs", _knobs()),
        "choices.md": _page("Choices", _choices()),
        "files.md": _page("Files", _files()),
        "commands.md": _page("Commands", _commands()),
    }


def _page(title: str, parts: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", MADE, *parts]) + "\n"


# --- knobs and choices -----------------------------------------------------------------------


def _knobs() -> Iterator[str]:
    yield (
        "A value is set as `NAME=VALUE`, of every command that trains: `python run.py lr=0.3`. With `-m` several values make "
        "a study: `lr=0.3,1,3`. Defaults are those of [conf/config.yaml](../../conf/config.yaml) and the files beside it."
    )
    yield "## Of every job"
    yield _knob_table((knob, "") for knob in knobs_of_config())
    for group in in_order():
        if merged := _merged(group):
            yield f"## {group}"
            yield _knob_table(merged)


def _knob_table(knobs: Iterable[tuple[Described, str]]) -> str:
    found = [*knobs]
    has_choices = any(choices for _, choices in found)
    rows = [
        [_code(knob.name), knob.allowed, knob.default, knob.meaning, *([choices] * has_choices)]
        for knob, choices in found
    ]
    head = ["knob", "type and range", "default", "meaning", *(["of"] * has_choices)]
    return _table(head, rows)


def _merged(group: str) -> list[tuple[Described, str]]:
    """Each knob of a group once: with the choices that have it, and what each has as default."""
    having: dict[str, dict[str, Described]] = {}
    for name in groups()[group]:
        for knob in knobs_of(group, name):
            having.setdefault(knob.name, {})[name] = knob
    return [
        (dataclasses.replace(next(iter(own.values())), default=_default(own)), _of(group, own))
        for own in having.values()
    ]


def _default(own: dict[str, Described]) -> str:
    by_value: dict[str, list[str]] = {}
    for choice, knob in own.items():
        by_value.setdefault(_shown(knob.default), []).append(choice)
    if len(by_value) == 1:
        return next(iter(by_value))
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in by_value.items())


def _of(group: str, own: dict[str, Described]) -> str:
    return ALL if [*own] == groups()[group] else ", ".join(own)


def _shown(default: str) -> str:
    return "none: give one" if default == NO_VALUE else _code(default) if default else ""


def _choices() -> Iterator[str]:
    yield (
        "A choice is made as `GROUP=CHOICE`; its knobs are `GROUP.NAME` ([Knobs](knobs.md)). One of your own is a file "
        "([own cell](../howto/own-cell.md)) or a definition ([Extending](../extending.md))."
    )
    defaults = chosen(primary())
    for group in in_order():
        default = defaults.get(group)
        yield f"## {group}"
        if default:
            yield f"`{group}={default}` where nothing is typed."
        for name in groups()[group]:
            said = about(group, name)
            yield f"### {group}={name}"
            yield _text("\n\n".join(filter(None, [said, *_docstring(group, name, said)])))


def _docstring(group: str, name: str, said: str) -> list[str]:
    """What its definition says, where that is not said yet."""
    kind = registered(group).get(name)
    doc = inspect.cleandoc(kind.__doc__ or "") if kind else ""
    return [doc] if doc and said not in doc else []


# --- files -----------------------------------------------------------------------------------


def _files() -> Iterator[str]:
    yield "What a run leaves in its folder:"
    yield _listed(_entries(folder, r"(\S.*?)  +(\S.*)"), "file")
    yield "## result.json"
    yield "A run in one object, written at its start and at its end. What does not apply is null, never absent."
    yield _table(["key", "type", "meaning"], map(list, _result()))
    yield "## metrics.jsonl"
    yield "An object for each logged epoch (`log.every`); TensorBoard has the figures under their tags."
    yield _table(["key", "type", "meaning", "TensorBoard"], _logged(LOGGED))
    yield "## minibatches.jsonl"
    yield "With `log.every_minibatches`, the same figures within epochs, without `val_perplexity`:"
    yield _table(["key", "type", "meaning"], [[_code(n), *own] for n, own in PLACES.items()])
    yield "## results.csv"
    yield "A line for each run of a study, beside its report; `rnnlab.load(...).frame` has the same columns."
    yield _listed(_entries(spreadsheet, r"(\S+(?:, \S+)*)  +(\S.*)"), "column")
    yield "## rnnlab compare"
    yield "Columns of `--format csv`, keys of the rows of `--format json`, columns of `study.compare(...).frame`:"
    yield _listed(_entries(comparison, r"(\S+(?:, \S+)*)  +(\S.*)"), "column")


def _result() -> Iterator[tuple[str, str, str]]:
    hints = get_type_hints(Result)
    for field in dataclasses.fields(Result):
        yield _code(field.name), _json_type(hints[field.name]), field.metadata["meaning"]


def _json_type(hint: Any) -> str:
    name = str(hint.__name__ if isinstance(hint, type) and "[" not in str(hint) else hint)
    first, _, rest = name.partition(" | ")
    words = next(words for kind, words in IN_WORDS if first.startswith(kind))
    return f"{words} or null" if rest else words


def _logged(besides: dict[str, tuple[str, str]]) -> Iterator[list[str]]:
    first, *last = ([_code(name), *own, ""] for name, own in besides.items())
    yield first
    for name, figure in FIGURES.items():
        yield [_code(name), "a number", figure.meaning, _code(figure.tag or "")]
    yield from last


def _entries(module: ModuleType, pattern: str) -> Iterator[tuple[str, str]]:
    """The names that a module's docstring explains, line by line, and what it says of each."""
    name, meaning = "", list[str]()
    for line in inspect.getdoc(module).splitlines():  # type: ignore[union-attr]
        if found := re.fullmatch(pattern, line):
            if name:
                yield name, " ".join(meaning)
            name, meaning = found[1], [found[2]]
        elif name and line.startswith("   "):
            meaning.append(line.strip())
        elif name:
            break
    if name:
        yield name, " ".join(meaning)


def _listed(entries: Iterable[tuple[str, str]], what: str) -> str:
    rows = [[name if name == "..." else _code(name), meaning] for name, meaning in entries]
    return _table([what, "meaning"], rows)


# --- commands --------------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    yield "`python run.py`, in a checkout, is `rnnlab train`. `rnnlab COMMAND --help` says what stands here."
    callbacks = [command.callback for command in app.registered_commands if command.callback]
    for callback in sorted(callbacks, key=lambda callback: callback.__name__):
        yield f"## rnnlab {_dashed(callback.__name__)}"
        yield _text(inspect.getdoc(callback) or "")
        if rows := [*_parameters(callback)]:
            yield _table(["", "type and range", "default", "meaning"], rows)


def _parameters(callback: Callable[..., Any]) -> Iterator[list[str]]:
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        if get_origin(hints[name]) is Annotated:
            kind, info = get_args(hints[name])
            yield [_code(_typed(name, info)), _kind(kind, info), *_said(parameter.default, info)]


def _typed(name: str, info: Any) -> str:
    if isinstance(info, typer.models.ArgumentInfo):
        return info.metavar or name.upper()
    given = [
        word for word in (info.default, *(info.param_decls or ())) if str(word).startswith("-")
    ]
    return ", ".join(given or [f"--{_dashed(name)}"])


def _kind(kind: Any, info: Any) -> str:
    (own, *_) = [each for each in get_args(kind) or (kind,) if each is not NoneType]
    if own is bool:
        return ""
    words = {int: "a whole number", float: "a number", Path: "a path"}.get(own, "a text")
    low, high = info.min, info.max
    return words + ("" if low is None else f" >= {low}" if high is None else f" in [{low}, {high}]")


def _said(default: Any, info: Any) -> list[str]:
    """The default, and the meaning."""
    shown = info.show_default if isinstance(info.show_default, str) else ""
    if default is inspect.Parameter.empty:
        shown = "has to be given"
    elif not (default is None or default is False or default == ""):
        shown = shown or _code(str(default))
    return [shown, info.help or ""]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


# --- Markdown --------------------------------------------------------------------------------


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _text(text).replace("\n", " ").replace("|", "&#124;")


def _text(text: str) -> str:
    """What stands in the sources as text: no tag of HTML, no emphasis."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else _escaped(p) for p in parts)


def _escaped(text: str) -> str:
    return re.sub(r"[*_\[\]]", r"\\\g<0>", text.replace("<", "&lt;").replace(">", "&gt;"))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


# --- the lines that formulas link to ---------------------------------------------------------

LINK = re.compile(r"\[`(?P<code>[^`]+)`\]\((?P<file>\.\./[^)#]+\.py)#L(?P<line>\d+)\)")


def with_lines(page: str) -> str:
    """Each link to a line of code that is quoted leads to the line that it is in."""
    return LINK.sub(_with_line, page)


def _with_line(match: re.Match[str]) -> str:
    lines = (DOCS / match["file"]).read_text(encoding="utf-8").splitlines()
    found = [number for number, line in enumerate(lines, 1) if match["code"] in line]
    if not found:
        raise ValueError(f"docs/mathematics.md quotes {match['code']}, which {match['file']} lacks")
    nearest = min(found, key=lambda number: abs(number - int(match["line"])))
    return f"[`{match['code']}`]({match['file']}#L{nearest})"


def main() -> None:
    (DOCS / "reference").mkdir(exist_ok=True)
    for name, text in pages().items():
        (DOCS / "reference" / name).write_text(text, encoding="utf-8")
        print(DOCS / "reference" / name)
    mathematics = DOCS / "mathematics.md"
    mathematics.write_text(with_lines(mathematics.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
