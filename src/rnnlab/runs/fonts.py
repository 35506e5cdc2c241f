"""Which characters pictures can show: those of matplotlib's own font, and of fonts found here."""

from __future__ import annotations

from matplotlib.font_manager import findfont, fontManager
from matplotlib.ft2font import FT2Font

NO_FONT = ("last resort", "lastresort", "adobe blank")  # have a box, or nothing, for everything
families = ["DejaVu Sans"]  # matplotlib's own, and those that texts so far have needed
lacking: set[str] = set()  # characters that none has


def showable(text: str) -> str:
    """The same; what no font here has becomes Python's escape: \\u4e2d."""
    _look_for({*text} - lacking - {"\n"})
    return "".join(c.encode("unicode_escape").decode() if c in lacking else c for c in text)


def _look_for(characters: set[str]) -> None:
    """Families that have them are used from now on."""
    for name in families:
        characters -= _drawn_by(findfont(name), characters)
    fonts = sorted(fontManager.ttflist, key=lambda font: "Sans" not in font.name)
    for font in fonts if characters else ():
        is_font = not any(name in font.name.lower() for name in NO_FONT)
        if is_font and _drawn_by(font.fname, characters):
            found = _drawn_by(findfont(font.name), characters)  # its upright face
            families.extend([font.name] if found else [])
            characters -= found
    lacking.update(characters)


def _drawn_by(path: str, characters: set[str]) -> set[str]:
    """Those that a font has, and can draw: of coloured emoji some have pictures only."""
    try:
        font = FT2Font(path)
        font.set_size(12, 100)
        found = {c for c in characters if font.get_char_index(ord(c))}
        for character in found:
            font.load_char(ord(character))
    except (OSError, RuntimeError, ValueError):
        return set()
    return found
