"""QKeras's layers that fold a BatchNormalization into their kernel before they quantize it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import make_dataclass, replace
from typing import Any

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, bounded
from refconv.ops import convolution, dense, depthwise
from refconv.ops.attributes import attribute, choice, flag, integer, number, optional
from refconv.ops.base import Context, Forward, Row, Shape, Terms, Weights
from refconv.ops.functions.base import RSQRT
from refconv.ops.normalization import read_axis
from refconv.ops.slots import Slot, with_slots

STATISTICS = ("gamma", "beta", "iteration", "moving_mean", "moving_variance")
INVERSE = RSQRT + 1 + 0.5  # of γ·rsqrt(v + ε), in units of u: the root, the product, half the sum's rounding


def folded_attributes(base: type, kernel_quantizer: str) -> type:
    """A float layer's attributes with quantizers and those of the BatchNormalization inside."""
    fields = [
        ("axis", int, attribute(read_axis, default=-1)),
        ("epsilon", float, attribute(number, default=1e-3)),
        ("center", bool, attribute(flag, default=True)),
        ("scale", bool, attribute(flag, default=True)),
        # Which statistics fold while training: at inference both modes take the moving ones.
        ("folding_mode", str, attribute(choice("ema_stats_folding", "batch_stats_folding"), "ema_stats_folding")),
        ("ema_freeze_delay", Any, attribute(optional(integer()), default=None)),
    ]
    slots = with_slots(base, (kernel_quantizer,))
    return make_dataclass(f"Folded{base.__name__}", fields, bases=(slots,), frozen=True, kw_only=True)


def with_statistics(kernel: Callable[[Any], dict[str, Shape]]) -> Callable[[Any], dict[str, Shape]]:
    """The float layer's weights, then the variables in the order in which QKeras makes them."""

    def shapes(attrs: Any) -> dict[str, Shape]:
        present = {"gamma": attrs.scale, "beta": attrs.center}
        rest = {name: (None,) for name in STATISTICS if present.get(name, True)}
        return {**kernel(attrs), **rest, "iteration": ()}

    return shapes


def folding(kernel_quantizer: str, broadcast: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Any:
    """Slots of kernel·inv and inv·(bias − μ) + β, inv = γ·rsqrt(v + ε): folded first, then quantized.

    The folded weights are float32 results of a few roundings, so a code may be the neighbour's near a boundary.
    """

    def slots(attrs: Any, weights: Weights) -> dict[str, Slot]:
        w = {name: value.astype(np.float64) for name, value in weights.items()}
        scale = w["gamma"] if attrs.scale else 1.0
        inverse = scale / np.sqrt(w["moving_variance"] + np.float64(np.float32(attrs.epsilon)))
        kernel, bias = _kernel(w["kernel"], broadcast(inverse, w["kernel"])), _bias(attrs, w, inverse)
        return {"kernel": Slot(kernel, getattr(attrs, kernel_quantizer)), "bias": Slot(bias, attrs.bias_quantizer)}

    return slots


def _kernel(kernel: np.ndarray, inverse: np.ndarray) -> Enclosure:
    """The inverse's roundings and one product, and what is flushed."""
    tiny = Arithmetic().format.tiny
    folded = kernel * inverse
    return bounded(folded, (INVERSE + 1) * Arithmetic().u * np.abs(folded), tiny * (1 + np.abs(inverse)))


def _bias(attrs: Any, w: dict[str, np.ndarray], inverse: np.ndarray) -> Enclosure:
    """inv·(b − μ) + β: a difference, the inverse and its product, a sum."""
    u, tiny = Arithmetic().u, Arithmetic().format.tiny
    shifted = (w["bias"] if attrs.use_bias else 0.0) - w["moving_mean"]
    product = inverse * shifted
    folded = product + (w["beta"] if attrs.center else 0.0)
    radius = u * ((INVERSE + 2) * np.abs(product) + np.abs(folded))
    return bounded(folded, radius, tiny * (3 + np.abs(inverse) + np.abs(shifted)))


def always_biased(forward: Forward) -> Forward:
    """There is always a bias: the folded one."""

    def run(attrs: Any, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Any:
        return forward(replace(attrs, use_bias=True), weights, inputs, context)

    return run


def always_biased_terms(find: Any) -> Any:
    def terms(
        attrs: Any, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
    ) -> Terms:
        return find(replace(attrs, use_bias=True), weights, inputs, index, context)

    return terms


def by_filter(inverse: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return inverse


def by_channel(inverse: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A depthwise kernel's last two axes are the output channels."""
    return inverse.reshape(kernel.shape[-2:])


def folded(keras: str, row: Row, attributes: type, quantizer: str, broadcast: Any, source: str = "qkeras 0.9.0") -> Row:
    """The row of a folding layer from that of the float layer."""
    assert row.terms is not None
    return replace(
        row,
        keras=keras,
        attributes=folded_attributes(attributes, quantizer),
        weights=with_statistics(row.weights),
        slots=folding(quantizer, broadcast),
        forward=always_biased(row.forward),
        terms=always_biased_terms(row.terms),
        source=f"{source}, {keras}",
    )


ROWS = (
    folded("QConv2DBatchnorm", convolution.ROWS[0], convolution.of_rank(2), "kernel_quantizer", by_filter),
    folded("QDepthwiseConv2DBatchnorm", depthwise.ROWS[0], depthwise.of_rank(2), "depthwise_quantizer", by_channel),
    folded("QDenseBatchnorm", dense.ROWS[0], dense.Dense, "kernel_quantizer", by_filter, "a fork of qkeras"),
)
