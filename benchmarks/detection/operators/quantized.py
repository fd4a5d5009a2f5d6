"""Faults in QKeras quantizers: the live layer computes with another one, and reports what that one gives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from detection.operators.base import Mutant, structural
from detection.subject import Subject

Rng = np.random.Generator
Quantizer = Callable[[Any], Any]
WEIGHTED = ("QConv2D", "QConv2DBatchnorm", "QDepthwiseConv2D", "QDense")
QUANTIZED = (*WEIGHTED, "QActivation")
KERNEL_QUANTIZERS = ("kernel_quantizer_internal", "depthwise_quantizer_internal")


def quantizer_of(s: Subject) -> tuple[str, Any]:
    """The attribute of the live layer that holds its kernel's (or its activation's) quantizer, and the quantizer."""
    names = ("quantizer",) if s.node.type == "QActivation" else KERNEL_QUANTIZERS
    return next(((name, found) for name in names if (found := getattr(s.layer, name, None)) is not None), ("", None))


def replaced(s: Subject, make: Callable[[Any], Quantizer | None]) -> Mutant | None:
    """The layer run with the quantizer that `make` makes of its own; None where it makes none."""
    name, quantizer = quantizer_of(s)
    other = make(quantizer) if quantizer is not None else None
    if other is None:
        return None
    with s.changed(**{name: other}):
        return Mutant(s.rerun(), s.effective())


def _copied(quantizer: Any, **changes: Any) -> Quantizer:
    other = copy.copy(quantizer)
    vars(other).update(changes)
    return other


def raw_weights(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The stored weights are multiplied by, unquantized, while the quantized ones are reported."""
    reported = s.effective()
    name, quantizer = quantizer_of(s)
    with s.changed(**{name: s.tf.identity}):
        return Mutant(s.rerun(), reported) if quantizer is not None else None


def raw_bias(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The stored bias is added, unquantized, while the quantized one is reported."""
    if getattr(s.layer, "bias_quantizer_internal", None) is None or not s.layer.use_bias:
        return None
    reported = s.effective()
    with s.changed(bias_quantizer_internal=s.tf.identity, bias_quantizer=s.tf.identity):
        return Mutant(s.rerun(), reported)


def tie_rule(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Values exactly between two codes go to the other one."""

    def make(quantizer: Any) -> Quantizer:
        def other(x: Any) -> Any:
            """A tie's codes are those of its neighbours; x lies in their middle."""
            near, below, above = (quantizer(x * np.float32(f)) for f in (1, 1 - 2**-18, 1 + 2**-18))
            tie = (below != above) & (x == (below + above) / 2)
            return s.tf.where(tie, below + above - near, near)

        return other

    return replaced(s, make)


def symmetric_clip(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The most negative code is there where it should not be, or the other way round."""

    def make(quantizer: Any) -> Quantizer | None:
        if "symmetric" not in vars(quantizer) or isinstance(quantizer.alpha, str):
            return None  # with a scale from the data QKeras has symmetric codes only
        return _copied(quantizer, symmetric=not quantizer.symmetric)

    return replaced(s, make)


def one_integer_bit(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """One integer bit more, and so one fraction bit less."""

    def make(quantizer: Any) -> Quantizer | None:
        if "integer" not in vars(quantizer):
            return None
        return _copied(quantizer, integer=quantizer.integer + 1)

    return replaced(s, make)


def one_bit(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """One fraction bit less."""

    def make(quantizer: Any) -> Quantizer | None:
        if getattr(quantizer, "bits", 1) < 2:
            return None
        return _copied(quantizer, bits=quantizer.bits - 1)

    return replaced(s, make)


def scale_of_another_batch(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """A scale that depends on the data was found on three times as large data."""

    def make(quantizer: Any) -> Quantizer:
        return lambda x: quantizer(s.tf.concat([x, 3 * x], 0))[: x.shape[0]]

    return replaced(s, make)


def unfolded(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The kernel is quantized and used without the normalisation that should be folded into it."""
    quantizer = s.layer.kernel_quantizer_internal
    if quantizer is None:
        return None
    reported = s.effective()
    stored = s.layer.kernel
    with s.changed(kernel_quantizer_internal=lambda folded: quantizer(stored + 0)):
        return Mutant(s.rerun(), reported)


OPERATORS = (
    structural("raw for quantized weights", raw_weights, *WEIGHTED),
    structural("raw for quantized bias", raw_bias, *WEIGHTED),
    structural("tie rule", tie_rule, *QUANTIZED),
    structural("symmetric clip", symmetric_clip, *QUANTIZED),
    structural("one integer bit", one_integer_bit, *QUANTIZED),
    structural("one bit less", one_bit, *QUANTIZED),
    structural("scale from another batch", scale_of_another_batch, *QUANTIZED),
    structural("normalisation not folded", unfolded, "QConv2DBatchnorm"),
)
