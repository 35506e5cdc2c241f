"""Colours of pictures, and which ink is read on them.

They are those of Okabe and Ito, "Color Universal Design", 2008, but for their yellow, which white
paper swallows.
"""

from __future__ import annotations

from matplotlib.colors import to_rgb
from matplotlib.typing import ColorType

COLOURS = "#000000 #E69F00 #0072B2 #009E73 #CC79A7 #56B4E9 #D55E00 #882255".split()


def ink_on(colour: ColorType) -> str:
    """Black or white, whichever has the higher contrast (WCAG 2.1: 4.5 at least)."""
    return "white" if luminance(colour) < 0.179 else "black"


def luminance(colour: ColorType) -> float:
    """Of light, between 0 and 1 (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
