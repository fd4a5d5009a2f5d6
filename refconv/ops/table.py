"""One row per Keras class. To add a layer: a row in its family's file, and the family here."""

from __future__ import annotations

from refconv.ops import (
    activation_layers,
    bidirectional,
    convolution,
    dense,
    depthwise,
    dot,
    einsum_dense,
    embedding,
    global_pooling,
    identity,
    merging,
    normalization,
    padding,
    pooling,
    preprocessing,
    qkeras_adaptive,
    qkeras_folded,
    qkeras_layers,
    qkeras_other,
    qkeras_recurrent,
    recurrent,
    resizing,
    separable,
    shaping,
    time_distributed,
    transposed,
)
from refconv.ops.base import Row

FAMILIES = (
    dense,
    einsum_dense,
    convolution,
    depthwise,
    separable,
    transposed,
    pooling,
    global_pooling,
    padding,
    resizing,
    activation_layers,
    normalization,
    preprocessing,
    shaping,
    identity,
    embedding,
    merging,
    dot,
    recurrent,
    bidirectional,
    time_distributed,
    qkeras_layers,
    qkeras_folded,
    qkeras_other,
    qkeras_adaptive,
    qkeras_recurrent,
)

TABLE: dict[str, Row] = {row.keras: row for family in FAMILIES for row in family.ROWS}
