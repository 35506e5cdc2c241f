"""What comes from texts, configs and names, as nothing but text in the report's files."""

from __future__ import annotations

import html
import re

from rnnlab._common.console import one_line

MARKDOWN = re.compile(
    r"[\\`*_\[\]~$#@]"  # code, emphasis, links, formulas, headings, addresses
    r"|:(?=//)|\.(?=[^\W\d_])"  # http://, and www.example.com: links without brackets
)
FORMULA = re.compile(r"\s*[=+\-@]|[\t\r\n]")  # what a spreadsheet takes for one, says OWASP


def in_markdown(text: str) -> str:
    """A cell of a table, or a part of a line."""
    escaped = MARKDOWN.sub(r"\\\g<0>", one_line(text))
    return html.escape(escaped, quote=False).replace("|", "&#124;")


def in_code_span(text: str) -> str:
    """Code in a line of Markdown: its fence is longer than any inside."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    room = " " if "`" in text else ""
    return f"{fence}{room}{text}{room}{fence}"


def in_csv(value: object) -> object:
    """Numbers stay numbers; a text that a spreadsheet would compute gets an apostrophe."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{one_line(text)}" if FORMULA.match(text) else one_line(text)
