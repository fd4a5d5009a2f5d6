"""The architectures of keras.applications, reduced: every layer verified, none vacuous, and signals that stay alive."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.live import capture_live

from refconv import formats, pipeline
from refconv.pipeline import Options, draw_inputs
from refconv.result import CheckResult, Verdict

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
import make_zoo  # noqa: E402

SMALL = {"weights": None, "input_shape": (32, 32, 3), "classes": 10}


def inner(module: str) -> Any:
    return importlib.import_module(f"keras.src.applications.{module}")


def stack(module: str, name: str) -> Callable[[Any], Any]:
    """Two stages of two blocks, a shortcut with a convolution and one without."""
    block = getattr(inner(module), name)
    return lambda x: block(block(x, 4, 2, stride1=1, name="conv2"), 8, 2, name="conv3")


def inception_resnet() -> Any:
    blocks = inner("inception_resnet_v2")
    x = start = keras.Input((17, 17, 3))
    for number, kind in enumerate(("block35", "block17", "block8"), start=1):
        x = blocks.inception_resnet_block(x, scale=0.17, block_type=kind, block_idx=number)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(start, keras.layers.Dense(10, activation="softmax", name="predictions")(x))


MAKERS: dict[str, Callable[[], Any]] = {
    "ConvNeXt": lambda: inner("convnext").ConvNeXt(
        depths=[1, 1, 1, 1], projection_dims=[8, 12, 16, 24], drop_path_rate=0.2, name="small", **SMALL
    ),
    "DenseNet": lambda: inner("densenet").DenseNet([1, 1, 1, 1], **SMALL),
    "EfficientNet": lambda: inner("efficientnet").EfficientNet(0.2, 0.1, 32, name="small", **SMALL),
    "EfficientNetV2": lambda: inner("efficientnet_v2").EfficientNetV2(0.2, 0.1, 32, name="efficientnetv2-b0", **SMALL),
    "InceptionResNetV2": inception_resnet,
    "MobileNetV3": lambda: keras.applications.MobileNetV3Small(alpha=0.35, **{**SMALL, "input_shape": (None, None, 3)}),
    "NASNet": lambda: inner("nasnet").NASNet(
        penultimate_filters=96, num_blocks=1, stem_block_filters=4, default_size=32, **SMALL
    ),
    "ResNet": lambda: inner("resnet").ResNet(stack("resnet", "stack_residual_blocks_v1"), False, True, **SMALL),
    "ResNetV2": lambda: inner("resnet").ResNet(stack("resnet", "stack_residual_blocks_v2"), True, True, **SMALL),
}
WHOLE = {"MobileNet": 32, "MobileNetV2": 32, "VGG16": 32, "Xception": 71, "InceptionV3": 75, "NASNetMobile": 32}


def checked(model: Any, path: Path, samples: int = 2) -> tuple[CheckResult, list[np.ndarray]]:
    """A model, its weights drawn as the benchmark draws them, through its file."""
    make_zoo.randomise(model, 0)
    model.save(path)
    graph = formats.load(path)
    options = Options(samples=samples, shapes={"": (64, 32)} if None in graph.specs[0].shape[1:] else {})
    arrays = draw_inputs(graph, None, options)
    trace = capture_live(model, arrays, keras=3)
    return pipeline.verify(graph, trace, arrays, options, seeded=True), trace.plain


def test_every_layer_of_keras_2_s_own_model_is_verified(tmp_path: Path) -> None:
    """Its sums are TFOpLambdas, its LayerNormalization takes another kernel, and .h5 files do not know LayerScale."""
    tf_keras = pytest.importorskip("tf_keras")
    model = importlib.import_module("tf_keras.src.applications.convnext").ConvNeXt(
        depths=[1, 1, 1, 1], projection_dims=[8, 12, 16, 24], drop_path_rate=0.2, model_name="small", **SMALL
    )
    rng = np.random.default_rng(0)
    shapes = [(weight.name.split("/")[-1].split(":")[0], tuple(weight.shape)) for weight in model.weights]
    model.set_weights([make_zoo.draw(name, shape, rng) for name, shape in shapes])
    assert isinstance(model, tf_keras.Model)
    model.save(tmp_path / "model.h5")
    graph = formats.load(tmp_path / "model.h5")
    arrays = draw_inputs(graph, None, Options())
    result = pipeline.verify(graph, capture_live(model, arrays, keras=2), arrays, Options(), seeded=True)
    assert {layer.name for layer in result.layers if not good(layer.verdict)} == set()
    assert {"LayerScale", "StochasticDepth", "LayerNormalization", "ops.add"} <= {layer.type for layer in result.layers}


def demand(result: CheckResult, plain: list[np.ndarray]) -> None:
    wrong = {layer.name: f"{layer.verdict} {layer.reason}" for layer in result.layers if not good(layer.verdict)}
    assert wrong == {}
    assert result.verdict == "pass"
    assert result.plain is not None
    (outputs,) = plain
    assert outputs.max() < 0.9, "the softmax saturates"
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4, "the samples are all one"


def good(verdict: Verdict) -> bool:
    return verdict in (Verdict.EXACT, Verdict.WITHIN)


@pytest.mark.parametrize("name", MAKERS)
def test_every_layer_of_a_reduced_model_is_verified(name: str, tmp_path: Path) -> None:
    demand(*checked(MAKERS[name](), tmp_path / "model.keras"))


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_every_layer_of_a_whole_model_is_verified(name: str, tmp_path: Path) -> None:
    size = WHOLE[name]
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))
    demand(*checked(model, tmp_path / "model.keras"))


def test_no_constructor_is_left_out() -> None:
    found = {name for name in vars(keras.applications) if name[0].isupper()}
    assert set(make_zoo.NAMES) == found and len(make_zoo.NAMES) == len(found) == 40
