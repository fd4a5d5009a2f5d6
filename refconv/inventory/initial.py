"""Does a weight look as its layer's initialiser would have drawn it, and unlike what it is compared with?

What an initialiser draws is known from the configuration (kinds, fans and truncation: `keras.initializers`). Of n
values drawn independently, the mean stays within Z·σ/√n, the variance within Z·σ²·√((κ−1)/n) (κ: the distribution's
fourth moment over σ⁴), and the correlation with anything else within Z/√n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.graph import Weight
from refconv.inventory.streams import ends, over_pieces

Z = 4.0  # one false alarm of a moment in 16,000
LEAST = 32  # values: fewer say too little
TRUNCATED = 0.87962566103423978  # standard deviation of a normal distribution cut at two of its own
KURTOSIS = {"uniform": 1.8, "normal": 3.0, "truncated": 2.37}
# kind → scale, mode, distribution of VarianceScaling
SCALED = {
    "glorotuniform": (1.0, "fan_avg", "uniform"),
    "glorotnormal": (1.0, "fan_avg", "truncated_normal"),
    "heuniform": (2.0, "fan_in", "uniform"),
    "henormal": (2.0, "fan_in", "truncated_normal"),
    "lecununiform": (1.0, "fan_in", "uniform"),
    "lecunnormal": (1.0, "fan_in", "truncated_normal"),
}
CONSTANT = {"zeros": 0.0, "zero": 0.0, "ones": 1.0, "one": 1.0}
PLAIN = {"uniform": "randomuniform", "normal": "randomnormal", "randomuniform": "randomuniform",
         "randomnormal": "randomnormal", "truncatednormal": "truncatednormal"}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """What an initialiser draws: `shape` is "uniform", "normal", "truncated" (at 2 of its own) or "constant"."""

    name: str
    shape: str
    mean: float
    deviation: float

    @property
    def limit(self) -> float:
        """Farthest from the mean that it may draw."""
        factor = {"uniform": math.sqrt(3), "truncated": 2 / TRUNCATED, "normal": math.inf, "constant": 0.0}[self.shape]
        return factor * self.deviation if self.deviation else 0.0


@dataclass(frozen=True)
class Fresh:
    """One weight is as an initialiser leaves it, and has nothing to do with the other.

    Attributes:
        drawn: the initialiser.
        deviation: the standard deviation that was found.
        correlation: with the other weight; None where one of them is constant.
    """

    drawn: Drawn
    deviation: float
    correlation: float | None


def initialiser(config: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Drawn | None:
    """What the layer's configuration says of a weight; None where it says nothing, or of a kind not known here."""
    raw = next((config[key] for key in _keys(name) if config.get(key) is not None), None)
    kind, given = _spelled(raw)
    if kind in CONSTANT or kind == "constant":
        value = CONSTANT.get(kind, given.get("value", 0.0))
        return Drawn(kind, "constant", float(value), 0.0) if isinstance(value, (int, float)) else None
    try:
        return _random(kind, given, shape)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None  # a file may hold anything


def _keys(name: str) -> tuple[str, ...]:
    """kernel → kernel_initializer; depthwise_kernel → depthwise_initializer; Keras 1 has one for the kernel: init."""
    bare = name.rpartition("/")[2]
    return f"{bare}_initializer", f"{bare.removesuffix('_kernel')}_initializer", *(["init"] if bare == "kernel" else [])


def _spelled(raw: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(raw, Mapping):
        given = raw.get("config")
        raw, given = raw.get("class_name"), given if isinstance(given, Mapping) else {}
    else:
        given = {}
    return str(raw).replace("_", "").rpartition(">")[2].lower(), given


def _random(kind: str, given: Mapping[str, Any], shape: tuple[int, ...]) -> Drawn | None:
    kind = PLAIN.get(kind, kind)
    if kind == "randomuniform":
        low, high = float(given.get("minval", -0.05)), float(given.get("maxval", 0.05))
        return Drawn(kind, "uniform", (low + high) / 2, (high - low) / math.sqrt(12))
    if kind == "randomnormal":
        return Drawn(kind, "normal", float(given.get("mean", 0.0)), float(given.get("stddev", 0.05)))
    if kind == "truncatednormal":
        deviation = float(given.get("stddev", 0.05)) * TRUNCATED
        return Drawn(kind, "truncated", float(given.get("mean", 0.0)), deviation)
    if kind in SCALED:
        return _scaled(kind, *SCALED[kind], shape)
    if kind == "variancescaling":
        mode, distribution = str(given.get("mode", "fan_in")), str(given.get("distribution", "truncated_normal"))
        return _scaled(kind, float(given.get("scale", 1.0)), mode, distribution, shape)
    return None


def _scaled(kind: str, scale: float, mode: str, distribution: str, shape: tuple[int, ...]) -> Drawn:
    """Variance scale/fan, whatever the distribution."""
    into, out = _fans(shape)
    fan = {"fan_in": into, "fan_out": out, "fan_avg": (into + out) / 2}[mode]
    form = {"uniform": "uniform", "untruncated_normal": "normal"}.get(distribution, "truncated")
    return Drawn(kind, form, 0.0, math.sqrt(scale / max(1.0, fan)))


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """`compute_fans` of keras/src/initializers/random_initializers.py."""
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


def fresh(weight: Weight, other: Weight, drawn: Drawn) -> Fresh | None:
    """`weight` as `drawn` says, with no trace of `other`; None where it is not, or has too few values to tell.

    Raises:
        UnreadableModel: a file is damaged, or was changed meanwhile.
    """
    count = math.prod(weight.shape)
    if drawn.shape == "constant":
        found = ends(weight)
        return Fresh(drawn, 0.0, None) if len(found) and np.all(found == np.float32(drawn.mean)) else None
    if count < LEAST or not 0 < drawn.deviation < math.inf:
        return None
    sums, farthest = _sums(weight, other, drawn.mean)
    first, second, own, square, product = (s / count for s in sums)
    if not np.all(np.isfinite(sums)) or farthest > drawn.limit * (1 + 1e-5):
        return None
    room, variance = Z / math.sqrt(count), second - first**2
    if abs(first) > room * drawn.deviation:
        return None
    if abs(variance / drawn.deviation**2 - 1) > room * math.sqrt(KURTOSIS[drawn.shape] - 1):
        return None
    spread = square - own**2
    correlation = (product - first * own) / math.sqrt(variance * spread) if spread > 0 else None
    if correlation is not None and abs(correlation) > room:
        return None
    return Fresh(drawn, math.sqrt(variance), correlation)


def _sums(weight: Weight, other: Weight, mean: float) -> tuple[list[float], float]:
    """Σw, Σw², Σv, Σv², Σwv with w = weight − mean and v = other; and the largest |w|."""

    def look(x: np.ndarray, y: np.ndarray) -> tuple[list[float], float]:
        w, v = x.astype(np.float64) - mean, y.astype(np.float64)
        found = [w.sum(), np.einsum("i,i", w, w), v.sum(), np.einsum("i,i", v, v), np.einsum("i,i", w, v)]
        return [float(s) for s in found], float(np.abs(w).max(initial=0.0))

    parts = list(over_pieces(look, weight, other))
    return [math.fsum(column) for column in zip(*(p[0] for p in parts), strict=True)], max(p[1] for p in parts)
