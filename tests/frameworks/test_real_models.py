"""Every leaf layer of real models made by others is recorded, in every mode, and the tensors chain."""

import json
import zipfile

import h5py
import numpy as np
import pytest
from support.captured import capture
from support.models import model_path, needs_models

# File, Keras, input shape.
MODELS = [
    ("float/mlperf_tiny_resnet.h5", 2, (2, 32, 32, 3)),
    ("float/mlperf_tiny_resnet_keras3.h5", 3, (2, 32, 32, 3)),
    ("float/mlperf_tiny_wakeword.h5", 2, (2, 30, 1, 40)),
    ("float/vww_nested.h5", 2, (2, 96, 96, 1)),
    ("float/fer_mini_xception.hdf5", 2, (2, 64, 64, 1)),
    ("float/speech_music_noise.hdf5", 2, (2, 68, 21)),
    ("float/sudoku_digits.h5", 2, (2, 28, 28, 1)),
    ("float/tiny_mnist.h5", 3, (2, 28, 28, 1)),
    ("float/tiny_mnist.keras", 3, (2, 28, 28, 1)),
    ("float/potatoes_nested.h5", 2, (32, 256, 256, 3)),
    ("float/gan_generator_transpose.h5", 2, (2, 128)),
    ("float/mtcnn_48net.h5", 2, (2, 48, 48, 3)),
]


def leaves(config, prefix=""):
    """Paths of the leaf layers that a model's configuration names; none of these models shares a layer."""
    inner = config["config"]
    for layer in inner["layers"] if isinstance(inner, dict) else inner:
        name = prefix + layer["config"]["name"]
        if "layers" in layer["config"]:
            yield from leaves(layer, name + "/")
        elif layer["class_name"] != "InputLayer":
            yield name


def configuration(path):
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])


@needs_models
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["graph", "eager", "xla"])
@pytest.mark.parametrize(("name", "keras", "shape"), MODELS)
def test_every_leaf_is_recorded(name, keras, shape, mode):
    path = model_path(name)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    trace = capture(path, [x], keras=keras, mode=mode)
    assert sorted(call.layer for call in trace.calls) == sorted(leaves(configuration(path)))
    known = {key for keys in trace.model_inputs for key in keys}
    for call in trace.calls:
        assert known.issuperset(call.inputs), call
        known.update(call.outputs)
    assert set(trace.tensors) == known
    for plain, output in zip(trace.plain, trace.outputs, strict=True):
        np.testing.assert_allclose(plain, output, rtol=1e-4, atol=1e-5)
