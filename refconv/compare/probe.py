"""Integer probes: what a clone of a layer made of small integers, to the last bit.

Every order of summation gives the same integers, so that only geometry and layout can differ: padding, strides,
dilation, groups, axes. Two things may round in between: a mean divides, and Winograd's and the FFT's transforms leave
the integers and come back near them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any

import numpy as np

from refconv.compare.tensor import compare
from refconv.graph import Node
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.activations import LINEAR
from refconv.ops.adaptive_pooling import AdaptivePooling
from refconv.ops.base import Context
from refconv.ops.spatial import lengths
from refconv.primitives.geometry import longest, parts
from refconv.reference.forward import forward
from refconv.result import Comparison, LayerResult, Verdict
from refconv.trace import Call, Probe, Trace, accelerator

DIFFERS = (
    "its integer probe differs: fed small integers, the layer does not give what the model says, so geometry or layout "
    "is wrong (padding, strides, dilation, groups, axes)"
)
ROUNDED = (
    "its integer probe is exact when rounded to integers: the library chose an algorithm whose transforms round "
    "(Winograd, FFT)"
)
DEFECT = "the numbers of its integer probe give no exact result, a defect of refconv: no verdict"
NOTE = "probes: the library may choose another algorithm for a probe than for the layer itself"
INTEGERS = {"float16": 2**11, "bfloat16": 2**8}  # the results that a narrow format holds; float32's are certified


@dataclass(frozen=True)
class Probed:
    """The comparison of a probe, or a reason why there is none; a reason also where it differs or was rounded."""

    comparison: Comparison | None = None
    reason: str = ""


def judge_probe(
    node: Node, probe: Probe, tensors: Mapping[str, np.ndarray], context: Context, *, gpu: bool = False
) -> Probed:
    """Judge what the clone of `node` gave.

    Args:
        probe: the record, whose tensors are in `tensors`: input and weights as integers.
        gpu: it ran on a GPU, where libraries have algorithms with transforms that round.
    """
    if not probe.outputs:
        return Probed(reason=f"not probed: {probe.reason}")
    got = tensors[probe.outputs[0]]
    weights = {name: tensors[key].astype(np.float32) for name, key in probe.weights}
    inputs = tuple(tensors[key].astype(np.float32) for key in probe.inputs)
    alone = replace(context, need=Need.WORST, arithmetic=Arithmetic())
    (enclosure,) = forward(bare(node), weights, inputs, alone)
    if got.shape == enclosure.mid.shape and not certain(node, enclosure, got.dtype.name, inputs[0].shape):
        means = got.dtype.name in INTEGERS and _area(node, enclosure, inputs[0].shape)
        return Probed(reason=f"not probed: its means are rounded to {got.dtype.name}" if means else DEFECT)
    return decide(enclosure, got if got.dtype.itemsize > 2 else got.astype(np.float32), gpu)


def probed(node: Node, result: LayerResult, call: Call | None, trace: Trace, context: Context) -> LayerResult:
    """The result with that of the layer's probe, where there is one for its path and input shape."""
    if node.attrs is None or call is None or not call.inputs:
        return result
    shape, gpu = trace.tensors[call.inputs[0]].shape, accelerator(trace.environment) is not None
    for probe in trace.probes:
        if (probe.layer, probe.shape) == (node.layer, shape):
            return attach(result, judge_probe(node, probe, trace.tensors, context, gpu=gpu))
    return result


def bare(node: Node) -> Node:
    """The node as its clone computes it: no activation, no quantizer, no mask (worker/probes.py)."""
    names = [f.name for f in fields(node.attrs)]
    without: dict[str, Any] = {name: None for name in names if name.endswith("_quantizer")}
    linear = {"activation": LINEAR} if "activation" in names else {}
    unmasked = {"masks": ()} if "masks" in names else {}
    return replace(node, attrs=replace(node.attrs, **without, **linear, **unmasked))


def certain(node: Node, enclosure: Enclosure, dtype: str, shape: tuple[int, ...]) -> bool:
    """Whether no two results of other integers, or of another geometry, lie in one enclosure.

    `shape` is the input's. Sums are exact. A mean of n integers is a multiple of 1/n, so that a radius
    below 1/(2n) leaves one sum alone.
    """
    if np.any(np.abs(enclosure.mid) > INTEGERS.get(dtype, np.inf)):
        return False
    if enclosure.exact:
        return True
    area = _area(node, enclosure, shape)
    return bool(dtype not in INTEGERS and area and np.all(np.asarray(enclosure.limit) * area < 0.5))


def _area(node: Node, enclosure: Enclosure, shape: tuple[int, ...]) -> int:
    """How many elements a mean has at most; 0 for a layer that takes no mean."""
    attrs = node.attrs
    if isinstance(attrs, AdaptivePooling) and "Average" in node.type:
        axes = zip(lengths(shape, attrs.data_format), attrs.output_size, strict=True)
        return prod(longest(parts(*axis)) for axis in axes)
    if not node.type.removeprefix("Q").removeprefix("Global").startswith("AveragePooling"):
        return 0
    pool = getattr(attrs, "pool_size", None)
    return prod(pool) if pool else prod(shape) // max(enclosure.mid.size, 1)


def decide(enclosure: Enclosure, got: np.ndarray, gpu: bool) -> Probed:
    """The comparison; where a GPU's result misses integers by less than 0.5, it passes and says so."""
    compared = compare(enclosure, got)
    if compared.verdict.severity < Verdict.SUSPECT.severity:
        return Probed(compared)
    near = got.shape == enclosure.mid.shape and bool(np.all(np.abs(got.astype(np.float64) - enclosure.mid) < 0.5))
    if gpu and near and enclosure.exact:
        return Probed(replace(compared, verdict=Verdict.WITHIN, failing=0), ROUNDED)
    return Probed(replace(compared, verdict=Verdict.MISMATCH), DIFFERS)


def attach(result: LayerResult, probed: Probed) -> LayerResult:
    """A layer's result with its probe: one that differs makes the layer a mismatch."""
    result = replace(result, probe=probed.comparison, probe_reason=probed.reason)
    if probed.comparison is None or probed.comparison.verdict is not Verdict.MISMATCH:
        return result
    return replace(result, verdict=Verdict.MISMATCH, reason="")
