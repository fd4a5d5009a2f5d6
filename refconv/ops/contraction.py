"""Products of two tensors summed over named axes (einsum), by one matrix product per batch element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.numerics.formats import gamma
from refconv.numerics.moments import Moments
from refconv.ops.base import Context
from refconv.ops.carry import carry
from refconv.ops.functions.elementwise import radii
from refconv.primitives.sums import batched_moments, spatial_moments

# In place of the names of weights, in a row without any: hardware that rounds what it multiplies rounds both inputs.
BOTH_INPUTS = ("first input", "second input")

Moves = Callable[[Moments], Moments]


@dataclass(frozen=True)
class Labels:
    """Which axis is which: one letter per axis of each operand and of the result ("ab", "bc", "ac").

    A letter of both operands and the result is a batch axis; one that the result lacks is summed over. The second
    operand has no letter that neither the first nor the result has.
    """

    first: str
    second: str
    result: str

    @property
    def batch(self) -> str:
        return "".join(c for c in self.result if c in self.first and c in self.second)

    @property
    def summed(self) -> str:
        return "".join(c for c in self.first if c not in self.result)

    @property
    def rows(self) -> str:
        return "".join(c for c in self.result if c in self.first and c not in self.second)

    @property
    def columns(self) -> str:
        return "".join(c for c in self.result if c not in self.first)

    def lengths(self, x: np.ndarray, w: np.ndarray) -> dict[str, int]:
        """Length of every axis.

        Raises:
            UnreadableModel: the operands have other axes, or disagree.
        """
        found: dict[str, int] = {}
        for labels, shape in ((self.first, x.shape), (self.second, w.shape)):
            if len(labels) != len(shape):
                raise UnreadableModel(f"an operand of shape {shape} has not the axes {labels!r} of {self}")
            for label, length in zip(labels, shape, strict=True):
                if found.setdefault(label, length) != length:
                    raise UnreadableModel(f"shapes {x.shape} and {w.shape} do not fit {self}: axis {label!r} differs")
        return found

    def __str__(self) -> str:
        return f"{self.first},{self.second}->{self.result}"


def einsum(labels: Labels, a: Enclosure, b: Enclosure, context: Context, more: Moves | None = None) -> Enclosure:
    """Σ a·b over the axes that the result lacks; the bound is any sum's, in any order, plus what a and b may err.

    Factors that err by r_a and r_b move a term by r_a|b| + |a|r_b + r_a·r_b, and the sum by γ(n + 1) of that more;
    neighbouring terms share their origin, so their errors are not taken as independent (`carry`).

    `more` adds terms to the moments before they are closed (a bias).
    """
    m = moments(labels, a.mid, b.mid, context)
    m = m if a.exact and b.exact else replace(m, grid=0.0)  # operands may be off the grid of their exact values
    m = more(m) if more else m
    return context.arithmetic.close(m, lambda e: _widened(e, labels, a, b, context))


def fed(labels: Labels, a: Enclosure, b: Enclosure, context: Context) -> Enclosure:
    """`einsum` of what steps of the same layer made: its operands are rounded as hardware rounds operands."""
    return einsum(labels, context.arithmetic.feed(a), context.arithmetic.feed(b), context)


def moments(labels: Labels, x: np.ndarray, w: np.ndarray, context: Context) -> Moments:
    """Of the sums, in the result's layout."""
    sizes = labels.lengths(x, w)
    found = batched_moments(context.engine, _left(labels, x), _right(labels, w, sizes), context.need)
    laid = {
        name: _laid(labels, value, sizes)
        for name in ("y", "Q", "A", "S")
        if isinstance(value := getattr(found, name), np.ndarray)
    }
    return replace(found, **laid)  # type: ignore[arg-type]


def products(labels: Labels, x: np.ndarray, w: np.ndarray, index: tuple[int, ...]) -> np.ndarray:
    """The exact terms of one element of the result, an axis for each that is summed over."""
    at = dict(zip(labels.result, index, strict=True))

    def part(v: np.ndarray, own: str) -> np.ndarray:
        taken = v[tuple(at.get(label, slice(None)) for label in own)].astype(np.float64)
        left = [label for label in own if label not in at]
        taken = taken.transpose([left.index(label) for label in labels.summed if label in left])
        return taken.reshape([v.shape[own.index(label)] if label in own else 1 for label in labels.summed])

    return part(x, labels.first) * part(w, labels.second)


def _left(labels: Labels, x: np.ndarray) -> np.ndarray:
    """(batch, rows, summed)."""
    return _grouped(x, labels.first, (labels.batch, labels.rows, labels.summed))


def _right(labels: Labels, w: np.ndarray, sizes: dict[str, int]) -> np.ndarray:
    """(batch, summed, columns); repeated along axes that only the first operand has."""
    missing = "".join(label for label in labels.summed if label not in labels.second)
    w = np.broadcast_to(w, (*(sizes[label] for label in missing), *w.shape))
    return _grouped(w, missing + labels.second, (labels.batch, labels.summed, labels.columns))


def _grouped(v: np.ndarray, own: str, groups: tuple[str, str, str]) -> np.ndarray:
    moved = v.transpose([own.index(label) for group in groups for label in group])
    lengths = [prod(v.shape[own.index(label)] for label in group) for group in groups]
    return moved.reshape(lengths)


def _laid(labels: Labels, v: np.ndarray, sizes: dict[str, int]) -> np.ndarray:
    """(batch, rows, columns) → the result's layout."""
    own = labels.batch + labels.rows + labels.columns
    return v.reshape([sizes[label] for label in own]).transpose([own.index(label) for label in labels.result])


def _widened(e: Enclosure, labels: Labels, a: Enclosure, b: Enclosure, context: Context) -> Enclosure:
    if a.exact and b.exact:
        return e
    n = prod(length for label, length in labels.lengths(a.mid, b.mid).items() if label in labels.summed)
    grown = 1 + float(gamma(n + 1, context.arithmetic.sums.u))
    probable, limit = (
        _spread(labels, a.mid, b.mid, ra, rb, context) for ra, rb in zip(radii(a), radii(b), strict=True)
    )
    worst = np.asarray(e.worst) + grown * limit
    overflow = np.asarray(e.overflow) | ~np.isfinite(probable) & np.isfinite(e.mid)
    return Enclosure(e.mid, np.hypot(e.sigma, probable / Z), worst, e.floor, overflow if overflow.any() else False)


def _spread(
    labels: Labels, a: np.ndarray, b: np.ndarray, ra: np.ndarray, rb: np.ndarray, context: Context
) -> np.ndarray:
    """Σ (r_a|b| + |a|r_b + r_a·r_b) = Σ (|a| + r_a)·r_b + r_a·|b|; infinite radii spread to everything."""
    if not (np.isfinite(ra).all() and np.isfinite(rb).all()):
        sizes = labels.lengths(a, b)
        return np.full([sizes[label] for label in labels.result], np.inf)
    total: np.ndarray | float = 0.0
    for left, right in ((np.abs(a) + ra, rb), (ra, np.abs(b))):
        if left.any() and right.any():
            sizes = labels.lengths(left, right)
            total = total + _laid(labels, np.matmul(_left(labels, left), _right(labels, right, sizes)), sizes)
    return np.broadcast_to(total, [labels.lengths(a, b)[label] for label in labels.result])


def spread_over(e: Enclosure, shape: tuple[int, ...]) -> Enclosure:
    """Every field broadcast to one shape."""
    return Enclosure(*(np.broadcast_to(v, shape) for v in e.full()))


def summed(e: Enclosure, axis: int, arithmetic: Arithmetic) -> Enclosure:
    """Σ over one axis, which goes; no sum is certified exact, because fused kernels may add what was never rounded."""
    m = replace(spatial_moments(e.mid, (axis,)), grid=0.0)
    closed = carry(arithmetic.stepwise.close(m), e, lambda r: np.sum(r, axis=axis, keepdims=True))
    return closed.move(lambda v: np.squeeze(v, axis))


def element(
    labels: Labels, a: Enclosure, b: Enclosure, index: tuple[int, ...], arithmetic: Arithmetic
) -> tuple[np.ndarray, Callable[[Enclosure], Enclosure]]:
    """The exact terms of one element of `einsum`, and what widens their sum by what its operands may have erred."""
    terms = products(labels, a.mid, b.mid, index)
    if a.exact and b.exact:
        return terms, lambda e: e
    grown = 1 + float(gamma(terms.size + 1, arithmetic.sums.u))
    reach = []
    for ra, rb in zip(radii(a), radii(b), strict=True):
        parts = products(labels, np.abs(a.mid) + ra, rb, index), products(labels, ra, np.abs(b.mid), index)
        reach.append(float(sum(part.sum() for part in parts)))

    def widen(e: Enclosure) -> Enclosure:
        sigma = np.hypot(e.sigma, reach[0] / Z)
        return Enclosure(e.mid, sigma, np.asarray(e.worst) + grown * reach[1], e.floor, e.overflow)

    return terms, widen
