"""Trains the small models that refconv ships, on scikit-learn's digits (1797 images of 8 x 8), into refconv/samples/.

    python scripts/train_samples.py [NAME ...]

digits.keras is made with Keras 3, digits.h5 is the same architecture with Keras 2 (tf-keras), and digits_qkeras.h5
is a quantized model with QKeras, which needs Keras 2. Which Keras a process gets is fixed when TensorFlow is
imported, so each model is trained in a process of its own. digits.npy holds a few test images to feed them.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

SAMPLES = Path(__file__).resolve().parents[1] / "refconv" / "samples"
SEED = 1
LEAST_ACCURACY = {"digits.keras": 0.95, "digits.h5": 0.95, "digits_qkeras.h5": 0.9}
SHIPPED_IMAGES = 4


def digits():
    """Images (n, 8, 8, 1) float32 in [0, 1] and labels (n,) int64, split in two: for training, for the test."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    images = (data.images / 16).astype(np.float32)[..., None]
    return train_test_split(images, data.target, test_size=0.25, random_state=SEED, stratify=data.target)


def float_model(keras):
    """A CNN of the layers most models are made of."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(name="conv_norm"),
            layers.ReLU(name="conv_relu"),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
            layers.BatchNormalization(name="depthwise_norm"),
            layers.Activation("relu", name="depthwise_relu"),
            layers.MaxPooling2D(2, name="max_pool"),
            layers.SeparableConv2D(16, 3, padding="same", activation="relu", name="separable"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="conv_strided"),
            layers.AveragePooling2D(2, strides=1, padding="same", name="average_pool"),
            layers.Dropout(0.1, name="dropout"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, activation="softmax", name="classes"),
        ],
        name="digits",
    )


def quantized_model(keras):
    """A CNN of QKeras layers with 4-bit kernels and 6-bit activations.

    Kernels without an alpha get QKeras's computed power-of-two scale, the others a scale of 1.
    """
    import qkeras

    def weights(bits, alpha=None):
        return qkeras.quantized_bits(bits, 0, 1, alpha=alpha)

    def activation(name):
        return qkeras.QActivation(qkeras.quantized_relu(6, 2), name=name)

    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            qkeras.QConv2D(8, 3, padding="same", kernel_quantizer=weights(4), bias_quantizer=weights(4), name="conv"),
            activation("conv_relu"),
            qkeras.QConv2DBatchnorm(
                16, 3, padding="same", kernel_quantizer=weights(4), bias_quantizer=weights(8), name="conv_norm"
            ),
            activation("conv_norm_relu"),
            keras.layers.MaxPooling2D(2, name="max_pool"),
            qkeras.QDepthwiseConv2D(
                3, padding="same", depthwise_quantizer=weights(4, 1), bias_quantizer=weights(4, 1), name="depthwise"
            ),
            activation("depthwise_relu"),
            keras.layers.Flatten(name="flatten"),
            qkeras.QDense(10, kernel_quantizer=weights(4, 1), bias_quantizer=weights(4, 1), name="logits"),
            keras.layers.Activation("softmax", name="classes"),
        ],
        name="digits_qkeras",
    )


def train(name):
    """Trains one model in this process and saves it without its optimizer; returns its accuracy on the test images."""
    if name == "digits.keras":
        import keras
    else:
        import tf_keras as keras
    keras.utils.set_random_seed(SEED)
    train_images, test_images, train_labels, test_labels = digits()
    model = quantized_model(keras) if name == "digits_qkeras.h5" else float_model(keras)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_images, train_labels, batch_size=64, epochs=30, verbose=2)
    accuracy = model.evaluate(test_images, test_labels, verbose=0)[1]
    if accuracy < LEAST_ACCURACY[name]:
        raise SystemExit(f"{name}: test accuracy {accuracy:.4f} is below {LEAST_ACCURACY[name]}")
    save(model, SAMPLES / name)
    return accuracy


def save(model, path):
    options = {} if path.suffix == ".keras" else {"include_optimizer": False, "save_format": "h5"}
    model.optimizer = None
    model.save(path, **options)
    if path.suffix == ".h5":
        drop_optional(path)


def drop_optional(path):
    """Takes InputLayer's `optional`, False here, out of the file: tf-keras 2.21 writes it and 2.20 cannot read it."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            layer["config"].pop("optional", None)
        file.attrs["model_config"] = json.dumps(config)


def train_in_own_process(name):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if name.endswith(".h5"):
        environment["TF_USE_LEGACY_KERAS"] = "1"
    subprocess.run([sys.executable, __file__, "--here", name], env=environment, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(LEAST_ACCURACY) + " (default: all)")
    parser.add_argument("--here", choices=LEAST_ACCURACY, help="train this one in this very process")
    arguments = parser.parse_args()
    SAMPLES.mkdir(exist_ok=True)
    if arguments.here:
        print(f"{arguments.here}: test accuracy {train(arguments.here):.4f}")
        return
    np.save(SAMPLES / "digits.npy", digits()[1][:SHIPPED_IMAGES])
    for name in arguments.names or LEAST_ACCURACY:
        train_in_own_process(name)


if __name__ == "__main__":
    main()
