"""QKeras's layers beside QKeras itself: effective weights bit for bit, outputs in the bound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import capture_live

from refconv import formats
from refconv.formats.dialects.qkeras import owns
from refconv.ops import qkeras_adaptive, qkeras_folded, qkeras_layers, qkeras_other
from refconv.ops.qkeras_recurrent import ROWS as RECURRENT_ROWS
from refconv.ops.table import TABLE
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, Verdict

tf_keras = pytest.importorskip("tf_keras")
qkeras = pytest.importorskip("qkeras")

BITS, BIAS = "quantized_bits(4,0,1)", "quantized_bits(6,2,1,alpha=1)"
RELU = "quantized_relu(6,2)"
KERNEL = {"kernel_quantizer": BITS, "bias_quantizer": BIAS}
DEPTHWISE = {"depthwise_quantizer": "quantized_bits(5,1,0,alpha=1)", "bias_quantizer": BIAS}
SEPARABLE = {"depthwise_quantizer": BITS, "pointwise_quantizer": "quantized_bits(8,1,alpha=1)", "bias_quantizer": BIAS}
PLANE, LINE = (6, 7, 3), (9, 3)

# Row → (input shape without the batch, the layer).
LAYERS: dict[str, tuple[tuple[int, ...], Callable[[], Any]]] = {
    "QDense": ((5, 4), lambda: qkeras.QDense(6, activation=RELU, **KERNEL)),
    "QConv1D": (LINE, lambda: qkeras.QConv1D(4, 3, padding="causal", **KERNEL)),
    "QConv2D": (PLANE, lambda: qkeras.QConv2D(4, 3, strides=2, padding="same", activation=RELU, **KERNEL)),
    "QDepthwiseConv2D": (PLANE, lambda: qkeras.QDepthwiseConv2D(3, padding="same", depth_multiplier=2, **DEPTHWISE)),
    "QSeparableConv1D": (LINE, lambda: qkeras.QSeparableConv1D(4, 3, **SEPARABLE)),
    "QSeparableConv2D": (PLANE, lambda: qkeras.QSeparableConv2D(4, 3, padding="same", **SEPARABLE)),
    "QConv2DBatchnorm": (PLANE, lambda: qkeras.QConv2DBatchnorm(4, 3, **KERNEL)),
    "QDepthwiseConv2DBatchnorm": (PLANE, lambda: qkeras.QDepthwiseConv2DBatchnorm(3, **DEPTHWISE)),
    "QActivation": (PLANE, lambda: qkeras.QActivation("quantized_tanh(5)")),
    "QBatchNormalization": (PLANE, lambda: qkeras.QBatchNormalization()),
    "QAveragePooling2D": (
        PLANE,
        lambda: qkeras.QAveragePooling2D(2, padding="same", average_quantizer="quantized_bits(4,0,1,alpha=1)"),
    ),
    "QGlobalAveragePooling2D": (
        PLANE,
        lambda: qkeras.QGlobalAveragePooling2D(average_quantizer="quantized_bits(8,0,1,alpha=1)", activation=RELU),
    ),
    "QAdaptiveActivation": (PLANE, lambda: qkeras.QAdaptiveActivation("quantized_bits", 6, per_channel=True)),
}
# Rows that the installed QKeras cannot stand beside.
WITHOUT_PEER = {
    "QConv2DTranspose": "its call uses array_ops.stack, which TensorFlow removed",
    "QDenseBatchnorm": "a fork's layer; the released QKeras has none",
}


def drawn(model: Any, seed: int = 3) -> Any:
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.dtype.is_floating:
            positive = any(word in weight.name for word in ("variance", "gamma"))
            weight.assign(rng.uniform(0.3 if positive else -1.0, 1.2, weight.shape))
    return model


Plant = Callable[[Any], None]


def checked(layer: Any, shape: tuple[int, ...], folder: Path, plant: Plant | None = None) -> CheckResult:
    model = drawn(tf_keras.Sequential([tf_keras.Input(shape), layer]))
    model.save(folder / "model.h5")
    if plant:
        plant(model)
    x = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32) * 2
    graph = formats.load(folder / "model.h5")
    return verify(graph, capture_live(model, [x], keras=2), [x], Options())


@pytest.mark.parametrize("name", LAYERS)
def test_the_layer_agrees_with_qkeras(name: str, tmp_path: Path) -> None:
    shape, make = LAYERS[name]
    result = checked(make(), shape, tmp_path)
    (found,) = result.layers
    assert found.type == name
    assert found.verdict in (Verdict.EXACT, Verdict.WITHIN), found
    assert all(c.verdict is Verdict.EXACT for c in found.weights.values()), found.weights


def adaptive(ends: tuple[float, float], **more: Any) -> tuple[int, int, int]:
    attrs = qkeras_adaptive.QAdaptiveActivation("quantized_bits", 6, **more)
    low, high = (np.array([end], np.float32) for end in ends)
    low, mid, high = (qkeras_adaptive.integer_bits(attrs, low, high, nudge) for nudge in (-1, 0, 1))
    return int(low[0]), int(mid[0]), int(high[0])


def test_integer_bits_of_a_moving_range_by_hand() -> None:
    """6 bits, 5 of them no sign: with 2 integer bits the last value is 4 − 2⁻³, with 0 it is 1 − 2⁻⁵."""
    assert adaptive((-0.5, 0.9)) == (0, 0, 0)
    assert adaptive((-0.5, 0.99)) == (1, 1, 1)
    assert adaptive((0, 3.8)) == (2, 2, 2)
    assert adaptive((0, 3.95)) == (3, 3, 3)
    assert adaptive((-3.95, 0), symmetric=False) == (2, 2, 2)
    assert adaptive((-2.0, 0), symmetric=False) == (1, 1, 2)  # log2 of 2 may come out above 1
    assert adaptive((0, 2.0)) == (2, 2, 2)
    assert adaptive((0, 1e9)) == (5, 5, 5)
    assert adaptive((0, 5.0), po2_rounding=True) == (2, 2, 2)


def test_a_range_that_moves_at_inference_is_unverified(tmp_path: Path) -> None:
    (found,) = checked(qkeras.QAdaptiveActivation("quantized_relu", 6, ema_freeze_delay=9), PLANE, tmp_path).layers
    assert found.verdict is Verdict.UNVERIFIED
    assert "ema_freeze_delay" in found.reason


def test_other_integer_bits_are_seen(tmp_path: Path) -> None:
    def other(model: Any) -> None:
        model.layers[0].ema_max.assign([9.0])

    (found,) = checked(qkeras.QAdaptiveActivation("quantized_relu", 6), PLANE, tmp_path, other).layers
    assert found.verdict is Verdict.MISMATCH
    assert found.weights["integer"].verdict is Verdict.MISMATCH


def test_every_row_is_here() -> None:
    rows = {
        row.keras for family in (qkeras_adaptive, qkeras_layers, qkeras_folded, qkeras_other) for row in family.ROWS
    }
    assert rows == set(LAYERS) | set(WITHOUT_PEER)
    owned = rows | {row.keras for row in RECURRENT_ROWS} | {"QBidirectional"}  # those: test_qkeras_recurrent
    assert owned == {name for name in TABLE if owns(name)}


def test_everything_that_qkeras_exports_has_a_row_or_a_reason() -> None:
    exported = {name for name in dir(qkeras) if owns(name)}
    assert exported - set(TABLE) == set(qkeras_layers.NO_LAYERS)
    assert all(isinstance(getattr(qkeras, name), type) for name in exported & set(TABLE))


def test_a_mobilenet_block_is_read_as_the_layers_that_it_is_made_of(tmp_path: Path) -> None:
    inputs = tf_keras.Input(PLANE)
    block = qkeras.QMobileNetSeparableConv2D(
        4, 3, depthwise_quantizer=BITS, pointwise_quantizer=BITS, depthwise_activation=RELU, name="block"
    )
    model = drawn(tf_keras.Model(inputs, block(inputs)))
    model.save(tmp_path / "model.h5")
    x = np.random.default_rng(1).normal(size=(2, *PLANE)).astype(np.float32)
    result = verify(formats.load(tmp_path / "model.h5"), capture_live(model, [x], keras=2), [x], Options())
    assert {layer.type for layer in result.layers} >= {"QDepthwiseConv2D", "QConv2D"}
    assert result.exit_code == 0


def test_stored_weights_where_effective_ones_belong_are_named(tmp_path: Path) -> None:
    """The question this project grew from: the output of `get_weights()` is not the layer's."""

    def unquantized(model: Any) -> None:
        model.layers[0].call = lambda x: tf_keras.backend.conv2d(x, model.layers[0].kernel, padding="valid")

    layer = qkeras.QConv2D(4, 3, kernel_quantizer=BITS, use_bias=False)
    (found,) = checked(layer, PLANE, tmp_path, unquantized).layers
    assert found.verdict is Verdict.MISMATCH
    assert [finding.code for finding in found.findings] == ["RC101"]


def test_a_wrong_effective_weight_has_a_verdict_of_its_own(tmp_path: Path) -> None:
    def other_quantizer(model: Any) -> None:
        model.layers[0].kernel_quantizer_internal = qkeras.quantized_bits(3, 0, 1, alpha="auto_po2")

    layer = qkeras.QConv2D(4, 3, kernel_quantizer=BITS, use_bias=False)
    (found,) = checked(layer, PLANE, tmp_path, other_quantizer).layers
    assert found.verdict is Verdict.MISMATCH
    assert found.weights["kernel"].verdict is Verdict.MISMATCH
    assert found.outputs[0].verdict in (Verdict.EXACT, Verdict.WITHIN)
