"""Wrong only as it is compiled.

## What
In another mode (XLA, graph, eager) the framework gives the right values for this layer.

## Why
XLA and the graph's optimizer rewrite what the layers say. XLA has given wrong values for whole models
(tensorflow issues 125391, 118314, 118324).

## Example
A model that agrees with `--mode eager`, and not with `--mode xla`.

## Fix
Run the model in the mode in which it agrees, and report the layer to TensorFlow.
"""

from refconv.diagnose.rule import Rule, nothing

RULE = Rule("RC603", "wrong only as it is compiled", __doc__, nothing)
