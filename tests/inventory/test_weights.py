"""Stored and effective weights, read without a framework."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.live import framework
from support.models import model_path, needs_models

import refconv
from refconv.errors import BadInput
from refconv.frameworks.worker.loading import load_model
from refconv.frameworks.worker.quantized import effective_weights
from refconv.inventory.weights import choose, weights
from refconv.report import weights as report

SAMPLE = Path(refconv.__file__).parent / "samples" / "digits_qkeras.h5"
FILES = ["qkeras/svhn_quantized.h5", "qkeras/mnist_quantized_pruned.h5", "known_answers/rn07/model.h5"]


def same_as_qkeras(path: Path) -> int:
    """How many quantized weights were compared with what the framework's own layers multiply by."""
    model, count = load_model(framework(2), str(path), qkeras=True), 0
    found = weights(path)
    for layer in model.layers:
        for name, value in effective_weights(layer).items():
            if found[layer.name][name].slot is not None:
                np.testing.assert_array_equal(found[layer.name][name].effective, np.asarray(value))
                count += 1
    return count


def test_effective_weights_of_the_sample_are_qkerass_bit_for_bit() -> None:
    assert same_as_qkeras(SAMPLE) == 8


@needs_models
@pytest.mark.parametrize(("name", "count"), list(zip(FILES, (8, 6, 12), strict=True)))
def test_effective_weights_of_real_models_are_qkerass_bit_for_bit(name: str, count: int) -> None:
    assert same_as_qkeras(model_path(name)) == count


def test_codes_times_scale_is_the_effective_value_and_not_the_stored_one() -> None:
    kernel = weights(SAMPLE)["conv"].kernel
    np.testing.assert_array_equal(kernel.codes * np.asarray(kernel.scale), kernel.effective)
    assert np.abs(kernel.stored - kernel.effective).max() == pytest.approx(kernel.largest_change)
    assert kernel.largest_change > 0.1
    assert np.all(np.abs(kernel.codes) <= 7)


def test_one_pixel_by_hand_is_the_layers_with_effective_weights_only() -> None:
    """The question this project grew from."""
    image = np.load(SAMPLE.parent / "digits.npy")[:1]
    conv = refconv.weights(SAMPLE)["conv"]
    patch = image[0, 0:3, 0:3, :].astype(np.float64)
    by_hand = (patch[..., None] * conv.kernel.effective).sum(axis=(0, 1, 2)) + conv.bias.effective
    model = load_model(framework(2), str(SAMPLE), qkeras=True)
    layer = model.get_layer("conv")(image).numpy()[0, 1, 1]
    np.testing.assert_allclose(by_hand, layer, rtol=0, atol=1e-6)
    stored = (patch[..., None] * conv.kernel.stored).sum(axis=(0, 1, 2)) + conv.bias.stored
    assert np.abs(stored - layer).max() > 0.01


def test_float_layers_multiply_by_what_is_stored() -> None:
    conv = weights(SAMPLE.with_name("digits.h5"))["conv"]
    np.testing.assert_array_equal(conv.kernel.effective, conv.kernel.stored)
    assert (conv.kernel.codes, conv.kernel.quantizer, conv.is_quantized) == (None, "", False)


def test_names() -> None:
    found = weights(SAMPLE)
    assert choose(found, "conv").layer == "conv"
    with pytest.raises(BadInput, match="no layer with weights is called 'nope'"):
        choose(found, "nope")
    with pytest.raises(AttributeError, match="it has kernel, bias"):
        _ = found["conv"].gamma


def test_reports() -> None:
    found = weights(SAMPLE)
    text = report.listing(found)
    assert "4 bits, 0 integer bits, signed and symmetric, scale per channel a power of two" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "code" in report.channel(found["conv"], codes=True)
    assert "code" not in report.channel(found["conv"], codes=False)
    layers = json.loads(report.as_json(found))["layers"]
    assert layers[0]["weights"][0]["effective_range"] == [-0.875, 0.875]
    assert set(report.arrays({"conv": found["conv"]})) == {
        f"conv/{w}/{part}" for w in ("kernel", "bias") for part in ("stored", "effective", "codes", "scale")
    }


def test_no_framework_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from refconv.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: assert not {'tensorflow', 'keras', 'tf_keras', 'qkeras'} & set(sys.modules)"
    )
    output = str(tmp_path / "w.npz")
    command = [sys.executable, "-c", code, "weights", str(SAMPLE), "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert np.load(output)["conv/kernel/codes"].shape == (3, 3, 1, 8)
