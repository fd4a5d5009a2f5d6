"""Activation applied twice.

## What
The activation is applied to its own result.

## Why
A model whose last layer has `activation="softmax"`, and a loss or a script that applies another; logits are expected,
probabilities given.

## Example
softmax(softmax(z)) is nearly flat: no class comes near 1.

## Fix
Apply it once: the layer already does.
"""

from collections.abc import Iterator

from refconv.compare.counterfactuals.activations import ALONE
from refconv.diagnose.alter import quantizers
from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR, Activation, activate
from refconv.ops.base import Context
from refconv.ops.table import TABLE

IDEMPOTENT = ("linear", "relu", "relu6", "hard_tanh")


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    found = getattr(case.attrs, "activation", LINEAR)
    if "activation" in quantizers(case):
        return
    if isinstance(case.attrs, ALONE):
        row, attrs, weights = TABLE[case.node.type], case.attrs, case.weights

        def again(e: Enclosure, context: Context) -> Enclosure:
            made = row.forward(attrs, weights, (e,), context)
            return made if isinstance(made, Enclosure) else made[0]

        yield Change("", case, then=again)
    elif isinstance(found, Activation) and found.name not in IDEMPOTENT:

        def twice(e: Enclosure, context: Context) -> Enclosure:
            return activate(found, e, context.arithmetic)

        yield Change("", case, then=twice)


RULE = Rule("RC305", "activation applied twice", __doc__, propose)
