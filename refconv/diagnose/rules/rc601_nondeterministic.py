"""Framework not deterministic.

## What
Run once more, on the same input in the same mode, the framework gives the right values for this layer.

## Why
Threads that add in the order in which they finish, a race, or memory that a kernel reads before anything is written
there. Only differences beyond rounding are found so: those of the order of a sum lie within the bound.

## Example
A kernel that leaves the last row of its output unwritten gives what the memory held before.

## Fix
`tf.config.experimental.enable_op_determinism()` makes TensorFlow refuse such kernels; report the layer to it.
"""

from refconv.diagnose.rule import Rule, nothing

RULE = Rule("RC601", "framework not deterministic", __doc__, nothing)
