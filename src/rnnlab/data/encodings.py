"""What a file is that is no text in UTF-8, and the command that makes one of it."""

from __future__ import annotations

import codecs
import shlex
import unicodedata
from pathlib import Path

from rnnlab._common.errors import ConfigError

NUL = b"\0"
SAMPLE = 1 << 16  # bytes that are looked at
BY_HAND = "open it and save it as plain text in UTF-8"
# how files begin, what these are, and what makes a text of FILE
KINDS = [
    (b"\x1f\x8b", "compressed (gzip)", "gzip -dc FILE > NEW"),
    (b"BZh", "compressed (bzip2)", "bzip2 -dc FILE > NEW"),
    (b"\xfd7zXZ\0", "compressed (xz)", "xz -dc FILE > NEW"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)", "zstd -dc FILE > NEW"),
    (b"PK\3\4", "an archive (zip)", "unzip FILE"),
    (b"7z\xbc\xaf\x27\x1c", "an archive (7z)", "7z x FILE"),
    (b"Rar!", "an archive (rar)", "unrar x FILE"),
    (b"%PDF-", "a PDF", "pdftotext FILE NEW"),
    (b"{\\rtf", "a document (RTF)", BY_HAND),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document (Microsoft Office)", BY_HAND),
]
DOCUMENTS = {  # zip archives too, by what these begin with
    b"[Content_Types].xml": "a document (docx)",
    b"word/": "a document (docx)",
    b"mimetypeapplication/vnd.oasis": "a document (odt)",
    b"mimetypeapplication/epub": "a book (epub)",
}
MARKS = {  # the longer ones first
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WIDE = ("utf-32le", "utf-32be", "utf-16le", "utf-16be")  # as iconv has them
NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"
CONTROLS = bytes(range(0x80, 0xA0))
SPACES = "\t\n\v\f\r"
NO_TEXT = bytes({*range(0x20), 0x7F} - {*SPACES.encode()})


def between_characters(block: bytes) -> int:
    """Where to cut it near its end: UTF-8 has up to four bytes a character, the first has 11..."""
    for back in range(1, min(4, len(block)) + 1):
        byte = block[-back]
        if byte >= 0xC0:  # a character of as many bytes as it begins with ones
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return len(block) - back if length > back else len(block)
        if byte < 0x80:
            break
    return len(block)


def require_utf8(path: Path, raw: bytes, at: int = 0) -> None:
    """Raise ConfigError for bytes that are no text in UTF-8, saying what makes one of them.

    They may be a part of the file, which begins `at` so many bytes.
    """
    if not at and (found := _kind(raw) or _wide(raw)):
        what, command = found
        raise ConfigError(f"{path} is {what}, and not a text in UTF-8; {_typed(command, path)}")
    try:
        _ = raw.isascii() or raw.decode()
    except UnicodeDecodeError as error:
        what, command = _narrow(raw, error.start)
        byte = f"byte {at + error.start} is 0x{raw[error.start]:02x}"
        raise ConfigError(f"{path} is not UTF-8 ({byte}){what}; {_typed(command, path)}") from error
    if NUL in raw:
        raise ConfigError(
            f"{path} is no text (byte {at + raw.index(NUL)} is NUL); if it is one but for that, "
            + _typed(r"tr -d '\000' < FILE > NEW", path)
        )


def _kind(raw: bytes) -> tuple[str, str] | None:
    """By its first bytes."""
    if raw[257:262] == b"ustar":
        return "an archive (tar)", "tar -xf FILE"
    for beginning, what, command in KINDS:
        if raw.startswith(beginning):
            names = [name for name in DOCUMENTS if raw[30 : 30 + len(name)] == name]
            is_document = names and beginning == b"PK\3\4"
            return (DOCUMENTS[names[0]], BY_HAND) if is_document else (what, command)
    return None


def _wide(raw: bytes) -> tuple[str, str] | None:
    """Two or four bytes a character, by its mark or by its NULs."""
    marks = [name for mark, name in MARKS.items() if raw.startswith(mark)]
    sample = raw[:SAMPLE]
    has_nuls = NUL in sample and not _is_narrow(sample)
    guessed = [name for name in WIDE if has_nuls and _is_text(sample, name)]
    for name in marks or sorted(guessed, key=lambda name: -_plainness(sample, name))[:1]:
        return f"in {name.upper()}", f"iconv -f {name} -t utf-8 FILE > NEW"
    return None


def _is_narrow(sample: bytes) -> bool:
    """Bytes as a text of one byte a character has them, but for some NULs."""
    nuls, controls = sample.count(NUL), len(sample) - len(sample.translate(None, NO_TEXT))
    return nuls < len(sample) / 4 and controls - nuls <= len(sample) / 100


def _is_text(sample: bytes, encoding: str) -> bool:
    """Nearly all of it are characters that somebody writes."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    strange = sum(unicodedata.category(c) in ("Cc", "Cn", "Co") and c not in SPACES for c in text)
    return bool(text) and "\0" not in text and strange <= len(text) / 100


def _plainness(sample: bytes, encoding: str) -> int:
    """How many of its characters every language has."""
    return sum(c in " \n" for c in sample.decode(encoding, errors="ignore"))


def _narrow(raw: bytes, wrong: int) -> tuple[str, str]:
    """What an 8-bit text is, from what lies around its first byte that is wrong in UTF-8."""
    sample = raw[max(0, wrong - SAMPLE) : wrong + SAMPLE]
    decoded = sample.decode(errors="surrogateescape")
    bad = sum("\udc80" <= c <= "\udcff" for c in decoded)
    good = sum(c > "\x7f" for c in decoded) - bad
    high = sample.translate(None, bytes(range(0x80)))
    if NUL in sample:
        return ", and no text: it has a NUL too", BY_HAND
    if good >= bad:
        return " but otherwise it is", "iconv -c -f utf-8 -t utf-8 FILE > NEW"
    has_strange = any(byte in NOT_IN_CP1252 for byte in high)
    if has_strange or len(high) > len(sample.translate(None, b" \t\r\n")) / 3:
        return (
            ", perhaps cp1251, koi8-r, gb18030, big5, shift_jis or euc-kr: with the right one as X",
            "iconv -f X -t utf-8 FILE > NEW",
        )
    name = "cp1252" if any(byte in CONTROLS for byte in high) else "latin1"
    return f", probably {name}", f"iconv -f {name} -t utf-8 FILE > NEW"


def _typed(command: str, path: Path) -> str:
    """The command with the file's name, and a name for the new one, as a shell reads them."""
    if command == BY_HAND:
        return command
    name = str(path)
    file = f"./{name}" if name.startswith("-") else name
    stem = Path(file)
    new = str(stem.with_name(f"{stem.name.removesuffix(stem.suffix)}.utf-8.txt"))
    names = {"FILE": shlex.quote(file), "NEW": shlex.quote(new)}
    return f"type: {' '.join(names.get(word, word) for word in command.split())}"
