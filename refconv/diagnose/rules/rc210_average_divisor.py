"""Average pooling divides by the padding too.

## What
Where a SAME window reaches over the border, its sum is divided by the whole window's size, padding counted.

## Why
PyTorch's AvgPool2d counts the padding by default (`count_include_pad=True`), Keras and TensorFlow do not.

## Example
A 2×2 window with two elements inside, both 4: Keras gives 4, divided by four it is 2.

## Fix
Divide by the number of elements that lie inside the input.
"""

from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Rule

RULE = Rule("RC210", "average divides by the padding too", __doc__, by_rows("padding counts as divisor"))
