"""Every spelling of every Keras ends in Keras 3.15's: hand-worked configurations, then all that both Kerases write."""

import json
from typing import Any

import pytest

from refconv.formats.dialects import DIALECTS, qkeras
from refconv.formats.dialects.common import is_inert
from refconv.formats.model import Layer
from refconv.formats.resolve import resolve
from refconv.ops.attributes import Unknown
from refconv.ops.table import TABLE


def canonical(dialect: str, class_name: str, **config: Any) -> tuple[str, dict[str, Any]]:
    return DIALECTS[dialect](class_name, config)


KERAS2 = [
    (("LeakyReLU", {"alpha": 0.25}), ("LeakyReLU", {"negative_slope": 0.25})),
    (("ThresholdedReLU", {"theta": 0.5}), ("ReLU", {"threshold": 0.5})),
    (("ReLU", {"max_value": 6.0, "negative_slope": 0.0}), ("ReLU", {"max_value": 6.0, "negative_slope": 0.0})),
    (("BatchNormalization", {"axis": [3], "scale": 1}), ("BatchNormalization", {"axis": 3, "scale": True})),
    (("BatchNormalizationV1", {"axis": -1}), ("BatchNormalization", {"axis": -1})),
    (("Softmax", {"axis": [-1]}), ("Softmax", {"axis": -1})),
    (("Activation", {"activation": "hard_sigmoid"}), ("Activation", {"activation": "hard_sigmoid_keras2"})),
    (("Activation", {"activation": "softmax_v2"}), ("Activation", {"activation": "softmax"})),
    (("Embedding", {"input_dim": 3, "input_length": None}), ("Embedding", {"input_dim": 3})),
    (("Rescaling", {"scale": 1, "offset": 0}), ("Rescaling", {"scale": 1, "offset": 0})),
    (
        ("Reshape", {"target_shape": {"class_name": "__tuple__", "items": [2, 3]}}),
        ("Reshape", {"target_shape": [2, 3]}),
    ),
    (
        ("ReLU", {"threshold": {"class_name": "__numpy__", "config": {"value": 0.5, "dtype": "float32"}}}),
        ("ReLU", {"threshold": 0.5}),
    ),
    (
        ("Dense", {"name": "d", "kernel_initializer": {}, "bias_constraint": None, "batch_input_shape": [None, 3]}),
        ("Dense", {}),
    ),
    (
        ("Dense", {"activation": {"class_name": "LeakyReLU", "config": {"name": "l", "alpha": 0.25}}}),
        ("Dense", {"activation": {"name": "leaky_relu", "parameters": {"negative_slope": 0.25}}}),
    ),
]
KERAS3 = [
    (("LeakyReLU", {"negative_slope": 0.25}), ("LeakyReLU", {"negative_slope": 0.25})),
    (("Activation", {"activation": "hard_sigmoid"}), ("Activation", {"activation": "hard_sigmoid"})),
    (("Activation", {"activation": "swish"}), ("Activation", {"activation": "silu"})),
    (("Activation", {"activation": None}), ("Activation", {"activation": None})),
    (
        ("Dense", {"activation": {"module": "keras.layers", "class_name": "ReLU", "config": {"max_value": 6.0}}}),
        ("Dense", {"activation": {"name": "relu", "parameters": {"max_value": 6.0}}}),
    ),
    (
        ("Dense", {"activation": {"module": "keras.activations", "class_name": "function", "config": "gelu"}}),
        ("Dense", {"activation": "gelu"}),
    ),
]


@pytest.mark.parametrize(("raw", "expected"), KERAS2)
def test_keras2(raw, expected):
    assert canonical("keras2", raw[0], **raw[1]) == expected


@pytest.mark.parametrize(("raw", "expected"), KERAS3)
def test_keras3(raw, expected):
    assert canonical("keras3", raw[0], **raw[1]) == expected


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "activation",
    [
        {"class_name": "quantized_relu", "config": {"bits": 8}},
        {"class_name": "function", "module": "builtins", "config": "my_function"},
        {"class_name": "PReLU", "config": {}},
    ],
)
def test_what_is_no_function_of_keras_has_no_reference(dialect, activation):
    with pytest.raises(Unknown):
        canonical(dialect, "Dense", activation=activation)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_field_is_kept_so_that_the_row_refuses_it(dialect):
    assert canonical(dialect, "Dense", units=3, kernel_quantizer="binary")[1]["kernel_quantizer"] == "binary"
    assert not is_inert("kernel_quantizer", "binary")
    assert is_inert("groups", 1)
    assert not is_inert("groups", 2)
    assert not is_inert("renorm", True)


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "CenterCrop": (4, 4),
    "ConvLSTM1D": (2, 3),
    "ConvLSTM2D": (2, 3),
    "ConvLSTM3D": (2, 3),
    "Dense": (3,),
    "Dot": (1,),
    "EinsumDense": ("ab,bc->ac", 3),
    "Embedding": (3, 4),
    "ReversibleEmbedding": (3, 4),
    "RepeatVector": (2,),
    "Reshape": ((2, 3),),
    "Permute": ((2, 1),),
    "Dropout": (0.5,),
    "SpatialDropout1D": (0.5,),
    "SpatialDropout2D": (0.5,),
    "SpatialDropout3D": (0.5,),
    "GaussianNoise": (0.5,),
    "GroupQueryAttention": (4, 2, 1),
    "MultiHeadAttention": (2, 3),
    "GaussianDropout": (0.5,),
    "AlphaDropout": (0.5,),
    "Activation": ("relu",),
    "LSTM": (3,),
    "GRU": (3,),
    "SimpleRNN": (3,),
    "Resizing": (4, 4),
    "Rescaling": (2.0,),
    "RandomColorDegeneration": (0.5,),
    "RandomContrast": (0.5,),
    "RandomCrop": (4, 4),
    "RandomHeight": (0.5,),
    "RandomHue": (0.5,),
    "RandomBrightness": (0.5,),
    "RandomPosterization": (3,),
    "RandomRotation": (0.5,),
    "RandomSaturation": (0.5,),
    "RandomSharpness": (0.5,),
    "RandomTranslation": (0.5, 0.5),
    "RandomWidth": (0.5,),
    "RandomZoom": (0.5,),
}
for _rank in ("1D", "2D", "3D"):
    names = ("Conv{}", "Conv{}Transpose", "SeparableConv{}", "LocallyConnected{}")
    ARGUMENTS |= {name.format(_rank): (4, 3) for name in names}
    names = ("DepthwiseConv{}", "AveragePooling{}", "AdaptiveAveragePooling{}", "AdaptiveMaxPooling{}")
    ARGUMENTS |= {name.format(_rank): (3,) for name in names}
ONLY = {"Adaptive": 3, "LocallyConnected": 2}  # beginnings of names, and the one Keras that has such layers


INNER = ("LayerScale", "CustomScaleLayer", "StochasticDepth")  # of keras.applications; no argument has a default
PUBLIC = [name for name in TABLE if not (qkeras.owns(name) or name.startswith("ops.") or name in INNER)]


@pytest.mark.parametrize(
    ("major", "class_name"),
    [
        (major, name)
        for major in (2, 3)
        for name in PUBLIC
        if all(major == only for start, only in ONLY.items() if name.startswith(start))
    ],
)
def test_the_row_knows_what_keras_writes_by_default(major, class_name):
    if major == 3:
        import keras
    else:
        import tf_keras as keras
    if not hasattr(keras.layers, class_name):
        pytest.skip(f"Keras {major} has no {class_name}")
    held = {
        "Bidirectional": lambda: keras.layers.LSTM(3),
        "TimeDistributed": lambda: keras.layers.Dense(3),
        "Pipeline": lambda: [keras.layers.Rescaling(2.0), keras.layers.RandomFlip()],
    }
    arguments = (held[class_name](),) if class_name in held else ARGUMENTS.get(class_name, ())
    layer = getattr(keras.layers, class_name)(*arguments)
    config = json.loads(json.dumps(layer.get_config(), default=lambda value: value.tolist()))
    found = resolve(Layer(class_name, class_name, config, (), {}), class_name, f"keras{major}")
    assert found.row is not None, found.reason


def test_the_functions_that_both_kerases_name_are_the_same_but_for_hard_sigmoid():
    """Why `hard_sigmoid` alone is renamed."""
    import keras
    import numpy as np
    import tensorflow as tf
    import tf_keras

    x = tf.constant(np.linspace(-7, 7, 57, dtype=np.float32).reshape(3, 19))
    both = [name for name in dir(tf_keras.activations) if name.islower() and hasattr(keras.activations, name)]
    both = [name for name in both if name not in ("get", "serialize", "deserialize") and not name.startswith("_")]
    assert len(both) >= 12
    different = {
        name
        for name in both
        if not np.allclose(getattr(keras.activations, name)(x), getattr(tf_keras.activations, name)(x), atol=1e-6)
    }
    assert different == {"hard_sigmoid"}
