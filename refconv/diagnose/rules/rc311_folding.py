"""Normalisation folded, or not.

## What
The BatchNormalization is left out (as where it was folded into the layer before), applied twice, already applied in
what the layer before gives, or not folded into a kernel that QKeras folds before it quantizes.

## Why
Converters fold a normalisation into the convolution before it; what is compared must be folded on both sides, or on
neither. QConv2DBatchnorm quantizes kernel·gamma/sqrt(variance + epsilon), and not the kernel.

## Example
The output of a folded convolution equals that of the BatchNormalization after it, not the convolution's own.

## Fix
Compare the folded layer with the output of the BatchNormalization, and leave that one out.
"""

from collections.abc import Callable, Iterator

import numpy as np

from refconv.diagnose.alter import quantizes
from refconv.diagnose.rule import Change, Question, Rule
from refconv.graph import Node
from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context
from refconv.ops.identity import Nothing
from refconv.ops.normalization import BatchNormalization
from refconv.ops.qkeras_folded import STATISTICS
from refconv.ops.table import TABLE
from refconv.quantizers.base import Quantizer
from refconv.reference.forward import forward, weights_of


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if isinstance(case.attrs, BatchNormalization):
        yield Change("left out", case.as_type("Identity", Nothing()))
        yield Change("applied twice", case, then=_then(case.node, dict(case.weights)))
    elif set(STATISTICS) & set(case.stored):
        yield from _unfolded(question)
    elif (after := _next(question)) is not None:
        yield Change(f"{after.layer} applied too", case, then=_then(after, weights_of(after).applied))


def _then(node: Node, weights: dict[str, np.ndarray]) -> Callable[[Enclosure, Context], Enclosure]:
    def normalised(e: Enclosure, context: Context) -> Enclosure:
        return forward(node, weights, [e], context)[0]

    return normalised


def _next(question: Question) -> Node | None:
    """The BatchNormalization that takes this layer's output."""
    index, nodes = question.case.node.index, question.graph.nodes if question.graph else ()
    following = [n for n in nodes if any(ref.node == index for ref in n.inputs) and n.index != index]
    return next((n for n in following if isinstance(n.attrs, BatchNormalization)), None)


def _unfolded(question: Question) -> Iterator[Change]:
    """The kernel quantized as it is stored; with the folded bias, and with the stored one."""
    case, slots = question.case, TABLE[question.case.node.type].slots
    if slots is None or not quantizes(case):
        return
    quantizer: Quantizer | None = slots(case.attrs, case.stored)["kernel"].quantizer
    kernel = quantizer.quantize(case.stored["kernel"]).values if quantizer else case.stored["kernel"]
    yield Change("the kernel not folded", case.with_weights(kernel=kernel.astype(np.float32)))
    bias = case.stored.get("bias", np.zeros_like(case.weights["bias"]))
    both = case.with_weights(kernel=kernel.astype(np.float32), bias=bias)
    yield Change("kernel and bias not folded", both)


RULE = Rule("RC311", "normalisation folded, or not", __doc__, propose)
