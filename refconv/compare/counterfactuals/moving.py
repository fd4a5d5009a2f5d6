"""Faults of layers that move, look up or merge elements: order, sides, operands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.embedding import Embedding, looks_up
from refconv.ops.filters import FILTERS
from refconv.ops.identity import Nothing
from refconv.ops.merging import Concatenate, Merge
from refconv.ops.padding import Cropping, Padding
from refconv.ops.resizing import Resizing, UpSampling
from refconv.ops.shaping import Flatten, Permute, Reshape
from refconv.ops.spatial import CHANNELS_FIRST, CHANNELS_LAST, lengths


def _other_order(case: Case) -> Case:
    """H, W, C for C, H, W and the other way."""
    other = CHANNELS_LAST if case.attrs.data_format == CHANNELS_FIRST else CHANNELS_FIRST
    return case.with_attrs(data_format=other)


def _two_orders(case: Case) -> bool:
    """At least two axes beside the batch that are longer than one."""
    return sum(n > 1 for n in case.inputs[0].shape[1:]) > 1


def _channels_first(case: Case) -> Case:
    return case.with_input(np.moveaxis(case.inputs[0], -1, 1))


def _reordered(case: Case) -> bool:
    shape = case.inputs[0].shape
    return len(shape) > 2 and shape[-1] > 1 and int(np.prod(shape[1:-1])) > 1


def _inverse(case: Case) -> Case:
    return case.with_attrs(dims=tuple(int(i) + 1 for i in np.argsort(case.attrs.dims)))


def _not_its_inverse(case: Case) -> bool:
    return _inverse(case).attrs != case.attrs


def _unmoved(case: Case) -> Case:
    return case.as_type("Identity", Nothing())


def _moves(case: Case) -> bool:
    return case.attrs.dims != tuple(range(1, len(case.attrs.dims) + 1))


def _padding_swapped(case: Case) -> Case:
    return case.with_attrs(padding=tuple(pair[::-1] for pair in case.attrs.padding))


def _uneven_padding(case: Case) -> bool:
    return any(before != after for before, after in case.attrs.padding)


def _cropping_swapped(case: Case) -> Case:
    return case.with_attrs(cropping=tuple(pair[::-1] for pair in case.attrs.cropping))


def _uneven_cropping(case: Case) -> bool:
    return any(before != after for before, after in case.attrs.cropping)


def _other_interpolation(case: Case) -> Case:
    return case.with_attrs(interpolation="nearest" if case.attrs.interpolation == "bilinear" else "bilinear")


def _interpolable(case: Case) -> bool:
    """Where an image's size changes; integers are not interpolated."""
    attrs, shape = case.attrs, case.inputs[0].shape
    if not hasattr(attrs, "interpolation"):
        return False
    spatial = lengths(shape, attrs.data_format)
    same = (attrs.height, attrs.width) == spatial if isinstance(attrs, Resizing) else max(attrs.size) == 1
    return not same and case.inputs[0].dtype.kind == "f"


def _other_smoothness(case: Case) -> Case:
    return case.with_attrs(antialias=not case.attrs.antialias)


def _smoothable(case: Case) -> bool:
    """Where an image is made smaller, by a filter that is then as much wider."""
    attrs, spatial = case.attrs, lengths(case.inputs[0].shape, case.attrs.data_format)
    return attrs.interpolation in FILTERS and (attrs.height < spatial[0] or attrs.width < spatial[1])


def _tiled(case: Case) -> Case:
    """x₀x₁x₀x₁ for x₀x₀x₁x₁, along every axis."""
    x, first = case.inputs[0], 2 if case.attrs.data_format == CHANNELS_FIRST else 1
    for axis, times in enumerate(case.attrs.size, start=first):
        x = np.concatenate([x] * times, axis)
    return case.as_type("Identity", Nothing()).with_input(x)


def _repeats(case: Case) -> bool:
    """Not of a single element."""
    attrs, spatial = case.attrs, lengths(case.inputs[0].shape, case.attrs.data_format)
    several = any(length > 1 and times > 1 for length, times in zip(spatial, attrs.size, strict=True))
    return several and getattr(attrs, "interpolation", "nearest") == "nearest"


def _next_row(case: Case) -> Case:
    return case.with_input((case.inputs[0].astype(np.int64) + 1) % case.attrs.input_dim)


def _reversed(case: Case) -> Case:
    return replace(case, inputs=case.inputs[::-1])


def _without_last(case: Case) -> Case:
    """Without the last operand: 0 for a sum, 1 for a product, nothing for an extreme."""
    if case.node.type in ("Maximum", "Minimum"):
        return replace(case, inputs=case.inputs[:-1])
    fill = np.ones_like if case.node.type == "Multiply" else np.zeros_like
    return replace(case, inputs=(*case.inputs[:-1], fill(case.inputs[-1])))


def _several(case: Case) -> bool:
    return len(case.inputs) > 1


def _subtracts(case: Case) -> bool:
    return case.node.type == "Subtract"


ROWS = (
    Counterfactual("channels flattened in the other order", (Flatten,), _other_order, _two_orders),
    Counterfactual("channels taken first", (Reshape,), _channels_first, _reordered),
    Counterfactual("permutation inverted", (Permute,), _inverse, _not_its_inverse),
    Counterfactual("layer left out", (Permute,), _unmoved, _moves),
    Counterfactual("sides swapped", (Padding,), _padding_swapped, _uneven_padding),
    Counterfactual("sides swapped", (Cropping,), _cropping_swapped, _uneven_cropping),
    Counterfactual("tiled instead of repeated", (UpSampling,), _tiled, _repeats),
    Counterfactual("the other interpolation", (UpSampling, Resizing), _other_interpolation, _interpolable),
    Counterfactual("antialiased, or not", (Resizing,), _other_smoothness, _smoothable),
    Counterfactual("next row looked up", (Embedding,), _next_row, lambda case: looks_up(case.attrs)),
    Counterfactual("inputs in reverse order", (Concatenate,), _reversed, _several),
    Counterfactual("last operand missing", (Merge,), _without_last, _several),
    Counterfactual("operands swapped", (Merge,), _reversed, _subtracts),
)
