"""Operators that a file holds as layers: Keras 3's `keras.ops`, Keras 2's TFOpLambda and TensorFlowOpLayer.

A closed table: `formats.operators` says which spelling is which row. Attributes hold the call's own arguments, tensors
among them as Operands.
"""

from __future__ import annotations

from refconv.ops.operators import arithmetic, elementwise, logic, moving, reducing

FAMILIES = (arithmetic, elementwise, moving, reducing, logic)
ROWS = tuple(row for family in FAMILIES for row in family.ROWS)
