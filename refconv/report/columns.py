"""The columns of the layer lines: what is in them, and how wide they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refconv.report.text import error, pad, printable, share, shorten, size, width
from refconv.result import LayerResult

Cells = tuple[str, str, str, str, str, str, str]

HEADER: Cells = ("layer", "type", "output", "error", "bound", "power", "verdict")
GAP = 2
RIGHT = (False, False, False, True, True, True, False)
NAME, TYPE = 0, 1
LEAST_TYPE = 10


def header(layers: Sequence[LayerResult]) -> Cells:
    """The head of the columns; that of the power is empty where none was measured."""
    return HEADER if any(layer.power for layer in layers) else (*HEADER[:-2], "", HEADER[-1])


def cells(layer: LayerResult) -> Cells:
    """Name, type, output shape, largest error, share of the bound used ("bits" where none is left), power, verdict."""
    worst, shown = layer.worst, (printable(layer.name), printable(layer.type))
    verdict = layer.verdict.value + ("*" if layer.nondeterministic else "")
    power = f"{len(layer.power.caught)}/{layer.power.applicable}" if layer.power else ""
    if worst is None:
        return (*shown, "-", "-", "-", power, verdict)
    used = "bits" if worst.certified else share(worst.bound_used)
    return (*shown, size(layer.shape or ()), error(worst.max_abs_error), used, power, verdict)


@dataclass(frozen=True)
class Columns:
    """Widths of the columns; one of no width is left out."""

    widths: tuple[int, ...]

    def line(self, row: Cells) -> str:
        shown = (column for column in zip(row, self.widths, RIGHT, strict=True) if column[1])
        padded = (pad(shorten(cell, w), w, right=r) for cell, w, r in shown)
        return (" " * GAP).join(padded).rstrip()


def fit(rows: Sequence[Cells], columns: int) -> Columns:
    """Widths that hold every row; where the terminal is too narrow, names and types give way."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(HEADER))]
    room = columns - sum(widths[TYPE + 1 :]) - GAP * (sum(map(bool, widths)) - 1)
    if widths[NAME] + widths[TYPE] > room:
        widths[TYPE] = min(widths[TYPE], max(LEAST_TYPE, room - widths[NAME], room * 2 // 5))
        widths[NAME] = max(room - widths[TYPE], LEAST_TYPE)
    return Columns(tuple(widths))
