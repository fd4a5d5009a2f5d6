"""No known convention explains it.

## What
Every rule was tried alone, and as many pairs of rules as time allowed; none gives the values that were observed. The
report lists what was tried and the error that each leaves, in units of the bound.

## Why
More than two things differ, single weights do, or a convention that no rule knows.

## Example
A kernel that was retrained, an accumulator that overflows, values of another layer.

## Fix
Compare a smaller case: one sample, one channel, weights of small integers.
If it is a convention, tell us of it: a rule is one file.
"""

from refconv.diagnose.rule import Rule, nothing

RULE = Rule("RC901", "no known convention explains it", __doc__, nothing)
