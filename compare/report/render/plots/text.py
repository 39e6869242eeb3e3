"""Text in figures: characters that the font does not have, and how wide a text is."""

import unicodedata
from collections.abc import Iterable
from functools import cache

from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.textpath import text_to_path

#: The font of all figures. It comes with matplotlib, so figures are the same on every machine.
FONT = "DejaVu Sans"


@cache
def _characters() -> frozenset[int]:
    """Return the code points that the font has."""
    return frozenset(get_font(fontManager.findfont(FontProperties(family=FONT))).get_charmap())


def drawable(text: str) -> str:
    """Return a text that the font can draw: a character that it does not have, or that is invisible, as U+4E2D.

    Dollar signs are escaped, because matplotlib takes a text between two of them for a formula.

    >>> drawable("the cat"), drawable("中文"), drawable("a\\tb"), drawable("$x$")
    ('the cat', 'U+4E2DU+6587', 'aU+0009b', '\\\\$x\\\\$')
    """
    return "".join(
        character if _is_drawn(character) else f"U+{ord(character):04X}" for character in text.replace("$", "\\$")
    )


def _is_drawn(character: str) -> bool:
    """Whether a character is in the font, and is no line break, control, format or private character."""
    category = unicodedata.category(character)
    return ord(character) in _characters() and not category.startswith("C") and category not in ("Zl", "Zp")


def width_of(text: str, points: float, weight: str = "normal") -> float:
    """Return the width of a drawable text in inches. points: the size of the font. weight: "normal" or "bold"."""
    properties = FontProperties(family=FONT, size=points, weight=weight)
    width, *_ = text_to_path.get_text_width_height_descent(text.replace("\\$", "$"), properties, False)
    return float(width) / 72


def widest(texts: Iterable[str], points: float) -> float:
    """Return the width of the widest of some drawable texts in inches; 0 if there are none."""
    return max((width_of(text, points) for text in texts), default=0.0)


def wrapped(text: str, points: float, inches: float, weight: str = "normal") -> list[str]:
    """Return a drawable text in lines that are at most `inches` wide; a longer word has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, points, weight) <= inches:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def shortened(text: str, points: float, inches: float, weight: str = "normal") -> str:
    """Return a drawable text, cut to `inches`; an ellipsis takes the place of what was cut."""
    if width_of(text, points, weight) <= inches:
        return text
    while text and width_of(f"{text}…", points, weight) > inches:
        text = text[:-1]
    return text.removesuffix("\\") + "…"
