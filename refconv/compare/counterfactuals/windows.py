"""Faults of where a window lies: sides, strides, dilation, and what padding counts for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.adaptive_pooling import AdaptivePooling
from refconv.ops.convolution import Convolution
from refconv.ops.depthwise import Depthwise
from refconv.ops.global_pooling import GlobalPooling
from refconv.ops.pooling import Pooling
from refconv.ops.spatial import CHANNELS_FIRST, lengths
from refconv.ops.table import TABLE
from refconv.ops.transposed import Transposed
from refconv.primitives.geometry import Pads, longest, parts, window

SLIDING = (Convolution, Depthwise, Pooling)


@dataclass(frozen=True)
class Sliding:
    """The geometry of a layer's window, whatever its attributes call it; one entry per spatial axis."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    spatial: tuple[int, ...]
    pads: Pads
    first: int  # the first spatial axis


def sliding(case: Case) -> Sliding:
    attrs, pool = case.attrs, isinstance(case.attrs, Pooling)
    size = attrs.pool_size if pool else attrs.kernel_size
    strides, dilation = attrs.strides or size, (1,) * len(size) if pool else attrs.dilation_rate
    first = 2 if attrs.data_format == CHANNELS_FIRST else 1
    spatial = case.inputs[0].shape[first : first + len(size)]
    return Sliding(
        size, strides, dilation, spatial, window(spatial, size, strides, dilation, attrs.padding).pads, first
    )


def _padded(case: Case, pads: Pads, value: float = 0.0) -> Case:
    """The input padded by hand, and a window that pads nothing."""
    x, first = case.inputs[0], sliding(case).first
    widths = [(0, 0)] * first + list(pads)
    widths += [(0, 0)] * (x.ndim - len(widths))
    return case.with_attrs(padding="valid").with_input(np.pad(x, widths, constant_values=value))


def _maximum(case: Case) -> bool:
    return case.node.type.startswith("Max")


def _other_side(case: Case) -> Case:
    swapped = tuple((after, before) for before, after in sliding(case).pads)
    return _padded(case, swapped, -np.inf if _maximum(case) else 0.0)


def _sided(case: Case) -> bool:
    """An odd number of zeros; an average by hand would count them as divisors, and be another fault."""
    if isinstance(case.attrs, Pooling) and not _maximum(case):
        return False
    return case.attrs.padding == "same" and any(before != after for before, after in sliding(case).pads)


def _valid(case: Case) -> Case:
    return case.with_attrs(padding="valid")


def _pads(case: Case) -> bool:
    return case.attrs.padding == "same" and any(map(any, sliding(case).pads))


def _extends(case: Case) -> bool:
    """A transposed convolution has other lengths under VALID, where its window is larger than its stride."""
    attrs = case.attrs
    extents = ((k - 1) * d + 1 for k, d in zip(attrs.kernel_size, attrs.dilation_rate, strict=True))
    wider = any(e > s for e, s in zip(extents, attrs.strides, strict=True))
    return attrs.padding == "same" and attrs.output_padding is None and wider


def _same(case: Case) -> Case:
    return case.with_attrs(padding="same")


def _causal(case: Case) -> bool:
    return case.attrs.padding == "causal" and max(case.attrs.kernel_size) > 1


def _offset(case: Case) -> Case:
    """Every window one element later, along the axes with a stride; zeros come in at the end."""
    x, where = case.inputs[0], sliding(case)
    for axis, stride in enumerate(where.strides, start=where.first):
        if stride > 1:
            rest = x.take(range(1, x.shape[axis]), axis)
            x = np.concatenate([rest, np.zeros_like(x.take([0], axis))], axis)
    return case.with_input(x)


def _strided(case: Case) -> bool:
    return max(sliding(case).strides) > 1


def _dense(case: Case) -> Case:
    return case.with_attrs(dilation_rate=(1,) * len(case.attrs.dilation_rate))


def _dilated(case: Case) -> bool:
    pairs = zip(case.attrs.dilation_rate, case.attrs.kernel_size, strict=True)
    return any(rate > 1 and size > 1 for rate, size in pairs)


def _counted(case: Case) -> Case:
    return _padded(case, sliding(case).pads)


def _average_pads(case: Case) -> bool:
    return _pads(case) and not _maximum(case)


def _maximum_pads(case: Case) -> bool:
    return _pads(case) and _maximum(case)


def _other_pooling(case: Case) -> Case:
    kinds = ("Max", "Average") if "Max" in case.node.type else ("Average", "Max")
    return replace(case, node=replace(case.node, type=case.node.type.replace(*kinds)))


def _has_other(case: Case) -> bool:
    """A window of more than one element, and a float layer, whose attributes are the other's too."""
    return _other_pooling(case).node.type in TABLE and max(case.attrs.pool_size) > 1


def _divided(case: Case) -> list[tuple[int, int]]:
    """Per axis: the number of elements, and of parts."""
    attrs = case.attrs
    return list(zip(lengths(case.inputs[0].shape, attrs.data_format), attrs.output_size, strict=True))


def _parts_of_several(case: Case) -> bool:
    return any(longest(parts(length, count)) > 1 for length, count in _divided(case))


def _several_positions(case: Case) -> bool:
    """Of a float layer, whose attributes are the other's too."""
    spatial = lengths(case.inputs[0].shape, case.attrs.data_format)
    return _other_pooling(case).node.type in TABLE and max(spatial, default=1) > 1


def _equal_parts(case: Case) -> Case:
    """A pooling of one size and stride that gives as many windows."""
    strides = tuple(length // count for length, count in _divided(case))
    size = tuple(n - (count - 1) * s for s, (n, count) in zip(strides, _divided(case), strict=True))
    kind = case.node.type.removeprefix("Adaptive")
    given = {"pool_size": size, "strides": strides, "data_format": case.attrs.data_format}
    return case.as_type(kind, TABLE[kind].attributes(**given))


def _unequal_parts(case: Case) -> bool:
    axes = _divided(case)
    return all(count <= length for length, count in axes) and any(length % count for length, count in axes)


ROWS = (
    Counterfactual("SAME's odd zero on the other side", SLIDING, _other_side, _sided),
    Counterfactual("VALID instead of SAME", SLIDING, _valid, _pads),
    Counterfactual("VALID instead of SAME", (Transposed,), _valid, _extends),
    Counterfactual("SAME instead of causal", (Convolution, Depthwise), _same, _causal),
    Counterfactual("strides start one later", SLIDING, _offset, _strided),
    Counterfactual("dilation ignored", (Convolution, Depthwise, Transposed), _dense, _dilated),
    Counterfactual("padding counts as divisor", (Pooling,), _counted, _average_pads),
    Counterfactual("padding's zeros may win", (Pooling,), _counted, _maximum_pads),
    Counterfactual("the other pooling", (Pooling,), _other_pooling, _has_other),
    Counterfactual("the other pooling", (AdaptivePooling,), _other_pooling, _parts_of_several),
    Counterfactual("the other pooling", (GlobalPooling,), _other_pooling, _several_positions),
    Counterfactual("windows of one size", (AdaptivePooling,), _equal_parts, _unequal_parts),
)
