"""Bias not quantized.

## What
The stored bias is added, where the layer adds what its bias quantizer makes of it.

## Why
The kernel's quantizer is remembered, the bias's is a second one, with bits of its own.

## Example
With `bias_quantizer=quantized_bits(4,0,1)` a stored bias of 0.3 is added as 0.25.

## Fix
Add the effective bias.
`refconv weights MODEL LAYER --codes` prints it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import quantizes, slots_of
from refconv.diagnose.rule import Change, Question, Rule
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR
from refconv.ops.base import Context


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    slot = slots_of(case).get("bias") if quantizes(case) else None
    if slot is None or slot.quantizer is None or "bias" not in case.weights:
        return
    line = f"bias = refconv.weights(MODEL)[{case.node.layer!r}].bias.effective"
    altered = case.with_weights(bias=slot.raw.mid.astype(np.float32))
    radius = np.asarray(slot.raw.limit)  # a folded bias is a result of roundings itself
    uncertain = bool(np.any(radius)) and getattr(case.attrs, "activation", LINEAR) == LINEAR
    yield Change("", altered, line=line, then=_uncertain(altered, radius) if uncertain else None)


def _uncertain(case: Case, radius: np.ndarray) -> Callable[[Enclosure, Context], Enclosure]:
    shape = (1, -1, 1, 1) if getattr(case.attrs, "data_format", "") == "channels_first" else (-1,)

    def moved(e: Enclosure, context: Context) -> Enclosure:
        return replace(
            e, floor=np.asarray(e.floor) + np.broadcast_to(radius, case.weights["bias"].shape).reshape(shape)
        )

    return moved


RULE = Rule("RC102", "bias not quantized", __doc__, propose)
