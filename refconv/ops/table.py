"""One row per Keras class. To add a layer: a row in its family's file, and the family here."""

from __future__ import annotations

from refconv.ops import dense
from refconv.ops.base import Row

FAMILIES = (dense,)

TABLE: dict[str, Row] = {row.keras: row for family in FAMILIES for row in family.ROWS}
