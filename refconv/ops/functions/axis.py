"""Functions of a whole axis: softmax, log_softmax, sparsemax and glu."""

from __future__ import annotations

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import gamma
from refconv.ops.functions.base import DIVISION, EXP, FLUSHED, LOG, Parameters
from refconv.ops.functions.elementwise import radii
from refconv.ops.functions.smooth import logistic, sigmoid_error

Axes = tuple[int, ...]


def axes(axis: object) -> Axes:
    """The axes of `axis`, an integer or several."""
    return tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)  # type: ignore[return-value]


def total(x: np.ndarray, over: Axes) -> np.ndarray:
    return x.sum(axis=over, keepdims=True)


def others(y: np.ndarray, r: np.ndarray, over: Axes, sign: int) -> np.ndarray:
    """Σ_{j≠i} y_j·|e^{±(r_i + r_j)} − 1|: how far the other terms of the sum move, in units of term i."""
    q = np.abs(np.expm1(sign * r))
    mine, rest = q * (1 - y), np.maximum(total(y * q, over) - y * q, 0)
    return np.nan_to_num(mine + (1 + sign * q) * rest, nan=np.inf, posinf=np.inf)


def softmax(e: Enclosure, arithmetic: Arithmetic, p: Parameters) -> Enclosure:
    """y = e^(x − max)/Σ e^(x − max).

    Probable: 5u·y·(3 + √(N/3) + d/2), d = max − x, with N = n where no two x are equal (`repeats`; NUMERICS).
    Worst, in units of u·y: the difference d and exp, for the
    numerator d + e_exp, for the sum the weighted mean of the same and n additions, then a quotient or reciprocal and
    product. Over several axes Keras computes exp(x − logsumexp(x)), whose two roundings of the size of the maximum
    replace the quotient. Beside an infinity the limit is 0 and the quotient NaN: frameworks give one or the other.

    Incoming radii: the interval of y_i/(Σ y_j) over all x_j ± r_j.
    """
    over, u = axes(p["axis"]), arithmetic.u
    x = e.mid.astype(np.float64)
    top, y, d = _softmax(x, over)
    n, mean = _count(x, over), total(y * d, over)
    sigma = u * y * (3 + np.sqrt(repeats(y, over, u) / 3) + d / 2) / 2
    worst = u * y * (d + mean + n + 2 * EXP + DIVISION + 1)
    if len(over) > 1:
        lse = np.abs(top) + np.abs(np.log(total(np.exp(x - top), over))) * (LOG + 1)
        joint = u * y * (2 * lse + 2 * d + mean + n + 2 * EXP)
        sigma, worst = np.maximum(sigma, joint / Z), np.maximum(worst, joint)
    probable, limit = (_softmax_spread(y, r, over) for r in radii(e))
    closed = _finish(y, sigma + probable / Z, worst + limit, arithmetic.format.tiny, e)
    return _beside_infinity(closed, np.isposinf(top) & (x < top))


def _beside_infinity(e: Enclosure, where: np.ndarray) -> Enclosure:
    """0 and nothing else but NaN, which counts as overflow."""
    if not where.any():
        return e
    y, sigma, worst = (np.where(where, 0.0, v) for v in (e.mid, e.sigma, e.worst))
    return Enclosure(y, sigma, worst, e.floor, e.overflow | where)


def _softmax(x: np.ndarray, over: Axes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    top = x.max(axis=over, keepdims=True)
    power = np.exp(x - top)
    d = np.where(np.isfinite(x), top - x, 0.0)
    return top, power / total(power, over), d


def _count(x: np.ndarray, over: Axes) -> int:
    return int(np.prod([x.shape[a] for a in over]))


def repeats(y: np.ndarray, over: Axes, u: float) -> np.ndarray:
    """N = Σ c² over the values that occur c times among the terms of a sum: n where all differ, n² where all are equal.

    Equal terms added to a sum repeat one rounding error, until the sum reaches another power of two: c of them err by
    c times one error, not by √c times. A term below the sum's unit roundoff errs by itself at most: y/u of that.

    Args:
        y: the terms as shares of their sum.
    """
    last = tuple(range(-len(over), 0))
    rows = np.sort(np.moveaxis(y, over, last).reshape(*_kept(y, over), -1), axis=-1)
    index = np.arange(rows.shape[-1])
    first = np.concatenate([np.ones_like(rows[..., :1], bool), rows[..., 1:] != rows[..., :-1]], axis=-1)
    before = index - np.maximum.accumulate(np.where(first, index, 0), axis=-1)  # Σ over a group of 2·before + 1 is c²
    squares = rows.shape[-1] + np.sum(2 * before * np.minimum(rows / u, 1) ** 2, axis=-1)
    return np.expand_dims(squares, tuple(a % y.ndim for a in over))


def _kept(y: np.ndarray, over: Axes) -> tuple[int, ...]:
    return tuple(size for a, size in enumerate(y.shape) if a not in {b % y.ndim for b in over})


def _softmax_spread(y: np.ndarray, r: np.ndarray, over: Axes) -> np.ndarray:
    """y' − y = y'·others(−) upwards with y' ≤ min(1, y·e^(r_i + max r)), and at most y·others(+) downwards."""
    if not r.any():
        return r
    most = np.minimum(1.0, np.nan_to_num(y * np.exp(r + r.max(axis=over, keepdims=True)), nan=1.0, posinf=1.0))
    up = np.minimum(most * others(y, r, over, -1), 1 - y)
    down = np.minimum(np.nan_to_num(y * others(y, r, over, 1), nan=1.0, posinf=1.0), y)
    return np.maximum(up, down)


def log_softmax(e: Enclosure, arithmetic: Arithmetic, p: Parameters) -> Enclosure:
    """y = x − max − log Σ e^(x − max).

    In units of u: the difference d and the result |y| round, the logarithm carries the relative error of the sum
    (n + e_exp + Σ y_j d_j) and adds its own e_log·log Σ. Probable takes 5√(N/3) for n, as softmax does.
    """
    over, u = axes(p["axis"]), arithmetic.u
    x = e.mid.astype(np.float64)
    top, share, d = _softmax(x, over)
    logarithm = np.log(total(np.exp(x - top), over))
    y = np.where(np.isneginf(x) & np.isfinite(top), -np.inf, x - top - logarithm)
    own = np.where(np.isfinite(y), d + np.abs(y), 0.0) + EXP + LOG * logarithm + total(share * d, over)
    n = _count(x, over)
    probable, limit = (_log_softmax_spread(share, r, over) for r in radii(e))
    sigma = u * (own + np.minimum(5 * np.sqrt(repeats(share, over, u) / 3), n)) / Z + probable / Z
    return _finish(y, sigma, u * (own + n) + limit, arithmetic.format.tiny, e)


def _log_softmax_spread(y: np.ndarray, r: np.ndarray, over: Axes) -> np.ndarray:
    if not r.any():
        return r
    up = -np.log1p(-np.minimum(others(y, r, over, -1), 1.0))
    return np.maximum(up, np.log1p(others(y, r, over, 1)))


def sparsemax(e: Enclosure, arithmetic: Arithmetic, p: Parameters) -> Enclosure:
    """y = max(x − τ, 0), τ = (Σ of the k largest x − 1)/k for the largest k with x_(k) > τ.

    Source: Martins and Astudillo 2016, algorithm 1. The result moves by at most 2·max r where x moves by r.
    τ is computed from unshifted running sums, so wrong by γ(n + 4)·(max|x| + 1) = δ; an x within δ of the boundary
    may join or leave the support and moves τ by at most 2δ more; with the difference x − τ, 4δ.
    """
    (over,) = axes(p["axis"])
    x = e.mid.astype(np.float64)
    n = x.shape[over]
    order = -np.sort(-x, axis=over)
    count = np.arange(1, n + 1).reshape([-1 if a == over % x.ndim else 1 for a in range(x.ndim)])
    tau = (np.cumsum(order, axis=over) - 1) / count
    k = np.maximum(total((order > tau).astype(int), (over,)), 1)
    y = np.maximum(x - np.take_along_axis(tau, k - 1, axis=over), 0)
    own = 4 * gamma(n + 4, arithmetic.u) * (np.abs(x).max(axis=over, keepdims=True) + 1)
    probable, limit = (2 * r.max(axis=over, keepdims=True) for r in radii(e))
    wide = np.ones_like(y)
    return _finish(y, (own + probable) / Z * wide, (own + limit) * wide, arithmetic.format.tiny, e)


def glu(e: Enclosure, arithmetic: Arithmetic, p: Parameters) -> Enclosure:
    """y = a·sigmoid(b), a and b the halves of the axis: the error of the sigmoid times |a|, and the product."""
    (over,) = axes(p["axis"])
    a, b = np.split(e.mid.astype(np.float64), 2, axis=over)
    gate = logistic(b)
    y = a * gate
    own = np.abs(a) * sigmoid_error(b, gate, arithmetic.format) + arithmetic.u * np.abs(y)
    spreads = [np.split(r, 2, axis=over) for r in radii(e)]
    probable, limit = (_glu_spread(a, b, ra, rb) for ra, rb in spreads)
    flags = np.split(np.broadcast_to(e.overflow, e.mid.shape), 2, axis=over)
    moved = Enclosure(y, overflow=flags[0] | flags[1] | (np.isinf(a) & (gate == 0)))
    return _finish(y, (own + probable) / Z, own + limit, arithmetic.format.tiny, moved)


def _glu_spread(a: np.ndarray, b: np.ndarray, ra: np.ndarray, rb: np.ndarray) -> np.ndarray:
    gate = logistic(b)
    moved = np.maximum(logistic(b + rb) - gate, gate - logistic(b - rb))
    return np.nan_to_num(np.abs(a) * moved + ra * (gate + moved), nan=np.inf, posinf=np.inf)


def _finish(y: np.ndarray, sigma: np.ndarray, worst: np.ndarray, floor: float, e: Enclosure) -> Enclosure:
    """NaN and ±Inf have no radius; a radius of Inf − Inf is infinite; overflow in the input stays where it was."""
    finite = np.isfinite(y)
    sigma, worst = (np.where(finite, np.nan_to_num(r, nan=np.inf, posinf=np.inf), 0.0) for r in (sigma, worst))
    return Enclosure(y, sigma, worst, FLUSHED * floor, e.overflow)


AXIS = {"softmax": softmax, "log_softmax": log_softmax, "sparsemax": sparsemax, "glu": glu}
