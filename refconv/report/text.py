"""Names, numbers and shapes as text that a terminal, a log and a column can take."""

from __future__ import annotations

import html
import json
import math
import unicodedata
from collections.abc import Sequence

ELLIPSIS = "…"


def printable(text: str) -> str:
    """`text` with every control, formatting and unassigned character escaped, so that no file can steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def markup(text: str) -> str:
    """`text` for HTML or XML, as content or in quotes: nothing in it is a tag or steers whoever reads it."""
    return html.escape(printable(text))


def in_json(text: str) -> str:
    """JSON that has been written, with what is not printable in its strings escaped as JSON does it."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def width(text: str) -> int:
    """Columns that printable text takes in a terminal."""
    return sum(_columns(c) for c in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` columns, its middle left out: both ends tell layers apart."""
    if width(text) <= limit:
        return text
    room = max(limit - 1, 0)
    head = _fit(text, room // 2)
    tail = _fit(text[::-1], room - width(head))[::-1]
    return head + ELLIPSIS[: max(limit, 0)] + tail


def _fit(text: str, limit: int) -> str:
    """The longest start of `text` in at most `limit` columns."""
    used = 0
    for count, character in enumerate(text):
        used += _columns(character)
        if used > limit:
            return text[:count]
    return text


def pad(text: str, columns: int, *, right: bool = False) -> str:
    space = " " * max(columns - width(text), 0)
    return space + text if right else text + space


def size(shape: Sequence[int]) -> str:
    """(2, 32, 32, 16) → "2×32×32×16"."""
    return "×".join(map(str, shape)) if shape else "scalar"


def error(value: float) -> str:
    """A deviation in two digits: "0", "1.2e-07"; a value of any size fits seven columns."""
    return "0" if value == 0 else f"{value:.1e}" if math.isfinite(value) else str(value)


def share(used: float) -> str:
    """A share of a bound: "12%", "<1%", "41x" beyond ten times, "inf"."""
    if not math.isfinite(used):
        return str(used)
    if used >= 10:
        return f"{used:.0f}x" if used < 99999.5 else f"{used:.0e}x"
    percent = f"{100 * used:.0f}%"
    if 0 < used < 0.005:
        return "<1%"
    return ">100%" if used > 1 and percent == "100%" else percent


def pair(expected: float, got: float) -> tuple[str, str]:
    """Both values in nine digits, which tell float32 numbers apart, or in seventeen where those look the same."""
    nine = f"{expected:.9g}", f"{got:.9g}"
    return nine if nine[0] != nine[1] or expected == got else (f"{expected:.17g}", f"{got:.17g}")


def decibel(value: float) -> str:
    return f"{value:.1f} dB" if math.isfinite(value) else f"{value} dB"


def seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def wrap(text: str, columns: int, indent: str = "", hang: str | None = None) -> list[str]:
    """`text`, escaped and broken between words into lines; all but the first start with `hang` (indent + 2 spaces)."""
    lines, start = [], indent
    line = ""
    for word in printable(text).split(" "):
        longer = f"{line} {word}" if line else start + word
        if line and width(longer) > columns:
            lines.append(line)
            start = indent + "  " if hang is None else hang
            line = start + word
        else:
            line = longer
    return [*lines, line]
