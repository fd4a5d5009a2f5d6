"""Attention and AdditiveAttention: values weighted by a softmax of how queries and keys fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z, point
from refconv.ops.attributes import attribute, choice, flag
from refconv.ops.axes import as_floats
from refconv.ops.base import Context, Row, Shape, Weights
from refconv.ops.contraction import BOTH_INPUTS, Labels, fed, spread_over, summed
from refconv.ops.functions.axis import softmax
from refconv.ops.functions.elementwise import apply
from refconv.ops.functions.table import FUNCTIONS
from refconv.ops.pairwise import stored_product, stored_total

Rule = Callable[[int, int], np.ndarray]  # lengths of queries and keys → which query may attend to which key
ROLES = ("query", "value", "key", "attention")
SUBTRACTED = 1e9  # from the scores of hidden keys, unless the format's largest number is less


def roles(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or any(role not in ROLES for role in value):
        raise ValueError("masks of " + ", ".join(ROLES) + " are wanted")
    return tuple(value)


@dataclass(frozen=True, kw_only=True)
class Called:
    """How the layer is called: arguments of the call, which the configuration does not hold (`formats.calling`).

    `masks` are the roles of the last inputs, true where they show: (N, steps) of a query, value or key, (N, queries,
    keys) of "attention".
    """

    use_causal_mask: bool = attribute(flag, default=False)
    return_attention_scores: bool = attribute(flag, default=False)
    masks: tuple[str, ...] = attribute(roles, default=())

    def parted(self, inputs: Sequence[Enclosure]) -> tuple[Sequence[Enclosure], dict[str, np.ndarray]]:
        """The tensors, and the masks by their roles."""
        count = len(inputs) - len(self.masks)
        masks = (e.mid.astype(bool) for e in inputs[count:])
        return inputs[:count], dict(zip(self.masks, masks, strict=True))


@dataclass(frozen=True, kw_only=True)
class AdditiveAttention(Called):
    """`causal` is what older versions of Keras 2 write instead of an argument of the call."""

    use_scale: bool = attribute(flag, default=True)
    causal: bool = attribute(flag, default=False)


@dataclass(frozen=True, kw_only=True)
class Attention(AdditiveAttention):
    use_scale: bool = attribute(flag, default=False)
    score_mode: str = attribute(choice("dot", "concat"), default="dot")


def everywhere(queries: int, keys: int) -> np.ndarray:
    return np.ones((queries, keys), dtype=bool)


def not_ahead(queries: int, keys: int) -> np.ndarray:
    """A query sees no key that comes after it."""
    return np.arange(queries)[:, None] >= np.arange(keys)


def attend(
    scores: Enclosure,
    value: Enclosure,
    allowed: Rule,
    context: Context,
    *,
    shown: np.ndarray | None = None,
    axes: int = 1,
) -> tuple[Enclosure, Enclosure]:
    """Σ_s softmax(scores)[b, t, s]·value[b, s, d], and the softmax.

    Where a query may not see a key, its score is −∞: frameworks subtract 10⁹ (65504 in float16) or put the format's
    lowest number there, and e to that is 0 in every format.

    Args:
        scores: (B, T, S); value: (B, S, D).
        shown: which query may see which key besides, broadcast to the scores.
        axes: how many axes of the layer's inputs S stands for: over several Keras computes softmax in another way.
    """
    seen = allowed(*scores.mid.shape[1:])[None]
    seen = np.broadcast_to(seen if shown is None else seen & shown, scores.mid.shape)
    blind = np.logical_not(seen.any(axis=-1, keepdims=True))
    joint = axes > 1
    arithmetic, scores = context.arithmetic, _unrounded(scores, context.arithmetic)
    given = scores if seen.all() else _hidden(scores, ~seen, np.where(blind, 0.0, -np.inf))
    with np.errstate(all="ignore"):
        given = given.move(lambda v: v[..., None]) if joint else given
        by = arithmetic.wide if arithmetic.softmax_wide else arithmetic
        found = softmax(given, by, {"axis": (-2, -1) if joint else (-1,)})
    found = arithmetic.store(found, by.format)
    shares = found.move(lambda v: v[..., 0]) if joint else found
    shares = _unseeing(scores, shares, blind, arithmetic) if blind.any() else shares
    return fed(Labels("bts", "bsd", "btd"), shares, value, context), shares


def _unrounded(e: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """What XLA hands to the softmax may be what it was before it was rounded."""
    blur = arithmetic.u * np.abs(e.mid) if arithmetic.fused else 0.0
    return Enclosure(e.mid, np.asarray(e.sigma) + blur / Z, np.asarray(e.worst) + blur, e.floor, e.overflow)


def _hidden(scores: Enclosure, where: np.ndarray, value: np.ndarray) -> Enclosure:
    """`value` there, which is exact."""
    mid, *rest = scores.full()
    return Enclosure(np.where(where, value, mid), *(np.where(where, np.zeros((), r.dtype), r) for r in rest))


def _unseeing(scores: Enclosure, shares: Enclosure, blind: np.ndarray, arithmetic: Arithmetic) -> Enclosure:
    """The shares of a query that sees no key at all, which mean nothing: frameworks give equal shares or zeros.

    Where they subtract, scores beyond half a unit in the last place of what they subtract are not quite gone: then it
    is any share.
    """
    fmt, count = arithmetic.format, scores.mid.shape[-1]
    subtracted = min(SUBTRACTED, float(fmt.max))
    half, equal = float(fmt.spacing(subtracted)) / 2, min((1 + 8 * fmt.u) / count, 1.0)
    farthest = [
        np.max(np.abs(scores.mid) + radius, axis=-1, keepdims=True) for radius in (scores.probable, scores.limit)
    ]
    probable, limit = (np.where(reach < half, equal, 1.0) for reach in farthest)
    overflow = (farthest[0] >= half) & (farthest[0] + subtracted > fmt.max)
    new = (1 / count, probable / Z, limit, 0.0, overflow)
    return Enclosure(*(np.where(blind, one, old) for one, old in zip(new, shares.full(), strict=True)))


def shapes(attrs: Attention) -> dict[str, Shape]:
    scale: dict[str, Shape] = {"scale": ()} if attrs.use_scale else {}
    return {**scale, "concat_score_weight": ()} if attrs.score_mode == "concat" else scale


def attention(
    attrs: Attention, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> tuple[Enclosure, ...]:
    """y = softmax(scores)·value; scores = query·keyᵀ·scale, or weight·Σ tanh(scale·(query + key)).

    query (N, T, D), value (N, S, V), and key (N, S, D), which is the value where it is not given.
    """

    def scores(query: Enclosure, key: Enclosure) -> Enclosure:
        if attrs.score_mode == "dot":
            dots = fed(Labels("btd", "bsd", "bts"), query, key, context)
            return _times(dots, weights["scale"], context.arithmetic) if attrs.use_scale else dots
        sums = _pairs(query, key, context.arithmetic)
        sums = _times(sums, weights["scale"], context.arithmetic) if attrs.use_scale else sums
        found = summed(_tanh(sums, context.arithmetic), 3, context.arithmetic)
        return _times(found, weights["concat_score_weight"], context.arithmetic)

    return _attention(attrs, inputs, context, scores)


def additive_shapes(attrs: AdditiveAttention) -> dict[str, Shape]:
    return {"scale": (None,)} if attrs.use_scale else {}


def additive_attention(
    attrs: AdditiveAttention, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> tuple[Enclosure, ...]:
    """As `attention`, with scores = Σ_d scale_d·tanh(query_d + key_d)."""

    def scores(query: Enclosure, key: Enclosure) -> Enclosure:
        found = _tanh(_pairs(query, key, context.arithmetic), context.arithmetic)
        found = _times(found, weights["scale"], context.arithmetic) if attrs.use_scale else found
        return summed(found, 3, context.arithmetic)

    return _attention(attrs, inputs, context, scores)


def _attention(
    attrs: AdditiveAttention,
    inputs: Sequence[Enclosure],
    context: Context,
    scores: Callable[[Enclosure, Enclosure], Enclosure],
) -> tuple[Enclosure, ...]:
    """Axes before the last two are one batch. What a hidden query gets is zero.

    Raises:
        UnreadableModel: the inputs are not two or three tensors of at least three dimensions.
    """
    inputs, masks = attrs.parted(inputs)
    if len(inputs) not in (2, 3) or min(e.mid.ndim for e in inputs) < 3:
        shapes = ", ".join(str(e.mid.shape) for e in inputs)
        raise UnreadableModel(f"a query, a value and perhaps a key are wanted, not {shapes}")
    lead = inputs[0].mid.shape[:-2]
    flat = [_flat(as_floats(e, context.arithmetic)) for e in inputs]
    query, value, key = (*flat, flat[1])[:3]
    rule = not_ahead if attrs.use_causal_mask or attrs.causal else everywhere
    shown = masks["value"][:, None, :] if "value" in masks else None
    mixed, shares = attend(scores(query, key), value, rule, context, shown=shown)
    if "query" in masks:
        mixed = _hidden(mixed, ~masks["query"][..., None], np.zeros(()))
    found = mixed, shares
    outputs = tuple(e.move(lambda v: v.reshape(*lead, *v.shape[1:])) for e in found)
    return outputs if attrs.return_attention_scores else outputs[:1]


def _flat(e: Enclosure) -> Enclosure:
    lead = prod(e.mid.shape[:-2])
    return spread_over(e, e.mid.shape).move(lambda v: v.reshape(lead, *v.shape[-2:]))


def _pairs(query: Enclosure, key: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """query + key of every pair: (B, T, S, D)."""
    (batch, queries, depth), keys = query.mid.shape, key.mid.shape[1]
    shape = (batch, queries, keys, depth)
    one, other = query.move(lambda v: v[:, :, None]), key.move(lambda v: v[:, None])
    return stored_total(spread_over(one, shape), spread_over(other, shape), arithmetic)


def _times(e: Enclosure, factor: np.ndarray, arithmetic: Arithmetic) -> Enclosure:
    return stored_product(e, spread_over(point(factor), e.mid.shape), arithmetic)


def _tanh(e: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    with np.errstate(all="ignore"):
        return apply(FUNCTIONS["tanh"], e, arithmetic, {})


ROWS = (
    Row(
        "Attention",
        Attention,
        attention,
        shapes,
        operands=BOTH_INPUTS,
        attends=True,
        source="keras.layers.Attention",
    ),
    Row(
        "AdditiveAttention",
        AdditiveAttention,
        additive_attention,
        additive_shapes,
        operands=BOTH_INPUTS,
        attends=True,
        source="keras.layers.AdditiveAttention; Bahdanau, Cho and Bengio 2015",
    ),
)
