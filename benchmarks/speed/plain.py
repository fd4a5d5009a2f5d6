"""What a user writes to predict a batch, and nothing more: load the model, read the inputs, predict.

    python benchmarks/speed/plain.py MODEL 2|3 keras|qkeras INPUT.npy…

`refconv check` is timed beside it; it must not know of refconv.
"""

import os
import sys
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1" if sys.argv[2] == "2" else "0"  # read when TensorFlow is imported

import numpy as np


def quantized() -> dict[str, Any]:
    """QKeras's classes, and the wrapper that pruned layers are saved in."""
    from qkeras.utils import _add_supported_quantized_objects
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import PruneLowMagnitude

    objects = {"PruneLowMagnitude": PruneLowMagnitude}
    _add_supported_quantized_objects(objects)
    return objects


def main(model: str, keras: str, layers: str, *inputs: str) -> None:
    if keras == "2":
        from tf_keras.models import load_model
    else:
        from keras.models import load_model
    loaded = load_model(model, compile=False, custom_objects=quantized() if layers == "qkeras" else None)
    arrays = [np.load(path) for path in inputs]
    loaded.predict(arrays[0] if len(arrays) == 1 else arrays, batch_size=len(arrays[0]), verbose=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
