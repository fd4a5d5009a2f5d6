"""How others decide, as a score: by what factor the policy's tolerance is left. Above 1 the policy reports a fault.

A score instead of a yes or no lets the report compare policies at equal false alarms: the tolerance is multiplied until
the clean runs raise as few alarms as refconv's do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from refconv.graph import Node
from refconv.numerics.formats import FLOAT32
from refconv.numerics.moments import Need
from refconv.ops.activations import LINEAR
from refconv.ops.base import Context, Weights
from refconv.reference.forward import forward

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Expected:
    """One output tensor that a policy compares with.

    Attributes:
        values: the reference's, in float32 (or integers).
        magnitude: Σ|x||w| + |b| of every element, where the layer is a dot product; else None.
        terms: the number of products of an element (TOSA's KS).
        biased: whether a bias is added.
    """

    values: np.ndarray
    magnitude: np.ndarray | None = None
    terms: int = 0
    biased: bool = False


Score = Callable[[Expected, np.ndarray], "float | None"]


def score_all(expected: Expected, got: np.ndarray) -> dict[str, float | None]:
    """Policy → score; None where the policy says nothing about this kind of layer."""
    if expected.values.shape != got.shape:
        return dict.fromkeys(POLICIES, np.inf)
    with np.errstate(all="ignore"):
        return {name: score(expected, got) for name, score in POLICIES.items()}


def isclose(rtol: float, atol: float) -> Score:
    """|got − expected| ≤ atol + rtol·|expected| for every element (np.testing, np.allclose, torch, Keras, onnx)."""

    def score(e: Expected, got: np.ndarray) -> float:
        error, finite = _error(e, got)
        return _largest(error, atol + rtol * np.abs(e.values.astype(np.float64)), finite)

    return score


def either(tolerance: float) -> Score:
    """An element fails only if its absolute and its relative error both exceed the tolerance (Polygraphy)."""

    def score(e: Expected, got: np.ndarray) -> float:
        error, finite = _error(e, got)
        return _largest(error, tolerance * np.maximum(np.abs(e.values.astype(np.float64)), 1.0), finite)

    return score


def tosa(e: Expected, got: np.ndarray) -> float | None:
    """TOSA's dot-product rule: |error| ≤ 2·ksb·2⁻²⁴·Σ|x||w| for every element, and ΣE² ≤ 1.6·ksb·T for all T.

    ksb = KS + [bias], because accumulator and output are both float32; E = error/(2⁻²⁴·Σ|x||w|). Where the magnitude is
    0 the output must be 0. The second score is a root, so that both grow with the tolerance alike.
    """
    if e.magnitude is None:
        return None
    error, finite = _error(e, got)
    ksb, unit = e.terms + e.biased, FLOAT32.u * np.maximum(e.magnitude, FLOAT32.tiny)
    single = _largest(error, 2 * ksb * unit, finite)
    scaled = np.where(finite, error / unit, 0.0)
    return float(max(single, np.sqrt(np.sum(scaled**2) / (1.6 * ksb * max(scaled.size, 1)))))


POLICIES: dict[str, Score] = {
    "np.testing": isclose(1e-7, 0.0),
    "np.allclose": isclose(1e-5, 1e-8),
    "torch": isclose(1.3e-6, 1e-5),
    "Polygraphy": either(1e-5),
    "Keras 5e-4": isclose(5e-4, 5e-4),
    "onnx": isclose(1e-3, 1e-7),
    "TOSA": tosa,
}


def _error(e: Expected, got: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(|got − expected|, where both are finite or agree): the same NaN or infinity is no error, any other one is."""
    same = (got == e.values) | ((got != got) & (e.values != e.values))
    error = np.where(same, 0.0, np.abs(got.astype(np.float64) - e.values.astype(np.float64)))
    return error, np.isfinite(error)


def _largest(error: np.ndarray, allowed: np.ndarray, finite: np.ndarray) -> float:
    """The largest share of the tolerance; infinite where a NaN or infinity differs or a tolerance of 0 is left."""
    if not finite.all():
        return float("inf")
    allowed = np.broadcast_to(np.asarray(allowed), error.shape)
    share = np.where(error > 0, np.where(allowed > 0, error / allowed, np.inf), 0.0)
    return float(np.max(share, initial=0.0))


KERNELS = ("kernel",)


def magnitude_of(node: Node, weights: Weights, inputs: Arrays, context: Context) -> tuple[np.ndarray, int] | None:
    """Σ|x||w| + |b| by the reference itself, fed magnitudes, and KS; None where the layer is no single dot product.

    An elementwise activation after the sum is left out: all of Keras's but a few move values apart by little more.
    """
    activation = getattr(node.attrs, "activation", LINEAR)
    if "kernel" not in weights or activation.quantizer or not activation.elementwise:
        return None
    bare = replace(node, attrs=replace(node.attrs, activation=LINEAR)) if activation is not LINEAR else node
    magnitudes = {name: np.abs(w) for name, w in weights.items()}
    (sums,) = forward(bare, magnitudes, [np.abs(x) for x in inputs], replace(context, need=Need.VALUES))
    return sums.mid, terms_of(node.type, weights["kernel"].shape)


def terms_of(kind: str, kernel: tuple[int, ...]) -> int:
    """KS: the kernel's extent, and the input channels where they are summed over."""
    if "Depthwise" in kind:
        return int(np.prod(kernel[:-2]))
    outputs = kernel[-2] if "Transpose" in kind else kernel[-1]
    return int(np.prod(kernel)) // outputs
