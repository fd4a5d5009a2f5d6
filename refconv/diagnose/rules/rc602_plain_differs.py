"""Recorded and plain run disagree.

## What
Every layer agrees where it is recorded, and `predict` without any recording does not.

## Why
Recording a layer's output keeps the graph's optimizer from fusing it with what follows. A fault of the fused kernel, or
of the optimizer, shows only in the plain graph.

## Example
A convolution, its bias and a relu are one fused kernel in `predict`, and three where each is recorded.

## Fix
Run in eager mode, or switch the optimizer's rewriting off, and report the model to TensorFlow.
"""

from refconv.diagnose.rule import Rule, nothing

RULE = Rule("RC602", "recorded and plain run disagree", __doc__, nothing)
