"""Along which dimensions a layer can be made smaller: what each axis of its inputs and weights is called.

An axis is a tuple of labels, the last one fastest: a grouped convolution's input channels are ("group", "channel"),
the columns of an LSTM's kernel ("gate", "unit"). What has one label is cut together, and the fields of the
configuration that count it follow. A layer whose kind is not known here is guessed at: a wrong guess gives a case that
cannot be run or no longer fails, and is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.ops.registered import Custom
from refconv.ops.spatial import CHANNELS_FIRST
from refconv.pipeline.reducing.case import Case

Axis = tuple[str, ...]
SPATIAL = ("height", "width", "depth")
TAPS = ("kernel height", "kernel width", "kernel depth")
NEIGHBOURS = (*SPATIAL, *TAPS, "steps")  # of which only a run without gaps is kept


@dataclass(frozen=True)
class Layout:
    """What every axis of one case is.

    Attributes:
        sizes: of each label.
        inputs, weights: the axes of each array.
        fields: field of the configuration → the axis that it counts, or the axes, where it is a list.
        output: the axes of the first output, as far as its places are those of the input: () where not.
        whole: labels of which nothing is left out.
    """

    sizes: Mapping[str, int]
    inputs: tuple[tuple[Axis, ...], ...]
    weights: Mapping[str, tuple[Axis, ...]] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    output: tuple[Axis, ...] = ()
    whole: frozenset[str] = frozenset({"gate"})

    @property
    def labels(self) -> tuple[str, ...]:
        """Those along which something can be left out: samples first, then the largest."""
        found = [name for name, size in self.sizes.items() if size > 1 and name not in self.whole]
        return tuple(sorted(found, key=lambda name: (name != "samples", -self.sizes[name])))

    def fits(self, case: Case) -> bool:
        """Whether the arrays have these axes."""
        arrays = [(axes, x.shape) for axes, x in zip(self.inputs, case.inputs, strict=False)]
        arrays += [(axes, case.weights[name].shape) for name, axes in self.weights.items() if name in case.weights]
        complete = len(self.inputs) == len(case.inputs) and set(case.weights) == set(self.weights)
        return complete and all(tuple(map(self._length, axes)) == shape for axes, shape in arrays)

    def _length(self, axis: Axis) -> int:
        return prod(self.sizes[name] for name in axis)

    def take(self, case: Case, label: str, keep: np.ndarray) -> Case:
        """The case with these places of `label` alone.

        Raises:
            UnreadableModel: the layer cannot have so many.
        """
        sizes = {**self.sizes, label: len(keep)}
        inputs = tuple(self._kept(x, axes, label, keep) for x, axes in zip(case.inputs, self.inputs, strict=True))
        weights = {name: self._kept(w, self.weights[name], label, keep) for name, w in case.weights.items()}
        counted = [name for name, axis in self.fields.items() if name in case.config and _counts(axis, label)]
        changed = {name: _like(case.config[name], _count(self.fields[name], sizes)) for name in counted}
        return case.altered(changed, inputs, weights)

    def _kept(self, x: np.ndarray, axes: tuple[Axis, ...], label: str, keep: np.ndarray) -> np.ndarray:
        for number, axis in enumerate(axes):
            if label in axis:
                parts = tuple(self.sizes[name] for name in axis)
                wide = x.reshape(*x.shape[:number], *parts, *x.shape[number + 1 :])
                cut = np.take(wide, keep, axis=number + axis.index(label))
                x = cut.reshape(*x.shape[:number], -1, *x.shape[number + 1 :])
        return np.ascontiguousarray(x)

    def place(self, index: tuple[int, ...], shape: tuple[int, ...]) -> dict[str, int]:
        """Where an element of the first output is, label by label; along neighbours as a share of the input's."""
        found: dict[str, int] = {}
        for axis, at, length in zip(self.output, index, shape, strict=False):
            if axis and axis[0] in NEIGHBOURS:
                found[axis[0]] = at * self.sizes[axis[0]] // max(length, 1)
            elif axis and self._length(axis) == length:
                parts = np.unravel_index(at, tuple(self.sizes[name] for name in axis))
                found.update(zip(axis, map(int, parts), strict=True))
        return found


def _counts(axis: Any, label: str) -> bool:
    """An axis is a tuple of labels, a list of axes stands for a list in the configuration."""
    return any(_counts(each, label) for each in axis) if isinstance(axis, list) else label in axis


def _count(axis: Any, sizes: Mapping[str, int]) -> Any:
    return [_count(each, sizes) for each in axis] if isinstance(axis, list) else prod(sizes[name] for name in axis)


def _like(before: Any, count: Any) -> Any:
    """One number for all axes where the configuration had one and still can."""
    return count[0] if isinstance(count, list) and isinstance(before, int) and len(set(count)) == 1 else count


def layouts(case: Case) -> Iterator[Layout]:
    """How the case may be laid out, the likeliest first."""
    for make in _kinds(case):
        try:
            found = make(case)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError, UnreadableModel):
            continue  # not of that kind
        if found.fits(case):
            yield found
    yield guessed(case)


Make = Callable[[Case], Layout]


def _kinds(case: Case) -> tuple[Make, ...]:
    """Of a layer of Keras its own; of a user's class those whose fields it has."""
    if isinstance(case.node.attrs, Custom):
        return (convolution, transposed, depthwise, dense, pooling, recurrent)
    kind = case.node.type.removeprefix("Q").removesuffix("Batchnorm")
    return tuple(make for start, make in KINDS if kind.startswith(start))


def _spatial(case: Case, size: str) -> tuple[tuple[int, ...], tuple[Axis, ...], tuple[Axis, ...], bool]:
    """The window, its axes, the input's spatial axes, and whether channels come before these."""
    given = case.config[size]
    window = tuple(given) if isinstance(given, (list, tuple)) else (int(given),) * (case.inputs[0].ndim - 2)
    first = case.config.get("data_format") == CHANNELS_FIRST
    taps, spatial = ([(name,) for name in names[: len(window)]] for names in (TAPS, SPATIAL))
    return window, tuple(taps), tuple(spatial), first


def _with(spatial: tuple[Axis, ...], channels: Axis, first: bool) -> tuple[Axis, ...]:
    return (("samples",), channels, *spatial) if first else (("samples",), *spatial, channels)


def _sizes(case: Case, spatial: tuple[Axis, ...], first: bool) -> dict[str, int]:
    shape = case.inputs[0].shape
    lengths = shape[2:] if first else shape[1:-1]
    return {"samples": shape[0], **{axis[0]: n for axis, n in zip(spatial, lengths, strict=True)}}


def _named(case: Case, *kernels: tuple[Axis, ...], out: Axis) -> dict[str, tuple[Axis, ...]]:
    """The weights in their order: kernels first, then what has a number per output channel, and single numbers."""
    found = dict(zip(case.weights, kernels, strict=False))
    rest = {name: (out,) if w.ndim else () for name, w in case.weights.items() if name not in found}
    return {**found, **rest}


def convolution(case: Case) -> Layout:
    """Conv1D, 2D, 3D with groups; SeparableConv has a class of its own."""
    window, taps, spatial, first = _spatial(case, "kernel_size")
    groups, filters = int(case.config.get("groups", 1)), int(case.config["filters"])
    channels = case.inputs[0].shape[1 if first else -1]
    sizes = {
        **_sizes(case, spatial, first),
        **{axis[0]: n for axis, n in zip(taps, window, strict=True)},
        **{"group": groups, "channel": channels // groups, "filter": filters // groups},
    }
    filters_axis: Axis = ("group", "filter")
    kernel = (*taps, ("channel",), filters_axis)
    return Layout(
        sizes,
        (_with(spatial, ("group", "channel"), first),),
        _named(case, kernel, out=filters_axis),
        {"filters": filters_axis, "groups": ("group",), "kernel_size": list(taps)},
        _with(spatial, filters_axis, first),
    )


def transposed(case: Case) -> Layout:
    """Conv2DTranspose and its relatives: kernel (taps, filters, channels)."""
    window, taps, spatial, first = _spatial(case, "kernel_size")
    sizes = {
        **_sizes(case, spatial, first),
        **{axis[0]: n for axis, n in zip(taps, window, strict=True)},
        **{"channel": case.inputs[0].shape[1 if first else -1], "filter": int(case.config["filters"])},
    }
    return Layout(
        sizes,
        (_with(spatial, ("channel",), first),),
        _named(case, (*taps, ("filter",), ("channel",)), out=("filter",)),
        {"filters": ("filter",), "kernel_size": list(taps)},
        _with(spatial, ("filter",), first),
    )


def depthwise(case: Case) -> Layout:
    """DepthwiseConv1D, 2D: kernel (taps, channels, multiples)."""
    window, taps, spatial, first = _spatial(case, "kernel_size")
    sizes = {
        **_sizes(case, spatial, first),
        **{axis[0]: n for axis, n in zip(taps, window, strict=True)},
        **{"channel": case.inputs[0].shape[1 if first else -1], "multiple": int(case.config["depth_multiplier"])},
    }
    out: Axis = ("channel", "multiple")
    return Layout(
        sizes,
        (_with(spatial, ("channel",), first),),
        _named(case, (*taps, ("channel",), ("multiple",)), out=out),
        {"depth_multiplier": ("multiple",), "kernel_size": list(taps)},
        _with(spatial, out, first),
    )


def separable(case: Case) -> Layout:
    """SeparableConv1D, 2D: a depthwise kernel, then a pointwise one."""
    found = depthwise(case)
    ones = tuple(() for _ in found.fields["kernel_size"])
    filters: Axis = ("filter",)
    sizes = {**found.sizes, "filter": int(case.config["filters"])}
    first = case.config.get("data_format") == CHANNELS_FIRST
    names = list(case.weights)
    kernels = (found.weights[names[0]], (*ones, ("channel", "multiple"), filters))
    spatial = tuple(axis for axis in found.inputs[0] if axis[0] in SPATIAL)
    return Layout(
        sizes,
        found.inputs,
        _named(case, *kernels, out=filters),
        {**found.fields, "filters": filters},
        _with(spatial, filters, first),
    )


def dense(case: Case) -> Layout:
    x = case.inputs[0]
    middle: list[Axis] = [(f"axis {number}",) for number in range(1, x.ndim - 1)]
    sizes = {"samples": x.shape[0], **{axis[0]: n for axis, n in zip(middle, x.shape[1:-1], strict=True)}}
    sizes |= {"channel": x.shape[-1], "unit": int(case.config["units"])}
    lead = (("samples",), *middle)
    return Layout(
        sizes,
        ((*lead, ("channel",)),),
        _named(case, (("channel",), ("unit",)), out=("unit",)),
        {"units": ("unit",)},
        (*lead, ("unit",)),
    )


def pooling(case: Case) -> Layout:
    """Windows without weights: only the configuration counts their taps."""
    window, taps, spatial, first = _spatial(case, "pool_size")
    sizes = {
        **_sizes(case, spatial, first),
        **{axis[0]: n for axis, n in zip(taps, window, strict=True)},
        "channel": case.inputs[0].shape[1 if first else -1],
    }
    axes = _with(spatial, ("channel",), first)
    return Layout(sizes, (axes,), {}, {"pool_size": list(taps)}, axes)


def recurrent(case: Case) -> Layout:
    """LSTM, GRU, SimpleRNN: kernel (channels, gates × units), recurrent kernel (units, gates × units)."""
    x, units = case.inputs[0], int(case.config["units"])
    kernel = next(iter(case.weights.values()))
    columns: Axis = ("gate", "unit")
    sizes = {"samples": x.shape[0], "steps": x.shape[1], "channel": x.shape[2], "unit": units}
    sizes["gate"] = kernel.shape[1] // units
    weights = _named(case, (("channel",), columns), (("unit",), columns), out=columns)
    for name, w in list(case.weights.items())[2:]:
        if w.ndim == 2:  # a GRU with reset_after
            weights[name], sizes["bias row"] = (("bias row",), columns), w.shape[0]
    states = tuple((("samples",), ("unit",)) for _ in case.inputs[1:])
    lead: tuple[Axis, ...] = (("samples",), ("steps",)) if case.config.get("return_sequences") else (("samples",),)
    return Layout(
        sizes,
        ((("samples",), ("steps",), ("channel",)), *states),
        weights,
        {"units": ("unit",)},
        (*lead, ("unit",)),
        frozenset({"gate", "bias row"}),
    )


KINDS: tuple[tuple[str, Make], ...] = (
    *((f"Conv{rank}DTranspose", transposed) for rank in (1, 2, 3)),
    *((f"Conv{rank}D", convolution) for rank in (1, 2, 3)),
    ("DepthwiseConv", depthwise),
    ("SeparableConv", separable),
    ("Dense", dense),
    *((f"{most}Pooling", pooling) for most in ("Max", "Average")),
    *((kind, recurrent) for kind in ("LSTM", "GRU", "SimpleRNN")),
)


def guessed(case: Case) -> Layout:
    """By lengths: an axis of a weight that is as long as an axis of the input is cut with it."""
    inputs, sizes = _guessed_inputs(case)
    by_size = {sizes[axis[0]]: axis[0] for axes in inputs for axis in axes if axis[0] != "samples"}  # the last wins
    weights: dict[str, tuple[Axis, ...]] = {}
    for name, w in case.weights.items():
        labels = [by_size.get(n, f"length {n}") for n in w.shape]
        sizes.update(zip(labels, w.shape, strict=True))
        weights[name] = tuple((label,) for label in labels)
    counted = {n: label for axes in weights.values() for (label,) in axes if (n := sizes[label]) > 1}
    fields = {name: axis for name, value in case.config.items() if (axis := _guessed_field(value, counted))}
    return Layout(sizes, inputs, weights, fields, inputs[0] if inputs else ())


def _guessed_inputs(case: Case) -> tuple[tuple[tuple[Axis, ...], ...], dict[str, int]]:
    """Axes of several inputs are the same where all are as long there."""
    sizes: dict[str, int] = {}
    rank = max((x.ndim for x in case.inputs), default=0)
    same = [len({x.shape[at] for x in case.inputs if x.ndim == rank}) == 1 for at in range(rank)]
    found = []
    for number, x in enumerate(case.inputs):
        axes: list[Axis] = [("samples",)]
        for at in range(1, x.ndim):
            shared = x.ndim == rank and same[at]
            label = f"axis {at}" if shared else f"axis {at} of input {number}"
            axes.append((label,))
        sizes.update({axis[0]: n for axis, n in zip(axes, x.shape, strict=True)})
        found.append(tuple(axes))
    return tuple(found), sizes


def _guessed_field(value: Any, counted: Mapping[int, str]) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value in counted:
        return (counted[value],)
    return None
