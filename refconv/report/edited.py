"""What was changed in a copy of a model, for a person."""

from __future__ import annotations

from refconv.inventory.edit import Edited
from refconv.report.text import printable, size

ROWS = 30


def text(found: Edited) -> str:
    """Each weight with how many of its values differ from the source, and where the copy is."""
    lines = [
        f"{printable(w.label)}  {size(w.shape)}  {w.changed:,} of {w.elements:,} values changed"
        for w in found.weights[:ROWS]
    ]
    if len(found.weights) > ROWS:
        rest = found.weights[ROWS:]
        lines.append(f"… and {len(rest)} more weights, {sum(w.changed for w in rest):,} values changed")
    return "\n".join([*lines, f"written: {printable(found.path)}"]) + "\n"
