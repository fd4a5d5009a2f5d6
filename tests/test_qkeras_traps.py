"""What QKeras does that surprises people, from file to verdict: refconv is on the right side of it, or names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import capture_live

import refconv
from refconv import formats
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, Verdict

tf = pytest.importorskip("tensorflow")
tf_keras = pytest.importorskip("tf_keras")
qkeras = pytest.importorskip("qkeras")

GOOD = (Verdict.EXACT, Verdict.WITHIN)
SHAPE = (5, 4)


def saved(layer: Any, folder: Path) -> tuple[Any, Path]:
    model = tf_keras.Sequential([tf_keras.Input(SHAPE), layer])
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    model.save(folder / "model.h5")
    return model, folder / "model.h5"


def judged(layer: Any, folder: Path, plant: Callable[[Any], None] = lambda model: None) -> CheckResult:
    model, path = saved(layer, folder)
    plant(model)
    x = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype(np.float32)
    return verify(formats.load(path), capture_live(model, [x], keras=2), [x], Options())


def test_drawn_activations_are_flagged_and_each_is_one_that_may_be_drawn(tmp_path: Path) -> None:
    """TRAPS 10, QKERAS's surprise 6."""
    result = judged(qkeras.QActivation("bernoulli(alpha=0.5)"), tmp_path)
    (found,) = result.layers
    assert found.verdict in GOOD
    assert found.nondeterministic
    assert result.plain is None
    assert any("draws numbers at every call" in note for note in result.notes)
    assert result.exit_code == 0


def test_what_cannot_be_drawn_fails(tmp_path: Path) -> None:
    def halved(model: Any) -> None:
        vars(model.layers[0])["call"] = lambda x: qkeras.bernoulli(alpha=0.5)(x) / 2

    (found,) = judged(qkeras.QActivation("bernoulli(alpha=0.5)"), tmp_path, halved).layers
    assert (found.verdict, found.nondeterministic) == (Verdict.MISMATCH, True)


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_a_drawn_kernel_is_the_one_that_the_layer_multiplied_by(mode: str, tmp_path: Path) -> None:
    model, path = saved(qkeras.QDense(6, kernel_quantizer="bernoulli(alpha=1.0)", use_bias=False), tmp_path)
    x = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype(np.float32)
    quantizer = model.layers[0].kernel_quantizer_internal
    (found,) = verify(formats.load(path), capture_live(model, [x], keras=2, mode=mode), [x], Options()).layers
    assert found.verdict in GOOD
    assert found.nondeterministic
    assert model.layers[0].kernel_quantizer_internal is quantizer


def test_a_quantizer_shared_with_the_bias_is_changed_with_the_kernels(tmp_path: Path) -> None:
    """QKERAS's surprise 1: the bias then gets the power-of-two scale that was meant for kernels."""
    shared = qkeras.quantized_bits(4, 0)
    result = judged(qkeras.QDense(6, kernel_quantizer=shared, bias_quantizer=shared), tmp_path)
    (found,) = result.layers
    assert found.verdict in GOOD
    assert [c.verdict for c in found.weights.values()] == [Verdict.EXACT] * 2
    assert "power of two" in result.quantized[0].quantizers["bias"]


def test_an_activation_that_scales_by_the_batch_is_judged_on_the_whole_batch(tmp_path: Path) -> None:
    """TRAPS 2: the same row in another batch gives other values, and either is right."""
    layer = qkeras.QActivation(qkeras.quantized_bits(4, 0, alpha="auto"))
    model, path = saved(layer, tmp_path)
    x = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype(np.float32)
    graph, outputs = formats.load(path), []
    for batch in (x, x[:1]):
        result = verify(graph, capture_live(model, [batch], keras=2), [batch], Options())
        assert result.layers[0].verdict in GOOD
        outputs.append(refconv.run(graph, batch).output.mid[0])
    assert np.abs(outputs[0] - outputs[1]).max() > 0.01


def test_an_unclipped_relu_is_another_after_saving_and_the_file_is_what_counts(tmp_path: Path) -> None:
    """TRAPS 1: the live model, whose is_quantized_clip no file records, is not what the file says."""
    activation = qkeras.quantized_relu(4, 0, relu_upper_bound=0.5, is_quantized_clip=False)
    model, path = saved(qkeras.QActivation(activation), tmp_path)
    x = np.full((1, *SHAPE), 3.0, np.float32)
    live = verify(formats.load(path), capture_live(model, [x], keras=2), [x], Options())
    assert live.layers[0].verdict is Verdict.MISMATCH
    again = qkeras.utils.load_qmodel(path, compile=False)
    assert verify(formats.load(path), capture_live(again, [x], keras=2), [x], Options()).exit_code == 0


def test_inputs_beyond_the_grid(tmp_path: Path) -> None:
    """QKERAS's surprises 2 and 3: the straight-through step leaves the grid, and powers of two have no zero."""
    x = np.array([1e6 + 0.25, 2e7, 0.0, 1e-9], np.float32)
    x = np.resize(x, (1, *SHAPE))
    for quantizer in ("quantized_bits(8,0,alpha=1)", "quantized_po2(4)", "quantized_relu_po2(4)"):
        model, path = saved(qkeras.QActivation(quantizer), tmp_path)
        assert verify(formats.load(path), capture_live(model, [x], keras=2), [x], Options()).exit_code == 0, quantizer


def test_the_sigmoid_of_the_process_is_in_no_file(tmp_path: Path) -> None:
    """QKERAS's surprise 5: a process that set another one does not compute what the file says."""

    def real_sigmoid(model: Any) -> None:
        qkeras.quantizers.set_internal_sigmoid("real")

    try:
        (found,) = judged(qkeras.QActivation("quantized_sigmoid(4)"), tmp_path, real_sigmoid).layers
    finally:
        qkeras.quantizers.set_internal_sigmoid("hard")
    assert found.verdict is Verdict.MISMATCH
    assert judged(qkeras.QActivation("quantized_sigmoid(4)"), tmp_path).exit_code == 0


def test_the_first_call_of_an_adaptive_activation_is_wrong_and_the_run_says_so(tmp_path: Path) -> None:
    model, path = saved(qkeras.QAdaptiveActivation("quantized_bits", 6), tmp_path)
    model.layers[0].ema_max.assign([6.5])
    model.save(path)
    result = refconv.check(path)
    assert result.layers[0].verdict is Verdict.EXACT
    assert (result.plain.ok, result.exit_code) == (False, 1)
    assert any("0 integer bits for the first call" in note for note in result.notes)
