"""Batch instead of moving statistics.

## What
The layer is normalised by mean and variance of the batch at hand, as in training.

## Why
The model was called with `training=True`, or left in training mode (PyTorch needs `eval()`).

## Example
One image normalised by its own mean comes out the same whatever its brightness.

## Fix
Run the layer for inference: `model(x, training=False)` or `predict`.
"""

from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Rule

RULE = Rule("RC309", "batch instead of moving statistics", __doc__, by_rows("statistics of the batch"))
