"""What a trace holds of one layer call, judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from refconv.compare.declared import Declared
from refconv.compare.layer import Judgement, judge
from refconv.graph import Node
from refconv.ops.base import Context, Weights
from refconv.reference.forward import NodeWeights
from refconv.result import Verdict
from refconv.trace import Call, Trace


@dataclass(frozen=True)
class Seen:
    """What the framework's call took, gave, multiplied by and left after its steps."""

    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]
    weights: Weights
    steps: Weights


def seen_of(node: Node, call: Call, trace: Trace) -> Seen:
    inputs, outputs = (
        tuple(trace.tensors[key] for key in keys) for keys in (call.inputs[: len(node.inputs)], call.outputs)
    )
    weights, steps = ({name: trace.tensors[key] for name, key in named} for named in (call.weights, call.steps))
    return Seen(inputs, outputs, weights, steps)


def under_masks(node: Node, call: Call, masks: Mapping[int, np.ndarray], trace: Trace) -> Call:
    """The call with the masks that it was made under as its last inputs: they are known, and in no record.

    Args:
        masks: by the node that stands for each; they become tensors of `trace`.
    """
    refs = [ref for ref in node.inputs if ref.node in masks]
    keys = {ref.node: f"mask:{ref.node}" for ref in refs}
    trace.tensors.update({key: masks[index] for index, key in keys.items()})
    given = call.inputs[: len(node.inputs) - len(refs)]
    return replace(call, inputs=(*given, *(keys[ref.node] for ref in refs))) if refs else call


def judge_call(
    node: Node, call: Call | None, weights: NodeWeights, declared: Declared, trace: Trace, context: Context
) -> Judgement:
    """The layer on the framework's own inputs to it, or why that cannot be had."""
    if call is None:
        return Judgement(Verdict.UNVERIFIED, reason="the framework gave no output for this layer")
    if declared.reason:
        return Judgement(Verdict.UNVERIFIED, reason=declared.reason)
    if len(call.inputs) < len(node.inputs):
        return Judgement(Verdict.UNVERIFIED, reason="the framework's inputs to this layer could not be matched")
    seen = seen_of(node, call, trace)
    return judge(node, weights, seen.weights, seen.inputs, seen.outputs, context, declared, seen.steps)
