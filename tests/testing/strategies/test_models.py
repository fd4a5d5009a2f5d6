"""Random models: valid in either Keras, of every structure that is promised, and small when they fail."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np
import pytest
import qkeras
import tf_keras
from hypothesis import HealthCheck, Phase, find, given, settings
from support.planted_layers import smallest

from refconv.errors import BadInput, FrameworkError
from refconv.result import Verdict
from refconv.testing.strategies import ModelCase, ModelMismatch, models
from refconv.testing.strategies.layers import LAYERS, QUANTIZED, Numbers, choices
from refconv.testing.strategies.recipe import Line, Recipe
from refconv.testing.strategies.steps import Step, plan

PACKAGES = {2: tf_keras, 3: keras}
few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
quick = settings(max_examples=3000, database=None, derandomize=True, phases=[Phase.generate])


class Swapped(keras.layers.Conv2D):
    """SAME's odd zero on the other side."""

    def call(self, x: Any) -> Any:
        if self.padding != "same":
            return super().call(x)
        axes = zip(x.shape[1:3], self.kernel_size, self.strides, self.dilation_rate, strict=True)
        totals = [max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in axes]
        x = keras.ops.pad(x, [(0, 0), *((t - t // 2, t // 2) for t in totals), (0, 0)])
        y = keras.ops.conv(x, self.kernel, self.strides, "valid", dilation_rate=self.dilation_rate)
        return self.activation(y if self.bias is None else y + self.bias)


@few
@given(models(3))
def test_models_of_keras_3_are_verified(case: ModelCase) -> None:
    assert case.check(keras).verdict == "pass"


@few
@given(models(2))
def test_models_of_keras_2_are_verified(case: ModelCase) -> None:
    assert case.check(tf_keras, mode="graph").verdict == "pass"


@few
@given(models(2, quantized=True))
def test_models_of_qkeras_are_verified(case: ModelCase) -> None:
    assert case.check(tf_keras, qkeras).verdict == "pass"


@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("rank", LAYERS)
def test_every_layer_gives_the_shape_that_it_says(rank: int, major: int) -> None:
    """With numbers from the simplest to the largest."""
    shape = (4, 5, 2)[-rank:] if rank > 1 else (3,)
    package = PACKAGES[major]
    for make in LAYERS[rank]:
        for numbers in ([0] * 8, [1] * 8, [2, 1, 1, 2, 1, 1, 1, 1], [11] * 8):
            made = make(shape, Numbers(numbers))
            layer = getattr(package.layers, made.kind)(**made.config)
            assert tuple(layer.compute_output_shape((7, *shape))) == (7, *made.shape), made


def test_a_large_tensor_is_offered_no_layer_that_grows_it() -> None:
    assert len(choices((7, 7, 3))) < len(choices((2, 2, 2)))
    assert {make.__name__ for make in LAYERS[3]} > {"convolution", "dense", "batch_normalization"}
    assert len(choices((2, 2), quantized=True)) == len(QUANTIZED[2])


def _deep(recipe: Recipe) -> Recipe | None:
    return next((line.inner for line in recipe.lines if line.inner), None)


STRUCTURES = {
    "two inputs": lambda c: len(c.recipe.inputs) == 2,
    "several outputs": lambda c: len(c.recipe.outputs) > 2,
    "a branch": lambda c: max(Counter(n for line in c.recipe.lines for n in line.inputs).values()) > 1,
    "tensors joined": lambda c: any(len(line.inputs) > 1 for line in c.recipe.lines),
    "a layer called twice": lambda c: max(Counter(line.layer for line in c.recipe.lines).values()) > 1,
    "a model inside": lambda c: _deep(c.recipe) is not None,
    "a model called twice": lambda c: (
        max(Counter(li.layer for li in c.recipe.lines if li.inner).values(), default=0) > 1
    ),
    "a model of several layers": lambda c: (inner := _deep(c.recipe)) is not None and len(inner.lines) > 2,
    "a grouped convolution": lambda c: any(dict(line.config).get("groups", 1) > 1 for line in c.recipe.lines),
    "eight calls": lambda c: len(c.recipe.lines) == 8,
}


@pytest.mark.parametrize("what", STRUCTURES)
def test_every_structure_is_drawn(what: str) -> None:
    found = find(models(), STRUCTURES[what], settings=quick)
    assert tuple(found.build(keras).output_shape if len(found.recipe.outputs) == 1 else found.build(keras).output_shape)


def test_steps_are_planned_by_hand() -> None:
    """A convolution, the same again, both joined, and a model of a Dense on the input."""
    zeros = (0,) * 8
    inside = (Step("layer", 0, 1, zeros),)
    recipe = plan(
        [(2, 2, 1)],
        [
            Step("layer", 0, 0, zeros),
            Step("again", 1, 0, zeros),
            Step("join", 0, 0, zeros),
            Step("model", 3, 0, zeros, inside=inside),
        ],
        quantized=False,
    )
    kinds = [(line.output, line.layer, line.kind, line.inputs) for line in recipe.lines]
    assert kinds == [
        ("y1", "conv2d_1", "Conv2D", ("x0",)),
        ("y2", "conv2d_1", "Conv2D", ("x0",)),
        ("y3", "add_1", "Add", ("y2", "y1")),
        ("y4", "model_1", "Model", ("x0",)),
    ]
    assert recipe.outputs == ("y3", "y4")
    assert recipe.kinds == ("Conv2D", "Add", "Dense")


def test_inputs_that_nothing_takes_are_left_out() -> None:
    recipe = plan([(1,), (2,)], [Step("layer", 0, 0, (0,) * 8)], quantized=False)
    assert recipe.inputs == (("x1", (2,)),)


def one_convolution(padding: str = "same") -> ModelCase:
    config = (("filters", 1), ("kernel_size", (1, 2)), ("padding", padding), ("use_bias", False))
    line = Line("y1", "conv2d_1", "Conv2D", ("x0",), config)
    return ModelCase(Recipe((("x0", (1, 2, 1)),), (line,), ("y1",)), seed=1, batch=1)


def test_a_model_is_printed_as_the_lines_that_build_it() -> None:
    assert repr(one_convolution()).splitlines() == [
        "ModelCase of Keras 3, seed 1, batch 1:",
        "    x0 = Input((1, 2, 1))",
        "    y1 = Conv2D(filters=1, kernel_size=(1, 2), padding='same', use_bias=False, name='conv2d_1')(x0)",
        "    Model([x0], [y1])",
    ]


def test_inputs_and_weights_are_drawn_and_the_same_again() -> None:
    case = one_convolution()
    assert [x.shape for x in case.inputs] == [(1, 1, 2, 1)]
    weights = [case.build(keras).get_weights() for _ in range(2)]
    assert np.array_equal(weights[0][0], weights[1][0]) and weights[0][0].any()


def test_a_planted_layer_fails_and_is_explained() -> None:
    case = one_convolution()
    assert case.check(keras).layers[0].verdict in (Verdict.EXACT, Verdict.WITHIN)
    with pytest.raises(ModelMismatch, match="(?s)conv2d_1  Conv2D  mismatch.*RC201  SAME padding on the other side"):
        case.check(keras, layers={"Conv2D": Swapped})
    assert one_convolution("valid").check(keras, layers={"Conv2D": Swapped}).verdict == "pass"


def test_a_layer_that_was_not_verified_is_no_pass() -> None:
    class Raises(keras.layers.Conv2D):
        def call(self, x: Any) -> Any:
            if not isinstance(x, keras.KerasTensor):
                raise ValueError("no such kernel")
            return super().call(x)

    with pytest.raises((ModelMismatch, FrameworkError), match="no such kernel"):
        one_convolution().check(keras, layers={"Conv2D": Raises})


def test_a_model_with_a_planted_layer_ends_as_that_layer_alone() -> None:
    """What is left is one input, one call, one output, and a convolution of one channel."""

    def check(case: ModelCase) -> None:
        if "Conv2D" in case.kinds:  # others pass, and need not be run to know that
            case.check(keras, layers={"Conv2D": Swapped})

    case = smallest(models(ranks=(3,), max_layers=3), check).case
    assert case.kinds == ("Conv2D",)
    assert len(case.recipe.inputs) == len(case.recipe.lines) == len(case.recipe.outputs) == case.batch == 1
    ((_, shape),) = case.recipe.inputs
    config = dict(case.recipe.lines[0].config)
    assert max(shape) <= 3 and shape[-1] == 1 and config["filters"] == 1 and max(config["kernel_size"]) <= 2
    assert config["padding"] == "same" and not config["use_bias"]


def test_quantized_models_need_keras_2_and_qkeras() -> None:
    with pytest.raises(BadInput, match="QKeras needs Keras 2"):
        find(models(3, quantized=True), lambda case: True)
    case = find(models(2, quantized=True), lambda case: "QDense" in case.kinds, settings=quick)
    with pytest.raises(BadInput, match=r"case.build\(keras, qkeras\)"):
        case.build(tf_keras)
