"""Models of many structures, built with either Keras, and what that Keras itself holds and runs of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def shared(keras: Any) -> Any:
    """One Dense called three times, at two depths, on two inputs."""
    layers = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    same = layers.Dense(4, activation="tanh", name="same")
    early = same(a)
    late = same(layers.Dense(4, name="between")(early))
    return keras.Model([a, b], layers.Concatenate(name="joined")([late, same(b), early]))


def nested_twice(keras: Any) -> Any:
    """A Functional model called twice, whose inner layers have names that the outer ones have too."""
    layers = keras.layers
    x = keras.Input((4,), name="inner_in")
    inner = keras.Model(x, layers.Dense(4, name="dense")(layers.BatchNormalization(name="norm")(x)), name="inner")
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    return keras.Model([a, b], layers.Dense(2, name="dense")(layers.Add(name="sum")([inner(a), inner(b)])))


def nested_in_nested(keras: Any) -> Any:
    """A Functional model in a Sequential in a Functional model; a frozen layer among the inner ones."""
    layers = keras.layers
    x = keras.Input((6, 6, 2), name="core_in")
    y = layers.Conv2D(3, 3, padding="same", trainable=False, name="conv")(x)
    core = keras.Model(x, layers.BatchNormalization(name="norm")(y), name="core")
    middle = keras.Sequential([keras.Input((6, 6, 2)), core, layers.Flatten(name="flat")], name="middle")
    top = keras.Input((6, 6, 2), name="top")
    return keras.Model(top, layers.Dense(2, name="head")(middle(top)))


def several_outputs(keras: Any) -> Any:
    """Two inputs and three outputs, one of them an input's neighbour, one from a nested model of two outputs."""
    layers = keras.layers
    x = keras.Input((3,), name="pair_in")
    pair = keras.Model(x, [layers.Dense(2, name="left")(x), layers.Dense(3, name="right")(x)], name="pair")
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    left, right = pair(layers.Add(name="sum")([a, b]))
    return keras.Model([b, a], [right, layers.Dense(1, name="score")(left), layers.ReLU(name="relu")(a)])


def named_structures(keras: Any) -> Any:
    """Inputs and outputs in dictionaries: their order is that of the sorted keys."""
    layers = keras.layers
    inputs = {"zeta": keras.Input((3,), name="zeta"), "alpha": keras.Input((2,), name="alpha")}
    joined = layers.Concatenate(name="joined")([inputs["zeta"], inputs["alpha"]])
    return keras.Model(inputs, {"two": layers.Dense(2, name="d2")(joined), "one": layers.Dense(1, name="d1")(joined)})


def sequential(keras: Any) -> Any:
    layers = keras.layers
    stack = [layers.Conv2D(3, 2, name="conv"), layers.LeakyReLU(name="leaky"), layers.Flatten(), layers.Dense(2)]
    return keras.Sequential([keras.Input((5, 5, 2)), *stack])


def sequential_built_late(keras: Any) -> Any:
    """Without InputLayer: the file knows the input's shape only from the building."""
    model = keras.Sequential([keras.layers.Dense(3, name="first"), keras.layers.Dense(2, name="second")])
    model.build((None, 4))
    return model


def fixed_batch(keras: Any) -> Any:
    x = keras.Input(batch_shape=(7, 4), name="x")
    return keras.Model(x, keras.layers.Dense(2)(x))


def every_kind_of_weight(keras: Any) -> Any:
    """More than ten variables in one group, several layers of one class, and layers whose names are no identifiers."""
    layers = keras.layers
    x = keras.Input((8, 8, 2), name="x")
    y = layers.DepthwiseConv2D(3, name="depthwise")(x)
    y = layers.SeparableConv2D(4, 3, name="block-1.separable")(y)
    y = layers.PReLU(shared_axes=[1, 2], name="prelu")(y)
    y = layers.Conv2DTranspose(3, 2, name="up")(y)
    y = layers.BatchNormalization(scale=False, name="norm")(y)
    y = layers.BatchNormalization(center=False, name="norm_1")(y)
    y = layers.Dropout(0.3, name="drop")(y)
    y = layers.GlobalAveragePooling2D(name="mean")(y)
    return keras.Model(x, layers.Dense(2, name="a")(layers.Dense(3, name="b")(y)))


def opaque(keras: Any) -> Any:
    """Layers without a reference, whose weights are kept under the file's names."""
    layers = keras.layers
    x = keras.Input((5, 3), name="x")
    y = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both")(x)
    return keras.Model(x, layers.LayerNormalization(name="layer_norm")(y))


MAKERS: dict[str, Callable[[Any], Any]] = {
    maker.__name__: maker
    for maker in (
        shared,
        nested_twice,
        nested_in_nested,
        several_outputs,
        named_structures,
        sequential,
        sequential_built_late,
        fixed_batch,
        every_kind_of_weight,
        opaque,
    )
}


def randomize(model: Any, seed: int = 0) -> None:
    """Draw every weight anew, so that no two are equal and no fault hides; variances stay positive."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.5, 1.5, np.shape(w)).astype(np.asarray(w).dtype) for w in model.get_weights()])


def live_leaves(model: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, layer) of each layer of a live model that is no model and no InputLayer."""
    for layer in model.layers:
        name = f"{path}{layer.name}"
        if hasattr(layer, "layers"):
            yield from live_leaves(layer, f"{name}/")
        elif type(layer).__name__ != "InputLayer":
            yield name, layer


@contextmanager
def heard_calls(model: Any, keras: Any) -> Iterator[list[tuple[str, int]]]:
    """(path, number of the call) of every leaf call, in the order in which Keras makes them while the context lasts."""
    heard: list[tuple[str, int]] = []
    counts: Counter[str] = Counter()
    stack: list[str] = []

    def wrap(layer: Any, is_model: bool) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            path = "/".join([*stack, layer.name])
            if not is_model:
                heard.append((path, counts[path]))
                counts[path] += 1
            stack.append(layer.name)
            try:
                return original(*args, **kwargs)
            finally:
                stack.pop()

        return call

    wrapped = list(_every(model))
    for layer, is_model in wrapped:
        vars(layer)["call"] = wrap(layer, is_model)
    try:
        yield heard
    finally:
        for layer, _ in wrapped:
            del vars(layer)["call"]


def _every(model: Any) -> Iterator[tuple[Any, bool]]:
    seen: set[int] = set()
    waiting = list(model.layers)
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen or type(layer).__name__ == "InputLayer":
            continue
        seen.add(id(layer))
        is_model = hasattr(layer, "layers")
        waiting.extend(layer.layers if is_model else [])
        yield layer, is_model
