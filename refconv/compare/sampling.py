"""A small part of a layer call that is a layer call itself: some samples, channels and positions.

What the layer gives for them is what it gives in the whole tensor, bit for bit but for the rounding of the reference
itself, and with the same bound. So a fault that shows in the part shows in the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from refconv.compare.counterfactuals.activations import STANDING
from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.kernels import filters
from refconv.compare.counterfactuals.windows import sliding
from refconv.ops.activation_layers import Softmax
from refconv.ops.activations import LINEAR
from refconv.ops.adaptive_pooling import AdaptivePooling
from refconv.ops.base import Weights
from refconv.ops.convolution import Convolution
from refconv.ops.dense import Dense
from refconv.ops.depthwise import Depthwise
from refconv.ops.global_pooling import GlobalPooling
from refconv.ops.merging import Concatenate, Merge
from refconv.ops.normalization import BatchNormalization
from refconv.ops.pooling import Pooling
from refconv.ops.recurrent import Recurrent
from refconv.ops.separable import Separable
from refconv.ops.slots import quantizers
from refconv.ops.spatial import CHANNELS_FIRST
from refconv.ops.transposed import Transposed
from refconv.primitives.geometry import window

CHANNELS = 4  # two pairs of neighbours, so that a channel in its neighbour's place shows
POSITIONS = 16  # along an axis, for layers that treat every position alike
STEPS = 8
ENOUGH = 1 << 15  # numbers in the inputs

Keep = Callable[[np.ndarray], np.ndarray]


def _everything(v: np.ndarray) -> np.ndarray:
    return v


@dataclass(frozen=True)
class Sample:
    """Part of a layer call.

    Attributes:
        case: the part, as a layer call.
        keep: an array of its output's shape → the elements that are outputs of the whole layer; next to a cut they are
            not.
        words: what the part is; "" where it is everything.
        certified: whether the whole layer is held to bit equality.
    """

    case: Case
    keep: Keep = _everything
    words: str = ""
    certified: bool = True


def whole(case: Case) -> Sample:
    return Sample(case)


def sampled(case: Case) -> Sample:
    """Some channels, positions and samples of a large layer; everything, where elements depend on the rest."""
    if _global(case):
        return whole(case)
    said: list[str] = []
    case = replace(case, fed=case.inputs)
    for part in (_channels, _steps, _spread):
        words, case = part(case)
        said += words
    cut, case, keep = _crop(case)
    few, case = _samples(case)
    return Sample(case, keep, ", ".join(few + said + cut))


def _global(case: Case) -> bool:
    """A scale computed from the data of the whole batch, or one per channel; or tensors joined along the batch."""
    scale = getattr(quantizers(case.attrs).get("activation"), "alpha", None)
    return isinstance(scale, (str, tuple)) or (isinstance(case.attrs, Concatenate) and case.attrs.axis == 0)


def _samples(case: Case) -> tuple[list[str], Case]:
    """As many samples of the batch as hold ENOUGH numbers, at least one."""
    count = case.inputs[0].shape[0] if case.inputs and case.inputs[0].ndim else 0
    if not elementwise(case) or isinstance(case.attrs, Softmax):
        return [], case  # a softmax might be taken over the batch
    if count < 2 or any(x.shape[:1] != (count,) for x in case.inputs):
        return [], case
    most = max(ENOUGH * count // max(sum(x.size for x in case.inputs), 1), 1)
    if most >= count:
        return [], case
    steps = {name: v[:most] for name, v in case.steps.items()}
    return [f"{most} of {count} samples"], replace(case, inputs=tuple(x[:most] for x in case.inputs), steps=steps)


def elementwise(case: Case) -> bool:
    return bool(getattr(case.attrs, "activation", LINEAR).elementwise)


def _channels(case: Case) -> tuple[list[str], Case]:
    """Only a few output channels, the case's unit among them, where each is computed without the others."""
    attrs = case.attrs
    if not elementwise(case) or getattr(attrs, "groups", 1) > 1:
        return [], case
    count, take = taking(case)
    if take is None or count <= CHANNELS + 1:
        return [], case
    first = min(case.unit // 2, count // 2 - 1) * 2
    second = (first + count // 4 * 2) % (count // 2 * 2)
    alone = [case.unit] if case.unit == count // 2 * 2 else []  # of an odd number the last has no neighbour
    chosen = np.sort([first, first + 1, second, second + 1, *alone])
    part = replace(take(chosen), unit=int(np.searchsorted(chosen, case.unit)))
    return [f"{len(chosen)} of {count} channels"], part


def taking(case: Case) -> tuple[int, Callable[[np.ndarray], Case] | None]:
    """How many channels there are, and how to take some of them; None where they are not to be had apart."""
    attrs = case.attrs
    if isinstance(attrs, (Depthwise, Convolution, Transposed)) and not by_input(attrs):
        name, axis = filters(case)
        return case.weights[name].shape[axis], lambda chosen: _filters(case, chosen, "filters")
    if isinstance(attrs, Dense):
        return case.weights["kernel"].shape[-1], lambda chosen: _filters(case, chosen, "units")
    if isinstance(attrs, (Depthwise, Pooling, AdaptivePooling, GlobalPooling)):
        axis = 1 if attrs.data_format == CHANNELS_FIRST else -1
        return case.inputs[0].shape[axis], lambda chosen: _inputs(case, chosen, axis)
    if isinstance(attrs, BatchNormalization) and case.inputs[0].ndim > 1:
        return case.inputs[0].shape[attrs.axis], lambda chosen: _statistics(case, chosen)
    return 0, None


def channels_axis(case: Case) -> int | None:
    """The axis of the output's channels; None where the layer has none that can be taken apart."""
    attrs = case.attrs
    if isinstance(attrs, BatchNormalization):
        return attrs.axis
    if isinstance(attrs, GlobalPooling) and not attrs.keepdims:
        return -1
    if isinstance(attrs, (Convolution, Depthwise, Transposed, Pooling, AdaptivePooling, GlobalPooling)):
        return 1 if attrs.data_format == CHANNELS_FIRST else -1
    return -1 if isinstance(attrs, Dense) else None


def by_input(attrs: Any) -> bool:
    """A depthwise layer's output channels are its input's; a separable one's are its own."""
    return isinstance(attrs, Depthwise) and not isinstance(attrs, Separable)


def _narrowed(case: Case, narrow: Callable[[Weights], Weights]) -> Case:
    return replace(case, weights=narrow(case.weights), narrow=narrow)


def _filters(case: Case, chosen: np.ndarray, field: str) -> Case:
    name, axis = filters(case)

    def narrow(weights: Weights) -> Weights:
        axes = {name: axis, "bias": -1}
        return {n: w.take(chosen, axes[n]) if n in axes else w for n, w in weights.items()}

    return _narrowed(case, narrow).with_attrs(**{field: len(chosen)})


def _inputs(case: Case, chosen: np.ndarray, axis: int) -> Case:
    def narrow(weights: Weights) -> Weights:
        found = dict(weights)
        if "kernel" in found:
            multiplier = found["kernel"].shape[-1]
            found["kernel"] = found["kernel"].take(chosen, -2)
            if "bias" in found:
                found["bias"] = found["bias"].reshape(-1, multiplier)[chosen].ravel()
        return found

    return _narrowed(case, narrow).with_input(case.inputs[0].take(chosen, axis))


def _statistics(case: Case, chosen: np.ndarray) -> Case:
    def narrow(weights: Weights) -> Weights:
        return {name: w[chosen] for name, w in weights.items()}

    return _narrowed(case, narrow).with_input(case.inputs[0].take(chosen, case.attrs.axis))


def _steps(case: Case) -> tuple[list[str], Case]:
    """The first steps of a sequence: each is judged on the framework's own state before it."""
    attrs = case.attrs
    if not isinstance(attrs, Recurrent) or attrs.go_backwards or attrs.masks or case.inputs[0].shape[1] <= STEPS:
        return [], case
    steps = {name: v[:, :STEPS] for name, v in case.steps.items()}
    shorter = replace(case.with_input(case.inputs[0][:, :STEPS]), steps=steps)
    return [f"{STEPS} of {case.inputs[0].shape[1]} steps"], shorter


def _spread(case: Case) -> tuple[list[str], Case]:
    """Positions spread over every axis between the batch and the last, where each is treated alike."""
    first = case.inputs[0] if case.inputs else np.zeros(())
    if not _alike(case) or first.ndim < 3 or len({x.shape for x in case.inputs}) > 1:
        return [], case
    steps = [ceil(n / POSITIONS) for n in first.shape[1:-1]]
    if max(steps) == 1:
        return [], case
    at = (slice(None), *(slice(None, None, step) for step in steps))
    part = tuple(x[at] for x in case.inputs)
    shape = "×".join(map(str, part[0].shape[1:-1]))
    return [f"{shape} of {'×'.join(map(str, first.shape[1:-1]))} positions"], replace(case, inputs=part)


def _alike(case: Case) -> bool:
    attrs, rank = case.attrs, case.inputs[0].ndim if case.inputs else 0
    if isinstance(attrs, BatchNormalization):
        return attrs.axis in (-1, rank - 1)
    return isinstance(attrs, (*STANDING, Merge, Dense)) and elementwise(case)


def _crop(case: Case) -> tuple[list[str], Case, Keep]:
    """Both ends of each spatial axis, without the middle.

    What is left out is a multiple of the stride, so that SAME pads as before. A window that reaches over the cut, or
    that could under an altered convention, sees what the layer never sees together: its outputs are not kept.
    """
    if not isinstance(case.attrs, (Convolution, Depthwise, Pooling)) or not elementwise(case):
        return [], case, _everything
    where, x = sliding(case), case.inputs[0]
    shapes, indices = [], []
    for axis, length in enumerate(where.spatial):
        extent, stride = (where.size[axis] - 1) * where.dilation[axis] + 1, where.strides[axis]
        edge = ceil(2 * (extent + 1) / stride) * stride
        out = max(length - 2 * edge, 0) // stride * stride
        kept = np.r_[0:edge, edge + out : length] if out else np.arange(length)
        x = x.take(kept, where.first + axis) if out else x
        shapes.append(len(kept))
        count = window((len(kept),), (where.size[axis],), (stride,), (where.dilation[axis],), case.attrs.padding).out[0]
        starts = np.arange(count) * stride
        indices.append(np.flatnonzero((np.abs(starts - edge) > extent) | (not out)))
    if tuple(shapes) == where.spatial:
        return [], case, _everything

    def keep(v: np.ndarray) -> np.ndarray:
        for axis, index in enumerate(indices, start=where.first):
            v = v.take(index, axis)
        return v

    part, all_of = ("×".join(map(str, s)) for s in (shapes, where.spatial))
    return [f"{part} of {all_of} positions"], case.with_input(x), keep
