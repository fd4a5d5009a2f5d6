"""One row per Keras class. To add a layer: a row in its family's file, and the family here."""

from __future__ import annotations

from refconv.ops import (
    activation_layers,
    bidirectional,
    convolution,
    dense,
    depthwise,
    embedding,
    global_pooling,
    identity,
    layer_normalization,
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
    residual,
    resizing,
    separable,
    shaping,
    transposed,
    unit_normalization,
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
    activation_layers,
    normalization,
    layer_normalization,
    unit_normalization,
    residual,
    preprocessing,
    shaping,
    identity,
    embedding,
    merging,
    recurrent,
    bidirectional,
    qkeras_layers,
    qkeras_folded,
    qkeras_other,
    qkeras_adaptive,
    qkeras_recurrent,
)

TABLE: dict[str, Row] = {row.keras: row for family in FAMILIES for row in family.ROWS}
