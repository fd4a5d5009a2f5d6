"""Which Keras a file needs, before it is read: the same as reading it says, or nothing."""

import json
from pathlib import Path

import pytest
from support.crafted import members, write_h5, write_zip
from support.models import model_path

from refconv.formats import load
from refconv.formats.peek import keras_major

SAMPLES = Path(__file__).parents[2] / "refconv" / "samples"


@pytest.mark.parametrize("path", [p for p in sorted(SAMPLES.iterdir()) if p.suffix in (".h5", ".keras")], ids=str)
def test_samples(path):
    assert keras_major(path) == load(path).keras


@pytest.mark.parametrize(
    "name",
    [
        "float/fer_mini_xception.hdf5",  # of Keras 2.0.5, which wrote its version beside the weights
        "float/mlperf_tiny_resnet.h5",
        "float/mlperf_tiny_resnet_keras3.h5",
        "float/tiny_mnist.keras",
        "qkeras/svhn_quantized.h5",
    ],
)
def test_real_models(name):
    assert keras_major(model_path(name)) in (load(model_path(name)).keras, None)


def test_what_cannot_be_told_at_once_is_left_to_the_reader(tmp_path):
    (tmp_path / "text").write_text("no model")
    assert keras_major(tmp_path / "text") is None
    assert keras_major(tmp_path / "nothing") is None
    assert keras_major(write_h5(tmp_path / "old.h5", version="1.2.1")) is None
    assert keras_major(write_h5(tmp_path / "new.h5", version="4.0.0")) is None
    assert keras_major(write_zip(tmp_path / "bare.keras", {"config.json": b"{}"})) is None
    for about in ([], {}, {"keras_version": 3}, {"keras_version": ["3.5"]}):
        contents = {**members(), "metadata.json": json.dumps(about).encode()}
        assert keras_major(write_zip(tmp_path / "odd.keras", contents)) is None
    (tmp_path / "cut.keras").write_bytes((tmp_path / "odd.keras").read_bytes()[:-40])
    assert keras_major(tmp_path / "cut.keras") is None
