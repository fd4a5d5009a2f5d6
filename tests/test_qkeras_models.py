"""Real quantized models: known answers reproduced exactly, and exact layers demanded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.live import capture_live, framework
from support.models import model_path, needs_models

import refconv
from refconv import formats, pipeline
from refconv.frameworks.worker.loading import load_model
from refconv.pipeline import Options, verify
from refconv.result import LayerResult, Verdict

SEEDS = (pytest.param(range(2), id="quick"), pytest.param(range(2, 10), id="more", marks=pytest.mark.slow))
SUMS = ("QConv2DBatchnorm", "QDepthwiseConv2D", "QDense")
# File → its certified layers.
CERTIFIED = {
    "qkeras/svhn_quantized.h5": [
        "conv_act_0", "pool_0", "fused_convbn_1", "conv_act_1", "pool_1", "fused_convbn_2", "conv_act_2", "pool_2",
        "flatten_9", "dense_0", "dense_act_0", "dense_1", "dense_act_1",
    ],
    "qkeras/mnist_quantized_pruned.h5": [
        "conv_act_0", "pool_0", "prune_low_magnitude_fused_convbn_1", "conv_act_1", "pool_1", "flatten_3",
        "prune_low_magnitude_dense_0", "dense_act_0", "prune_low_magnitude_dense_1", "dense_act_1",
    ],
    "known_answers/rn07/model.h5": [
        "q_activation", "q_conv2d_batchnorm_1", "q_activation_1", "q_conv2d_batchnorm_2", "q_activation_2",
        "q_conv2d_batchnorm_3", "q_activation_3", "q_conv2d_batchnorm_4", "q_activation_5", "flatten", "q_dense",
    ],
    "samples/digits_qkeras.h5": [
        "conv_relu", "conv_norm", "conv_norm_relu", "max_pool", "depthwise", "depthwise_relu", "flatten", "logits",
    ],
}  # fmt: skip


def path_of(name: str) -> Path:
    sample = Path(refconv.__file__).parent / name
    return sample if sample.exists() else model_path(name)


def certified(layer: LayerResult) -> bool:
    return all(output.certified for output in layer.outputs)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", CERTIFIED)
def test_fixed_point_layers_are_certified_and_exact(name: str, seeds: range) -> None:
    """For every seed the same layers, and with them the whole file passes; sums say how many bits they need."""
    path = path_of(name)
    graph, model = formats.load(path), load_model(framework(2), str(path), qkeras=True)
    for seed in seeds:
        options = Options(seed=seed)
        arrays = pipeline.draw_inputs(graph, None, options)
        result = verify(graph, capture_live(model, arrays, keras=2), arrays, options)
        assert result.exit_code == 0
        assert [layer.name for layer in result.layers if certified(layer)] == CERTIFIED[name]
        sums = [layer for layer in result.layers if certified(layer) and layer.type in SUMS]
        assert all(layer.verdict is Verdict.EXACT for layer in result.layers if certified(layer))
        assert sums and all(1 < layer.outputs[0].accumulator_bits <= 25 for layer in sums)


@needs_models
def test_rn07_fed_256ths_gives_its_authors_logits_bit_for_bit() -> None:
    folder = model_path("known_answers/rn07")
    vectors = np.load(folder / "vectors.npz")
    graph = formats.load(folder / "model.h5")
    found = pipeline.run(graph, (vectors["images"] / 256).astype(np.float32))
    assert np.abs(found["q_dense"].mid - vectors["keras_logits"]).max() == 0.0
    off = pipeline.run(graph, (vectors["images"] / 255).astype(np.float32))
    assert np.abs(off["q_dense"].mid - vectors["keras_logits"]).max() > 0.1


@needs_models
def test_dl4j_predictions_are_reproduced() -> None:
    folder = model_path("known_answers/dl4j_cnn")
    graph = formats.load(folder / "cnn_batch_norm.h5")
    found = pipeline.run(graph, np.load(folder / "input.npy").astype(np.float32))
    assert np.abs(found.output.mid - np.load(folder / "predictions.npy")).max() <= 2e-7
