"""These values cannot tell the explanations apart.

## What
Several rules give the values that were observed, and differ in values that were not.

## Why
Only a part of the output was given, in which they agree.

## Example
In the middle of an image no padding shows; in the channel of a symmetric filter no flip.

## Fix
Give more of the output: the report names the place where the explanations differ most.
"""

from refconv.diagnose.rule import Rule, nothing

RULE = Rule("RC902", "the values cannot tell the explanations apart", __doc__, nothing)
