"""One element by hand: it adds up, and is what the layer gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import cases
from support.asked import CONTEXT, case, conv, drawn
from support.laws import Case as Drawn

from refconv.errors import BadInput
from refconv.reference.by_hand import KINDS, MAX, MEAN, ByHand, by_hand

STRATEGIES = {
    **{f"Conv{rank}D": cases.convolutions(rank) for rank in (1, 2, 3)},
    **{f"DepthwiseConv{rank}D": cases.depthwise(rank) for rank in (1, 2)},
    **{f"Conv{rank}DTranspose": cases.transposed(rank) for rank in (1, 2, 3)},
    **{f"{kind}Pooling{rank}D": cases.pooling(rank) for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"Global{kind}Pooling{rank}D": cases.global_pooling(rank) for kind in ("Max", "Average") for rank in (1, 2, 3)},
}


def element(keras: str, config: dict[str, object], x: np.ndarray, draw: st.DataObject, **weights: np.ndarray) -> None:
    made = case(keras, config, x, **weights)
    whole = made.enclose(CONTEXT)[0].mid
    index = tuple(draw.draw(st.integers(0, n - 1)) for n in whole.shape)
    found = by_hand(made.node, made.weights, made.stored, made.inputs, index, float(whole[index]))
    adds_up(found)
    np.testing.assert_allclose(found.value, whole[index], rtol=1e-12, atol=1e-12)


def adds_up(e: ByHand) -> None:
    """What is printed makes what is printed."""
    assert not e.field.values[~e.field.seen].any()
    if e.kernel is not None:
        np.testing.assert_array_equal(e.products, e.field.values * e.kernel)
    total = e.products[e.field.seen].max() if e.operation == MAX else sum(e.products.ravel().tolist())
    np.testing.assert_allclose(e.total, total, rtol=1e-12, atol=1e-12)
    assert e.divisor == (int(e.field.seen.sum()) if e.operation == MEAN else 1)
    np.testing.assert_allclose(e.before, e.total / e.divisor + (e.bias or 0), rtol=1e-12, atol=1e-12)
    for source, length in zip(e.field.sources, e.field.values.shape, strict=False):
        assert len(source) == length


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("keras", list(STRATEGIES))
@given(draw=st.data())
def test_is_what_the_layer_gives(keras: str, draw: st.DataObject) -> None:
    made: Drawn = draw.draw(STRATEGIES[keras])
    x = drawn(*made.shapes[0])
    config, channels = dict(made.config), x.shape[1 if made.config.get("data_format") == "channels_first" else -1]
    weights: dict[str, np.ndarray] = {}
    if keras.startswith("Depthwise"):
        weights = {"kernel": drawn(*config["kernel_size"], channels, config["depth_multiplier"])}
    elif "Transpose" in keras:
        weights = {"kernel": drawn(*config["kernel_size"], config["filters"], channels)}
    elif keras.startswith("Conv"):
        weights = {"kernel": drawn(*config["kernel_size"], channels // config["groups"], config["filters"])}
    if weights and config["use_bias"]:
        units = channels * config["depth_multiplier"] if keras.startswith("Depthwise") else config["filters"]
        weights["bias"] = drawn(units)
    element(keras, config, x, draw, **weights)


@given(draw=st.data())
@settings(max_examples=10)
def test_dense(draw: st.DataObject) -> None:
    weights = {"kernel": drawn(5, 4), "bias": drawn(4)}
    element(
        "Dense",
        {"units": 4, "activation": draw.draw(st.sampled_from(["relu", "softmax"]))},
        drawn(2, 5),
        draw,
        **weights,
    )


def test_by_hand_on_paper() -> None:
    """A 2×2 kernel on a 3×3 image, SAME: the last column's right taps fall on padding."""
    x = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)
    kernel = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(2, 2, 1, 1)
    config = {"filters": 1, "kernel_size": [2, 2], "strides": [1, 1], "dilation_rate": [1, 1], "padding": "same"}
    made = case("Conv2D", {**config, "activation": "relu"}, x, kernel=kernel, bias=np.array([-10.0]))
    found = by_hand(made.node, made.weights, made.stored, made.inputs, (0, 1, 2, 0), 0.0)
    assert found.field.values.ravel().tolist() == [6, 0, 9, 0]
    assert found.field.seen.tolist() == [[True, False], [True, False]]
    assert [s.tolist() for s in found.field.sources] == [[1, 2], [2, -1]]
    assert found.products.ravel().tolist() == [6, 0, 27, 0]
    assert (found.total, found.bias, found.before, found.value) == (33, -10, 23, 23)
    assert found.stored is None and found.activation == "relu"


def test_a_quantized_layer_shows_both_kernels() -> None:
    x = np.ones((1, 2, 2, 1))
    config = {
        "filters": 1,
        "kernel_size": [2, 2],
        "strides": [1, 1],
        "dilation_rate": [1, 1],
        "kernel_quantizer": "quantized_bits(4,0,1,alpha=1)",
        "bias_quantizer": None,
    }
    stored = np.array([0.3, -0.3, 0.9, 0.05]).reshape(2, 2, 1, 1)
    made = case("QConv2D", config, x, kernel=stored, bias=np.array([0.1]))
    found = by_hand(made.node, made.weights, made.stored, made.inputs, (0, 0, 0, 0), 0.0)
    assert found.kernel is not None and found.stored is not None
    assert found.kernel.ravel().tolist() == [0.25, -0.25, 0.875, 0.0]
    np.testing.assert_array_equal(found.stored.ravel(), np.float32(stored.ravel()))
    assert found.total == 0.875 and found.stored_bias is None


def test_other_layers_are_refused() -> None:
    made = case("Flatten", {}, np.ones((1, 2, 2)))
    with pytest.raises(BadInput, match="cannot be shown by hand"):
        by_hand(made.node, {}, {}, made.inputs, (0, 0), 1.0)


def test_every_kind_is_a_layer() -> None:
    from refconv.ops.table import TABLE

    assert set(KINDS) <= set(TABLE)
    assert "Conv2D" in KINDS and conv().node.type in KINDS
