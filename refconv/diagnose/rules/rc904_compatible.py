"""Compatible with another kernel.

## What
No convention explains the values exactly, but they lie within the wider bound of a kernel that refconv cannot
simulate: Winograd's or FFT's transforms, or sums in 16 bits in an unknown order.

## Why
Libraries choose such kernels by themselves and do not say so. Their bounds are wide, so that many a wrong weight keeps
them too: this is no explanation, only what cannot be ruled out.

## Example
A 3x3 convolution by Winograd's F(4x4, 3x3) errs by about 1e-5 of the largest value of a tile.

## Fix
Run it again with such algorithms switched off, on weights and inputs of small integers, or in float32.
"""

from refconv.diagnose.rule import Rule, nothing

RULE = Rule("RC904", "compatible with another kernel", __doc__, nothing)
