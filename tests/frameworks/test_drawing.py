"""Samples that the worker alone draws from a loaded model: bit for bit those that refconv draws from its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from support.live import PACKAGES

from refconv.errors import BadInput
from refconv.formats.live import read_live
from refconv.frameworks.worker.capture import conforming
from refconv.frameworks.worker.drawing import Undrawable, draw, names
from refconv.inputs.prepare import prepare
from refconv.reference.ranges import index_ranges

Build = Callable[[Any], Any]
NOTHING: Mapping[str, Any] = {}


def of_layers(*shape: int | None, dtype: str = "float32", batch: int | None = None) -> Build:
    """A model of one input and one layer."""

    def build(keras: Any) -> Any:
        x = keras.Input(shape, name="x", dtype=dtype, batch_size=batch)
        return keras.Model(x, keras.layers.Activation("linear")(x))

    return build


def embedded(keras: Any) -> Any:
    """Two Embeddings behind one input, one of them further on; an input that goes into none."""
    layers = keras.layers
    a, b = keras.Input((6,), name="tokens", dtype="int32"), keras.Input((6,), name="other", dtype="int32")
    shifted = layers.Reshape((3, 2))(a)
    return keras.Model([b, a], [layers.Embedding(50, 2)(a), layers.Embedding(9, 2)(shifted), layers.Reshape((2, 3))(b)])


def embedded_floats(keras: Any) -> Any:
    """As Keras 2 makes them by itself: a Sequential model, whose input is float32."""
    return keras.Sequential([keras.Input((5,), name="words"), keras.layers.Embedding(7, 3), keras.layers.Flatten()])


def embedded_within(keras: Any) -> Any:
    """The Embedding is in a nested model in a nested model, that is called twice."""
    layers = keras.layers
    x = keras.Input((4,), name="deep_x", dtype="int32")
    deep = keras.Sequential([x, layers.Embedding(11, 2), layers.Flatten()], name="deep")
    y = keras.Input((4,), name="inner_x", dtype="int32")
    inner = keras.Model(y, layers.Dense(2)(deep(y)), name="inner")
    a, b, c = (keras.Input((4,), name=name, dtype="int32") for name in "abc")
    return keras.Model([a, b, c], [inner(a), inner(b), layers.Reshape((2, 2))(c)])


def pixels(keras: Any) -> Any:
    x = keras.Input((None, None, 3), name="image")
    return keras.Model(x, keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(1 / 255)(x)))


def normalized(keras: Any) -> Any:
    x = keras.Input((8, 8, 3), name="image")
    scale = keras.layers.Normalization(mean=[123.7, 116.3, 103.5], variance=[3409.0, 3262.0, 3291.0])
    return keras.Model(x, keras.layers.Conv2D(2, 3)(scale(x)))


def barely_scaled(keras: Any) -> Any:
    x = keras.Input((8,), name="image")
    return keras.Model(x, keras.layers.Rescaling(0.5)(x))


def pixels_within(keras: Any) -> Any:
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255)], name="inner")
    a, b = keras.Input((8, 8, 3), name="a"), keras.Input((8, 8, 3), name="b")
    return keras.Model([a, b], [inner(a), inner(keras.layers.ReLU()(b))])


def several(keras: Any) -> Any:
    """Of several kinds, in an order that is not that of their names."""
    layers = keras.layers
    image, mask = keras.Input((None, 5, None), name="z"), keras.Input((4,), name="a", dtype="bool")
    number = keras.Input((3,), name="m", dtype="int64")
    return keras.Model(
        [image, mask, number], [layers.ReLU()(image), layers.Reshape((2, 2))(mask), layers.Reshape((3, 1))(number)]
    )


def in_a_dictionary(keras: Any) -> Any:
    inputs = {"zeta": keras.Input((3,), name="zeta"), "alpha": keras.Input((2,), name="alpha")}
    return keras.Model(inputs, keras.layers.Concatenate()([inputs["zeta"], inputs["alpha"]]))


def fixed(keras: Any) -> Any:
    """The batch of one input is that of the other."""
    a, b = keras.Input((3,), name="a", batch_size=5), keras.Input((3,), name="b")
    return keras.Model([a, b], [keras.layers.ReLU()(a), keras.layers.ReLU()(b)])


def unnamed(keras: Any) -> Any:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


MODELS: dict[str, tuple[Build, Mapping[str, Any]]] = {
    "a vector": (of_layers(7), NOTHING),
    "one number": (of_layers(), NOTHING),
    "an unknown length": (of_layers(None), NOTHING),
    "a sequence": (of_layers(None, 4), NOTHING),
    "an unknown sequence": (of_layers(None, None), NOTHING),
    "an image": (of_layers(None, None, 3), NOTHING),
    "unknown channels": (of_layers(None, None, None), NOTHING),
    "channels first": (of_layers(3, None, None), NOTHING),
    "a volume": (of_layers(None, None, None, 2), NOTHING),
    "a volume of unknown channels": (of_layers(None, None, None, None), NOTHING),
    "a fixed batch": (of_layers(4, batch=3), NOTHING),
    "a fixed batch beside another": (fixed, NOTHING),
    **{dtype: (of_layers(3, 4, dtype=dtype), NOTHING) for dtype in
       ("bool", "uint8", "int8", "int64", "float16", "bfloat16", "float64")},
    "embedded": (embedded, NOTHING),
    "embedded floats": (embedded_floats, NOTHING),
    "embedded within": (embedded_within, NOTHING),
    "pixels": (pixels, NOTHING),
    "pixels within": (pixels_within, NOTHING),
    "normalized": (normalized, NOTHING),
    "barely scaled": (barely_scaled, NOTHING),
    "several": (several, NOTHING),
    "in a dictionary": (in_a_dictionary, NOTHING),
    "unnamed": (unnamed, NOTHING),
    "a shape": (of_layers(None, None, 3), {"shapes": {"": (5, 6)}}),
    "a full shape": (of_layers(None, None, 3), {"shapes": {"x": (5, 6, 3)}}),
    "a shape of no unknown size": (of_layers(4, 3), {"shapes": {"": (4, 3)}}),
    "a shape for one of several": (several, {"shapes": {"z": (6, 2)}}),
    "a shape for those that lack one": (several, {"shapes": {"": (6, 2)}}),
    "a range": (of_layers(9), {"ranges": {"x": 3}}),
    "a range of large integers": (of_layers(9, dtype="int64"), {"ranges": {"x": 1 << 40}}),
    "a range beyond its dtype": (of_layers(9, dtype="int8"), {"ranges": {"x": 1000}}),
    "a range instead of an Embedding's": (embedded, {"ranges": {"tokens": 4}}),
}  # fmt: skip


@pytest.mark.parametrize("keras", [2, 3])
@pytest.mark.parametrize(("build", "how"), MODELS.values(), ids=MODELS)
def test_the_same_as_of_the_file(build: Build, how: Mapping[str, Any], keras: int) -> None:
    package = import_module(PACKAGES[keras])
    model, shapes, ranges = build(package), how.get("shapes", {}), how.get("ranges", {})
    graph = read_live(model, package.__version__)
    wanted = prepare(graph.specs, None, 4, 11, shapes, "none", {**index_ranges(graph), **ranges})
    found = conforming(model, draw(model, 4, 11, shapes, ranges))
    assert names(model) == [spec.name for spec in graph.specs]
    assert [(x.dtype, x.shape) for x in found] == [(x.dtype, x.shape) for x in wanted]
    assert [x.tobytes() for x in found] == [x.tobytes() for x in wanted]


def test_an_embedding_in_reverse() -> None:
    """It takes no integers then; the file's reader says so too."""
    keras = import_module("keras")
    same = keras.layers.ReversibleEmbedding(9, 4)
    a, b = keras.Input((3,), name="a", dtype="int32"), keras.Input((3, 4), name="b")
    model = keras.Model([a, b], [same(a), same(b, reverse=True)])
    graph = read_live(model, keras.__version__)
    wanted = prepare(graph.specs, None, 2, 0, {}, "none", index_ranges(graph))
    assert [x.tobytes() for x in draw(model, 2, 0, {}, {})] == [x.tobytes() for x in wanted]
    assert wanted[0].max() < 9 and (wanted[1] != np.round(wanted[1])).any()


def test_one_range_for_every_input() -> None:
    model = embedded(import_module("keras"))
    assert [int(x.max()) for x in draw(model, 64, 0, {}, {"": 3})] == [2, 8]  # an Embedding knows better


@pytest.mark.parametrize("keras", [2, 3])
def test_strings(keras: int) -> None:
    package = import_module(PACKAGES[keras])
    x = package.Input((2,), name="words", dtype="string")
    with pytest.raises(Undrawable, match="input 'words' takes strings, which cannot be drawn: give them with --input"):
        draw(package.Model(x, package.layers.StringLookup(vocabulary=["a"])(x)), 2, 0, {}, {})


WRONG = [
    ((None, None, 3), {"": (5,)}),
    ((None, None, 3), {"": (5, 6, 4)}),
    ((None, None, 3), {"x": (5, 0)}),
    ((None, 3), {"y": (5,)}),
    ((4, 3), {"": (4, 4)}),
    ((4, 3), {"x": (2,)}),
]


@pytest.mark.parametrize(("shape", "said"), WRONG)
def test_shapes_that_do_not_fit(shape: tuple[int | None, ...], said: dict[str, tuple[int, ...]]) -> None:
    """Both refuse them, and neither says nothing."""
    package = import_module("keras")
    model = of_layers(*shape)(package)
    with pytest.raises(BadInput):
        prepare(read_live(model, package.__version__).specs, None, 2, 0, said, "none")
    with pytest.raises(Undrawable) as caught:
        draw(model, 2, 0, said, {})
    assert str(caught.value).startswith("--shape: ") and "\n" not in str(caught.value)


def test_ranges_of_no_input() -> None:
    model = of_layers(3)(import_module("keras"))
    with pytest.raises(Undrawable, match=r"--range: no input is called 'y'; the inputs are x"):
        draw(model, 2, 0, {}, {"y": 3})
    with pytest.raises(Undrawable, match=r"--range: 0 is no number of integers"):
        draw(model, 2, 0, {}, {"x": 0})


def test_a_model_that_declares_no_inputs() -> None:
    keras = import_module("keras")

    class Subclassed(keras.Model):  # type: ignore[misc, name-defined]
        pass

    assert names(Subclassed()) == ["input"]
    with pytest.raises(Undrawable, match="the model does not declare its inputs"):
        draw(Subclassed(), 2, 0, {}, {})
