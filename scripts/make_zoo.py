"""Save Keras Applications with random, non-degenerate weights: `python scripts/make_zoo.py VGG16 MobileNetV2 -o DIR`.

Keras's own initialisation hides faults (zero biases, identity BatchNormalization), so biases and BatchNormalization's
statistics and scales are drawn too. Kernels are He-normal, so that signals neither die nor explode.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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
    return model


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
    arguments = parser.parse_args()
    for name in arguments.names:
        print(make(name, arguments.output, arguments.seed))


if __name__ == "__main__":
    main()
