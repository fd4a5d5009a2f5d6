"""Save Keras Applications with random, non-degenerate weights: `python scripts/make_zoo.py VGG16 MobileNetV2 -o DIR`.

Keras's own initialisation hides faults (zero biases, identity BatchNormalization), so biases and BatchNormalization's
statistics and scales are drawn too. Signals neither die nor explode on the way: kernels are He-normal,
BatchNormalization's statistics are those of a run on noise, moved by random amounts, and the last layer is scaled so
that a softmax behind it does not saturate.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent))

# Every constructor of keras.applications in Keras 3.15; a test holds that none is missing.
NAMES = (
    *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
    *(f"DenseNet{depth}" for depth in (121, 169, 201)),
    *(f"EfficientNetB{number}" for number in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    *("InceptionV3", "InceptionResNetV2", "MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large"),
    *("NASNetMobile", "NASNetLarge", "ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2"),
    *("VGG16", "VGG19", "Xception"),
)
SIZE = 224  # of an input that may have any
PIXELS = ("Rescaling", "Normalization")  # what a model begins with that takes 0…255
LOGITS = 1.5  # standard deviation before the last activation


def draw(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Values of one variable by its Keras name."""
    if name in ("moving_variance", "variance"):
        return rng.uniform(0.5, 2.0, shape)
    if name == "gamma":
        return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape, p=[0.1, 0.9])
    if len(shape) < 2:
        return rng.normal(0.0, 0.1, shape)
    fan_in = int(np.prod(shape[:2])) if "depthwise" in name else int(np.prod(shape[:-1]))
    return rng.normal(0.0, np.sqrt(2.0 / fan_in), shape)


def randomise(model: Any, seed: int) -> Any:
    """Draw every variable of `model`, in place."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        name = variable.name.split("/")[-1].split(":")[0]
        if variable.dtype in ("float32", np.float32):
            variable.assign(draw(name, tuple(variable.shape), rng).astype(np.float32))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()  # Normalization computes with copies of its weights, as loading makes them
    x = noise(model, rng)
    calibrate(model, x, rng)
    temper(model, x)
    return model


def noise(model: Any, rng: np.random.Generator) -> np.ndarray:
    """Samples as `refconv check` draws them, of small images more than one: statistics are to be of many pixels."""
    from refconv.graph import TensorSpec
    from refconv.inputs.draw import draw as sample

    height, width, channels = (SIZE if n is None else n for n in model.input_shape[1:])
    count = max(1, SIZE**2 // (height * width))
    pixels = type(model.layers[1]).__name__ in PIXELS
    spec = TensorSpec("x", (count, height, width, channels))
    return sample(spec, count, rng, 256 if pixels else None)


def calibrate(model: Any, x: np.ndarray, rng: np.random.Generator) -> None:
    """Moving statistics from one run in training mode, then off by some random amount; dead channels get a variance."""
    layers = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    drops = [layer for layer in model.layers if getattr(layer, "rate", 0)]
    if not layers:
        return
    with changed(layers, momentum=0.0), changed(drops, rate=0.0):
        model(x, training=True)
    for layer in layers:
        mean, variance = (np.asarray(v) for v in (layer.moving_mean, layer.moving_variance))
        variance = np.maximum(variance, 1e-2 * variance.mean() + 1e-6)
        layer.moving_mean.assign(mean + rng.normal(0.0, 0.1, mean.shape) * np.sqrt(variance))
        layer.moving_variance.assign(variance * rng.uniform(0.8, 1.25, variance.shape))


@contextmanager
def changed(layers: list[Any], **values: float) -> Iterator[None]:
    """Layers with other attributes; the file is to hold their own again."""
    before = [{name: getattr(layer, name) for name in values} for layer in layers]
    for layer in layers:
        vars(layer).update(values)
    yield
    for layer, own in zip(layers, before, strict=True):
        vars(layer).update(own)


def temper(model: Any, x: np.ndarray) -> None:
    """Scale the last kernel, of a Dense or a 1×1 convolution, to logits of one spread."""
    import keras

    last = next(layer for layer in reversed(model.layers) if layer.weights)
    features = np.asarray(keras.Model(model.input, last.input)(x, training=False))
    kernel = np.asarray(last.kernel)
    logits = features.reshape(-1, kernel.shape[-2]) @ kernel.reshape(kernel.shape[-2:])
    last.kernel.assign(kernel * (LOGITS / logits.std()))


def make(name: str, folder: Path, seed: int = 0, **options: Any) -> Path:
    """Save `keras.applications.NAME` as a .keras file in `folder`, unless it is there; return its path."""
    path = folder / f"{name}.keras"
    if not path.exists():
        import keras

        folder.mkdir(parents=True, exist_ok=True)
        model = randomise(getattr(keras.applications, name)(weights=None, **options), seed)
        partial = folder / f"partial-{name}.keras"
        model.save(partial)
        partial.rename(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--input-size", type=int, metavar="N", help="height and width, instead of the model's own")
    arguments = parser.parse_args()
    options = {"input_shape": (arguments.input_size,) * 2 + (3,)} if arguments.input_size else {}
    for name in arguments.names:
        print(make(name, arguments.output, arguments.seed, **options))


if __name__ == "__main__":
    main()
