"""QKeras: its classes for the loader, and the weights that a QKeras layer really multiplies by."""

import importlib
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

Weights = Dict[str, Any]

# Class → (canonical weight name, attribute of the variable, attribute of its quantizer).
KERNEL = (("kernel", "kernel", "kernel_quantizer_internal"), ("bias", "bias", "bias_quantizer_internal"))
DEPTHWISE = (
    ("kernel", "depthwise_kernel", "depthwise_quantizer_internal"),
    ("bias", "bias", "bias_quantizer_internal"),
)
SEPARABLE = (
    ("depthwise_kernel", "depthwise_kernel", "depthwise_quantizer_internal"),
    ("pointwise_kernel", "pointwise_kernel", "pointwise_quantizer_internal"),
    ("bias", "bias", "bias_quantizer_internal"),
)
STATISTICS = (
    ("gamma", "gamma", "gamma_quantizer_internal"),
    ("beta", "beta", "beta_quantizer_internal"),
    ("moving_mean", "moving_mean", "mean_quantizer_internal"),
    ("moving_variance", "moving_variance", "variance_quantizer_internal"),
)
# A cell applies its "…_internal" quantizers where these attributes are set.
RECURRENT = (
    ("kernel", "kernel", "kernel_quantizer"),
    ("recurrent_kernel", "recurrent_kernel", "recurrent_quantizer"),
    ("bias", "bias", "bias_quantizer"),
)
CELLS = ("QLSTM", "QGRU", "QSimpleRNN")
STORED = {
    "QDense": KERNEL,
    "QConv1D": KERNEL,
    "QConv2D": KERNEL,
    "QConv2DTranspose": KERNEL,
    "QDepthwiseConv2D": DEPTHWISE,
    "QSeparableConv2D": SEPARABLE,
    "QBatchNormalization": STATISTICS,
}
FOLDED = {
    "QConv2DBatchnorm": "kernel_quantizer_internal",
    "QDepthwiseConv2DBatchnorm": "depthwise_quantizer_internal",
}


def custom_objects() -> Dict[str, Any]:
    """QKeras's classes and those of the pruning wrapper, by the names that files hold.

    Raises:
        ImportError: qkeras is not installed here.
    """
    objects: Dict[str, Any] = {}
    importlib.import_module("qkeras.utils")._add_supported_quantized_objects(objects)
    wrapper = importlib.import_module("tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper")
    return dict(objects, PruneLowMagnitude=wrapper.PruneLowMagnitude)


# Quantizers that draw anew at every call.
RANDOM = ("bernoulli",)


@contextmanager
def drawn_once(layer: Any) -> Iterator[None]:
    """While the layer is called, and then asked for its effective weights, a random quantizer draws once per weight."""
    layer = inner(layer)
    before = {n: q for n, q in vars(layer).items() if n.endswith("_internal") and type(q).__name__ in RANDOM}
    try:
        # Not by setattr: Keras tracks attributes.
        vars(layer).update({name: _remembering(quantizer) for name, quantizer in before.items()})
        yield
    finally:
        vars(layer).update(before)


def _remembering(quantizer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    drawn: List[Any] = []

    def quantize(value: Any) -> Any:
        if not drawn:
            drawn.append(quantizer(value))
        return drawn[0]

    return quantize


def inner(layer: Any) -> Any:
    """The layer that a pruning wrapper holds, else `layer` itself."""
    return layer.layer if type(layer).__name__ == "PruneLowMagnitude" else layer


def effective_weights(layer: Any) -> Weights:
    """What `layer` multiplies by, computed as its own call does; empty for a layer that quantizes no weight."""
    layer = inner(layer)
    kind = type(layer).__name__
    if kind in FOLDED:
        return dict(_folded(layer, FOLDED[kind]))
    if kind == "QAdaptiveActivation":
        return {"integer": layer.quantizer.integer + 0}
    if kind == "QSeparableConv1D":
        return dict(_separable_1d(layer))
    if kind in CELLS:
        return dict(_cell(layer.cell))
    if kind in ("Bidirectional", "QBidirectional"):
        return dict(_directions(layer))
    return dict(_stored(layer, STORED.get(kind, ())))


def _stored(layer: Any, slots: Tuple[Tuple[str, str, str], ...]) -> Iterator[Tuple[str, Any]]:
    for name, variable, quantizer in slots:
        value = getattr(layer, variable, None)
        if value is not None:
            yield name, _quantized(getattr(layer, quantizer), value)


def _cell(cell: Any) -> Iterator[Tuple[str, Any]]:
    for name, variable, quantizer in RECURRENT:
        value = getattr(cell, variable, None)
        if value is not None:
            used = getattr(cell, quantizer + "_internal") if getattr(cell, quantizer) else None
            yield name, _quantized(used, value)


def _directions(layer: Any) -> Iterator[Tuple[str, Any]]:
    """Those of both layers, where any is quantized."""
    for side in ("forward", "backward"):
        for name, value in effective_weights(getattr(layer, side + "_layer")).items():
            yield side + "_" + name, value


def _folded(layer: Any, quantizer: str) -> Iterator[Tuple[str, Any]]:
    kernel, bias = layer.get_folded_weights()
    yield "kernel", _quantized(getattr(layer, quantizer), kernel)
    yield "bias", _quantized(layer.bias_quantizer_internal, bias)


def _separable_1d(layer: Any) -> Iterator[Tuple[str, Any]]:
    """Its call makes a height of 1 first: scales are found over four axes, and the height goes again after it."""
    for name in ("depthwise", "pointwise"):
        high = getattr(layer, name + "_kernel")[None]
        yield name + "_kernel", _quantized(getattr(layer, name + "_quantizer_internal"), high)[0]
    if layer.use_bias:
        yield "bias", _quantized(layer.bias_quantizer_internal, layer.bias)


def _quantized(quantizer: Optional[Callable[[Any], Any]], value: Any) -> Any:
    return quantizer(value) if quantizer is not None else value + 0  # a tensor of its own, not the variable
