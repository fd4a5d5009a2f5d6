"""MultiHeadAttention and GroupQueryAttention: projections to heads, attention in each, and a projection back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, point
from refconv.numerics.formats import FLOAT32
from refconv.ops.activations import Activation, activate
from refconv.ops.attention import Called, Rule, attend, everywhere, not_ahead
from refconv.ops.attributes import attribute, flag, integer, optional
from refconv.ops.axes import as_floats
from refconv.ops.base import Context, Row, Shape, Weights
from refconv.ops.contraction import Labels, einsum, fed, spread_over
from refconv.ops.pairwise import stored_product

SCORES = Labels("btd", "bsd", "bts")
KERNELS = ("query_kernel", "key_kernel", "gate_kernel", "value_kernel", "output_kernel")


def lengths(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(integer(1)(n) for n in values)


def axes(value: Any) -> tuple[int, ...]:
    """Of the inputs, each counted from the front and none of them the batch."""
    return tuple(sorted(lengths(value)))


@dataclass(frozen=True, kw_only=True)
class Heads(Called):
    use_bias: bool = attribute(flag, default=True)
    use_gate: bool = attribute(flag, default=False)
    sliding_window: int | None = attribute(optional(integer(1)), default=None)


@dataclass(frozen=True, kw_only=True)
class MultiHead(Heads):
    """`value_dim` is `key_dim` unless it is given, `output_shape` the query's depth, `attention_axes` all."""

    num_heads: int = attribute(integer(1))
    key_dim: int = attribute(integer(1))
    value_dim: int | None = attribute(optional(integer(1)), default=None)
    output_shape: tuple[int, ...] | None = attribute(optional(lengths), default=None)
    attention_axes: tuple[int, ...] | None = attribute(optional(axes), default=None)

    @property
    def heads(self) -> tuple[int, int]:
        return self.num_heads, self.num_heads

    @property
    def dims(self) -> tuple[int, int]:
        return self.key_dim, self.value_dim or self.key_dim


@dataclass(frozen=True, kw_only=True)
class GroupQuery(Heads):
    """Several heads of the query share one of the key and the value."""

    head_dim: int = attribute(integer(1))
    num_query_heads: int = attribute(integer(1))
    num_key_value_heads: int = attribute(integer(1))
    attention_axes = None
    output_shape = None

    @property
    def heads(self) -> tuple[int, int]:
        return self.num_query_heads, self.num_key_value_heads

    @property
    def dims(self) -> tuple[int, int]:
        return self.head_dim, self.head_dim


def shapes(attrs: MultiHead | GroupQuery) -> dict[str, Shape]:
    """In Keras's order: query, key, gate, value, output, of each the kernel and the bias."""
    (queries, shared), (depth, width) = attrs.heads, attrs.dims
    ends = attrs.output_shape or (None,)
    parts: dict[str, tuple[Shape, Shape]] = {
        "query": ((None, queries, depth), (queries, depth)),
        "key": ((None, shared, depth), (shared, depth)),
        **({"gate": ((None, queries, width), (queries, width))} if attrs.use_gate else {}),
        "value": ((None, shared, width), (shared, width)),
        "output": ((queries, width, *ends), ends),
    }
    found: dict[str, Shape] = {}
    for name, (kernel, bias) in parts.items():
        found |= {f"{name}_kernel": kernel, **({f"{name}_bias": bias} if attrs.use_bias else {})}
    return found


def multi_head(
    attrs: MultiHead | GroupQuery, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> tuple[Enclosure, ...]:
    """y = Σ_h (softmax(q_h·k_hᵀ/√d)·v_h)·O_h + o, with q = query·Q + q₀ and so on, in every head h.

    Inputs are query, value and perhaps key, (N, …, D).

    Raises:
        UnreadableModel: the inputs do not fit each other or the weights.
    """
    inputs, masks = attrs.parted(inputs)
    if len(inputs) not in (2, 3):
        raise UnreadableModel(f"a query, a value and perhaps a key are wanted, not {len(inputs)} tensors")
    if masks and inputs[0].mid.ndim != 3:
        raise UnreadableModel("masks are known of attention over one axis alone")
    given = [as_floats(e, context.arithmetic) for e in inputs]
    order = _Axes.of(attrs.attention_axes, given[0].mid.shape)
    query, value, key = ([order.flat(e) for e in given] + [order.flat(given[1])])[:3]
    projected = {
        name: _projected(name, x, weights, context) for name, x in (("query", query), ("key", key), ("value", value))
    }
    q, k, v = (_by_head(e, attrs.heads[0]) for e in projected.values())
    scores = _scores(q, k, 1 / np.sqrt(float(attrs.dims[0])), context)
    shown = _shown(masks, attrs.heads[0])
    mixed, shares = attend(scores, v, _rule(attrs), context, shown=shown, axes=len(order.attended))
    output = _joined(mixed, attrs.heads[0])
    if attrs.use_gate:
        gate = activate(Activation("sigmoid"), _projected("gate", query, weights, context), context.arithmetic)
        output = stored_product(output, gate, context.arithmetic)
    y = order.back(_output(output, weights, context))
    return (y, order.scores(shares, attrs.heads[0])) if attrs.return_attention_scores else (y,)


@dataclass(frozen=True)
class _Axes:
    """Which axes of an input (N, …, D) are attended over, and which are further batch axes."""

    shape: tuple[int, ...]
    attended: tuple[int, ...]

    @staticmethod
    def of(given: tuple[int, ...] | None, shape: tuple[int, ...]) -> _Axes:
        inner = tuple(range(1, len(shape) - 1))
        if not inner or not set(given or inner) <= set(inner):
            raise UnreadableModel(f"attention over axes {given} does not fit an input of shape {shape}")
        return _Axes(shape, given or inner)

    @property
    def free(self) -> tuple[int, ...]:
        return tuple(axis for axis in range(1, len(self.shape) - 1) if axis not in self.attended)

    @property
    def lead(self) -> tuple[int, ...]:
        return tuple(self.shape[axis] for axis in (0, *self.free))

    def flat(self, e: Enclosure) -> Enclosure:
        """(batch and free axes, attended axes, D)."""
        if e.mid.ndim != len(self.shape):
            raise UnreadableModel(f"inputs of shapes {self.shape} and {e.mid.shape} have different numbers of axes")
        order = (0, *self.free, *self.attended, e.mid.ndim - 1)
        lead = prod(e.mid.shape[axis] for axis in (0, *self.free))
        return spread_over(e, e.mid.shape).move(lambda v: v.transpose(order).reshape(lead, -1, v.shape[-1]))

    def back(self, e: Enclosure) -> Enclosure:
        """(batch, queries, …) to the layout of the query."""
        inner = tuple(self.shape[axis] for axis in self.attended)
        now = (0, *self.free, *self.attended)
        order = [now.index(axis) for axis in range(len(self.shape) - 1)]

        def move(v: np.ndarray) -> np.ndarray:
            last = v.shape[2:]
            laid = v.reshape(*self.lead, *inner, *last)
            return laid.transpose(*order, *range(len(now), len(now) + len(last)))

        return e.move(move)

    def scores(self, e: Enclosure, heads: int) -> Enclosure:
        """(batch, free axes, head, queries, keys); one axis of each where one is attended over."""
        return e.move(lambda v: v.reshape(*self.lead, heads, *v.shape[1:]))


def _rule(attrs: Heads) -> Rule:
    first = not_ahead if attrs.use_causal_mask else everywhere
    if attrs.sliding_window is None:
        return first
    width = attrs.sliding_window

    def near(queries: int, keys: int) -> np.ndarray:
        return first(queries, keys) & (np.abs(np.arange(queries)[:, None] - np.arange(keys)) < width)

    return near


def _scores(q: Enclosure, k: Enclosure, scale: float, context: Context) -> Enclosure:
    """q·kᵀ·scale. Keras scales the query before the product or the scores after it.

    The sum's γ(n + 1) for n terms has room for either in float32. In 16 bits it scales the query, with a scale of 16
    bits, unless the scores are scaled and go on in float32.
    """
    arithmetic = context.arithmetic

    def scaled(e: Enclosure, by: Arithmetic) -> Enclosure:
        return stored_product(e, spread_over(point(np.asarray(by.format.round(scale))), e.mid.shape), by)

    if arithmetic.u <= FLOAT32.u or arithmetic.scores_wide:
        return scaled(fed(SCORES, q, k, context), arithmetic.wide)
    return fed(SCORES, scaled(q, arithmetic), k, context)


def _shown(masks: Mapping[str, np.ndarray], heads: int) -> np.ndarray | None:
    """(B·heads, queries or 1, keys or 1): what every mask shows; None without masks."""
    views = {"query": (-1,), "value": (-2,), "key": (-2,), "attention": ()}
    found = [np.expand_dims(mask, views[role]) for role, mask in masks.items()]
    return reduce(np.logical_and, found).repeat(heads, axis=0) if found else None


def _projected(name: str, x: Enclosure, weights: Weights, context: Context) -> Enclosure:
    """(B, T, D) → (B, T, heads, depth)."""
    kernel, bias = weights[f"{name}_kernel"], weights.get(f"{name}_bias")
    labels = Labels("btc", "cnd", "btnd")
    return einsum(labels, x, point(kernel), context, lambda m: m if bias is None else m.plus(bias))


def _output(x: Enclosure, weights: Weights, context: Context) -> Enclosure:
    """(B, T, heads, depth) → (B, T, …)."""
    kernel, bias = weights["output_kernel"], weights.get("output_bias")
    ends = "wxyz"[: kernel.ndim - 2]
    labels = Labels("btnd", f"nd{ends}", f"bt{ends}")
    return einsum(
        labels, context.arithmetic.feed(x), point(kernel), context, lambda m: m if bias is None else m.plus(bias)
    )


def _by_head(e: Enclosure, heads: int) -> Enclosure:
    """(B, T, heads, d) → (B·heads, T, d), each head repeated where the query has more of them."""

    def move(v: np.ndarray) -> np.ndarray:
        repeated = v.repeat(heads // v.shape[2], axis=2)
        return repeated.transpose(0, 2, 1, 3).reshape(-1, v.shape[1], v.shape[3])

    return spread_over(e, e.mid.shape).move(move)


def _joined(e: Enclosure, heads: int) -> Enclosure:
    """(B·heads, T, d) → (B, T, heads, d)."""
    return spread_over(e, e.mid.shape).move(lambda v: v.reshape(-1, heads, *v.shape[1:]).transpose(0, 2, 1, 3))


ROWS = (
    Row(
        "MultiHeadAttention",
        MultiHead,
        multi_head,
        shapes,
        operands=KERNELS,
        attends=True,
        source="keras.layers.MultiHeadAttention; Vaswani et al. 2017",
    ),
    Row(
        "GroupQueryAttention",
        GroupQuery,
        multi_head,
        shapes,
        operands=KERNELS,
        attends=True,
        source="keras.layers.GroupQueryAttention; Ainslie et al. 2023",
    ),
)
