"""The columns of the layer lines: what is in them, and how wide they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refconv.report.text import error, pad, printable, share, shorten, size, width
from refconv.result import LayerResult

Cells = tuple[str, str, str, str, str, str]

HEADER: Cells = ("layer", "type", "output", "error", "bound", "verdict")
GAP = 2
RIGHT = (False, False, False, True, True, False)
NAME, TYPE = 0, 1
LEAST_TYPE = 10


def cells(layer: LayerResult) -> Cells:
    """Name, type, output shape, largest error, share of the bound used ("bits" where none is left), verdict."""
    worst, shown = layer.worst, (printable(layer.name), printable(layer.type))
    verdict = layer.verdict.value + ("*" if layer.nondeterministic else "")
    if worst is None:
        return (*shown, "-", "-", "-", verdict)
    used = "bits" if worst.certified else share(worst.bound_used)
    return (*shown, size(layer.shape or ()), error(worst.max_abs_error), used, verdict)


@dataclass(frozen=True)
class Columns:
    """Widths of the six columns."""

    widths: tuple[int, ...]

    def line(self, row: Cells) -> str:
        padded = (pad(shorten(cell, w), w, right=r) for cell, w, r in zip(row, self.widths, RIGHT, strict=True))
        return (" " * GAP).join(padded).rstrip()


def fit(rows: Sequence[Cells], columns: int) -> Columns:
    """Widths that hold every row; where the terminal is too narrow, names and types give way."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(HEADER))]
    room = columns - sum(widths[TYPE + 1 :]) - GAP * (len(HEADER) - 1)
    if widths[NAME] + widths[TYPE] > room:
        widths[TYPE] = min(widths[TYPE], max(LEAST_TYPE, room - widths[NAME], room * 2 // 5))
        widths[NAME] = max(room - widths[TYPE], LEAST_TYPE)
    return Columns(tuple(widths))
