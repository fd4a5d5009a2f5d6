"""Too few values.

## What
So many changes were tried on so few values, or values of so few digits, that one fits by chance with a probability
above 1%.

## Why
A code of 4 bits is right by chance once in 16 times; forty changes then fit twice or more.

## Example
One output of a quantized layer; a value printed with two digits.

## Fix
Give more of the output, or more digits.
"""

from refconv.diagnose.rule import Rule, nothing

RULE = Rule("RC903", "too few values", __doc__, nothing)
