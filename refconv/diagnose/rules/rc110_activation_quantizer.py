"""Activation quantizer missing or applied twice.

## What
What the activation's quantizer is given is given out as it is, or only rectified; or the quantizer is applied twice.

## Why
A quantized activation is a layer of its own in some models and an argument in others, so that a converter may leave it
out, or put it in once for each.

## Example
`quantized_relu(4)` gives 16 values between 0 and 1; a plain relu of the same sum gives any value from 0 on.

## Fix
Apply the activation's quantizer once, after the bias.
"""

from collections.abc import Iterator

from refconv.diagnose.alter import quantizers
from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR, Activation, activate
from refconv.ops.base import Context
from refconv.ops.identity import Nothing
from refconv.ops.qkeras_other import QActivation


def propose(question: Question) -> Iterator[Change]:
    case, q = question.case, quantizers(question.case).get("activation")
    if q is None or q.random:
        return
    alone = isinstance(case.attrs, QActivation)
    missing = case.as_type("Identity", Nothing()) if alone else case.with_attrs(activation=LINEAR)
    yield Change("missing", missing)
    if "relu" in q.name:
        yield Change("only rectified", case.with_attrs(activation=Activation("relu")))
    again = case.attrs.activation

    def twice(e: Enclosure, context: Context) -> Enclosure:
        return activate(again, e, context.arithmetic)

    yield Change("applied twice", case, then=twice)


RULE = Rule("RC110", "activation quantizer missing or applied twice", __doc__, propose)
