"""Bias missing.

## What
The sum of products is given out, or activated, without the bias; a normalisation without its beta.

## Why
The bias is a second array, easily left out where a kernel is exported alone; a layer that folds a BatchNormalization
has a bias even where `use_bias` is false.

## Example
y = relu(x·w) in place of relu(x·w + b).

## Fix
Add the bias to the sum, before the activation.
"""

from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Rule

PROPOSE = by_rows("bias missing", "beta missing", line="y = y + bias  # before the activation")
RULE = Rule("RC301", "bias missing", __doc__, PROPOSE)
