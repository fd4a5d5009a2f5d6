"""What is called what in a layer, and that leaving a part out gives the outputs of what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.asked import CONTEXT, drawn

from refconv.errors import UnreadableModel
from refconv.formats.model import Layer
from refconv.formats.resolve import resolve
from refconv.graph import Node, Origin, Ref, Weight
from refconv.ops.registered import Custom
from refconv.pipeline.reducing.case import Case, case_of
from refconv.pipeline.reducing.layout import NEIGHBOURS, guessed, layouts
from refconv.pipeline.reducing.shrinking import runs, simpler, subsets
from refconv.reference.forward import forward


def case(
    kind: str, config: dict[str, Any], *inputs: np.ndarray, dialect: str = "keras3", **weights: np.ndarray
) -> Case:
    raw = {"class_name": kind, "config": config}
    known = resolve(Layer("l", kind, config, (), raw), "l", dialect)
    assert known.attrs is not None, known.reason
    held = {n: Weight(n, n, w.shape, w.dtype.name, lambda w=w: w) for n, w in weights.items()}  # type: ignore[misc]
    node = Node(
        9,
        "l",
        known.type,
        known.attrs,
        tuple(map(Ref, range(len(inputs)))),
        Origin(kind, dialect, config),
        weights=held,
    )
    return case_of(node, inputs, int(dialect[-1]))


def output(found: Case) -> np.ndarray:
    return forward(found.node, found.weights, found.inputs, CONTEXT)[0].mid


def of(kind: str, x: np.ndarray, config: dict[str, Any], **shapes: tuple[int, ...]) -> Case:
    """A case whose weights are drawn."""
    return case(kind, config, x, **{name: np.abs(drawn(*shape)) for name, shape in shapes.items()})


CASES = {
    "grouped": of("Conv2D", drawn(2, 6, 5, 4), {"filters": 6, "kernel_size": [3, 2], "groups": 2},
                  kernel=(3, 2, 2, 6), bias=(6,)),
    "first": of("Conv1D", drawn(2, 4, 6), {"filters": 3, "kernel_size": [2], "data_format": "channels_first"},
                kernel=(2, 4, 3), bias=(3,)),
    "depthwise": of("DepthwiseConv2D", drawn(2, 4, 4, 2), {"kernel_size": [2, 2], "depth_multiplier": 3},
                    kernel=(2, 2, 2, 3), bias=(6,)),
    "separable": of("SeparableConv2D", drawn(2, 4, 4, 2), {"filters": 3, "kernel_size": [2, 2], "depth_multiplier": 2},
                    depthwise_kernel=(2, 2, 2, 2), pointwise_kernel=(1, 1, 4, 3), bias=(3,)),
    "transposed": of("Conv2DTranspose", drawn(2, 3, 3, 2), {"filters": 3, "kernel_size": [2, 2]},
                     kernel=(2, 2, 3, 2), bias=(3,)),
    "dense": of("Dense", drawn(2, 3, 4), {"units": 5}, kernel=(4, 5), bias=(5,)),
    "pool": of("MaxPooling2D", drawn(2, 4, 5, 3), {"pool_size": [2, 3], "strides": [1, 1]}),
    "lstm": of("LSTM", drawn(2, 4, 5), {"units": 3, "return_sequences": True},
               kernel=(5, 12), recurrent_kernel=(3, 12), bias=(12,)),
    "gru": of("GRU", drawn(2, 4, 5), {"units": 3, "reset_after": True},
              kernel=(5, 9), recurrent_kernel=(3, 9), bias=(2, 9)),
    "norm": of("BatchNormalization", drawn(2, 4, 5), {"axis": -1},
               gamma=(5,), beta=(5,), moving_mean=(5,), moving_variance=(5,)),
    "add": case("Add", {}, drawn(2, 4, 5), drawn(2, 4, 5)),
}  # fmt: skip
# Labels that choose among outputs, and change none of those that are kept.
CHOOSING = {"samples", "group", "filter", "multiple", "axis 1", "axis 2"}


@pytest.mark.parametrize("name", CASES)
def test_every_axis_of_every_array_has_a_name(name: str) -> None:
    found = next(layouts(CASES[name]))
    assert found.fits(CASES[name])
    assert found.place((0,) * len(found.output), output(CASES[name]).shape)["samples"] == 0


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_what_is_left_is_a_layer_again(name: str, data: Any) -> None:
    whole = CASES[name]
    found = next(layouts(whole))
    label = data.draw(st.sampled_from(found.labels))
    size = found.sizes[label]
    start = data.draw(st.integers(0, size - 1))
    keep = np.arange(start, data.draw(st.integers(start + 1, size)))
    try:
        left = found.take(whole, label, keep)
        got, before = output(left), output(whole)
    except UnreadableModel:
        assert label in NEIGHBOURS  # a window that no longer fits
        return
    assert next(layouts(left)).sizes[label] == len(keep) or len(keep) == 1
    if label in CHOOSING and any(label in axis for axis in found.output):
        axis = next(n for n, axis in enumerate(found.output) if label in axis)
        parts = tuple(found.sizes[part] for part in found.output[axis])
        wide = before.reshape(*before.shape[:axis], *parts, *before.shape[axis + 1 :])
        kept = np.take(wide, keep, axis=axis + found.output[axis].index(label)).reshape(got.shape)
        np.testing.assert_allclose(got, kept, rtol=1e-12)


def test_a_class_of_somebody_s_own_is_laid_out_by_its_fields() -> None:
    """A wrong guess only costs a run: here a convolution is told from its transposed by the shapes."""
    config = {"filters": 3, "kernel_size": [2, 2], "name": "l"}
    node = Node(1, "l", "mine>Conv", Custom(config), (Ref(0),), Origin("mine>Conv", "keras3", config))
    own = Case(node, (drawn(2, 4, 4, 2),), {"w": drawn(2, 2, 2, 3), "b": drawn(3)})
    assert next(layouts(own)).weights["w"][2:] == (("channel",), ("group", "filter"))
    other = Case(node, own.inputs, {"w": drawn(2, 2, 3, 2), "b": drawn(3)})
    assert next(layouts(other)).weights["w"][2:] == (("filter",), ("channel",))
    strange = Case(node, own.inputs, {"w": drawn(7, 2), "b": drawn(7)})
    assert guessed(strange).weights["w"] == (("length 7",), ("axis 3",))


def test_short_runs_are_tried_first_and_never_all() -> None:
    for size in (2, 3, 10, 224):
        lengths = [len(keep) for keep in runs(size, size - 1)]
        assert lengths == sorted(lengths) and lengths[0] == 1 and lengths[-1] < size
        assert all(keep[0] >= 0 and keep[-1] < size for keep in runs(size, 0))
    assert [int(keep[0]) for keep in subsets(100, [7])] == [7, 0, 1, 2, 3, 96, 97, 98, 99]


def test_fields_are_made_plain() -> None:
    config = {"filters": 1, "kernel_size": [1, 1], "strides": [2, 2], "activation": "relu", "use_bias": True}
    found = list(simpler(of("Conv2D", drawn(1, 2, 2, 1), config, kernel=(1, 1, 1, 1), bias=(1,))))
    assert found == [({"activation": "linear"}, ()), ({"use_bias": False}, ("bias",)), ({"strides": [1, 1]}, ())]
