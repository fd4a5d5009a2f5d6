"""One row per Keras class. To add a layer: a row in its family's file, and the family here."""

from __future__ import annotations

from refconv.ops import (
    convolution,
    dense,
    depthwise,
    global_pooling,
    padding,
    pooling,
    resizing,
    separable,
    transposed,
)
from refconv.ops.base import Row

FAMILIES = (
    dense,
    convolution,
    depthwise,
    separable,
    transposed,
    pooling,
    global_pooling,
    padding,
    resizing,
)

TABLE: dict[str, Row] = {row.keras: row for family in FAMILIES for row in family.ROWS}
