"""Real quantized models: known answers reproduced exactly, and exact layers demanded."""

from __future__ import annotations

import numpy as np
from support.models import model_path, needs_models

from refconv import formats, pipeline


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
