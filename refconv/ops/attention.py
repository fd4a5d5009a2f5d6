"""Attention and AdditiveAttention: values weighted by a softmax of how queries and keys fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.attributes import attribute, choice, flag
from refconv.ops.axes import as_floats
from refconv.ops.base import Context, Row, Shape, Weights
from refconv.ops.contraction import BOTH_INPUTS, Labels, fed, spread_over, summed
from refconv.ops.functions.axis import softmax
from refconv.ops.functions.elementwise import apply
from refconv.ops.functions.table import FUNCTIONS
from refconv.ops.pairwise import product, total

Rule = Callable[[int, int], np.ndarray]  # lengths of queries and keys → which query may attend to which key


@dataclass(frozen=True, kw_only=True)
class Called:
    """How the layer is called: arguments of the call, which the configuration does not hold (`formats.calling`)."""

    use_causal_mask: bool = attribute(flag, default=False)
    return_attention_scores: bool = attribute(flag, default=False)


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
    scores: Enclosure, value: Enclosure, allowed: Rule, context: Context, *, axes: int = 1
) -> tuple[Enclosure, Enclosure]:
    """Σ_s softmax(scores)[b, t, s]·value[b, s, d], and the softmax.

    Where a query may not see a key, its score is −∞: frameworks subtract 10⁹ (65504 in float16) or put the format's
    lowest number there, and e to that is 0 in every format.

    Args:
        scores: (B, T, S); value: (B, S, D).
        axes: how many axes of the layer's inputs S stands for: over several Keras computes softmax in another way.
    """
    seen = allowed(*scores.mid.shape[1:])
    joint = axes > 1
    scores = scores if seen.all() else _hidden(scores, ~seen)
    with np.errstate(all="ignore"):
        given = scores.move(lambda v: v[..., None]) if joint else scores
        found = softmax(given, context.arithmetic, {"axis": (-2, -1) if joint else (-1,)})
    shares = found.move(lambda v: v[..., 0]) if joint else found
    return fed(Labels("bts", "bsd", "btd"), shares, value, context), shares


def _hidden(scores: Enclosure, where: np.ndarray) -> Enclosure:
    """−∞, which is exact."""
    mid, *rest = scores.full()
    return Enclosure(np.where(where, -np.inf, mid), *(np.where(where, np.zeros((), r.dtype), r) for r in rest))


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
    """Axes before the last two are one batch.

    Raises:
        UnreadableModel: the inputs are not two or three tensors of at least three dimensions.
    """
    if len(inputs) not in (2, 3) or min(e.mid.ndim for e in inputs) < 3:
        shapes = ", ".join(str(e.mid.shape) for e in inputs)
        raise UnreadableModel(f"a query, a value and perhaps a key are wanted, not {shapes}")
    lead = inputs[0].mid.shape[:-2]
    flat = [_flat(as_floats(e, context.arithmetic)) for e in inputs]
    query, value, key = (*flat, flat[1])[:3]
    rule = not_ahead if attrs.use_causal_mask or attrs.causal else everywhere
    found = attend(scores(query, key), value, rule, context)
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
    return total(spread_over(one, shape), spread_over(other, shape), arithmetic)


def _times(e: Enclosure, factor: np.ndarray, arithmetic: Arithmetic) -> Enclosure:
    return product(e, spread_over(point(factor), e.mid.shape), arithmetic)


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
        single=True,
        source="keras.layers.Attention",
    ),
    Row(
        "AdditiveAttention",
        AdditiveAttention,
        additive_attention,
        additive_shapes,
        operands=BOTH_INPUTS,
        single=True,
        source="keras.layers.AdditiveAttention; Bahdanau, Cho and Bengio 2015",
    ),
)
