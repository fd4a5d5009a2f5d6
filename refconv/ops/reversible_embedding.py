"""ReversibleEmbedding: a table looked up, or, called in reverse, multiplied by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, Z
from refconv.ops.activations import Activation, activate
from refconv.ops.attributes import attribute, flag, number, optional
from refconv.ops.base import Context, Row, Shape, Terms, Weights
from refconv.ops.embedding import Embedding, embedding
from refconv.ops.functions.base import DIVISION
from refconv.ops.functions.elementwise import radii
from refconv.ops.spatial import only
from refconv.primitives.sums import matmul_moments


@dataclass(frozen=True)
class ReversibleEmbedding(Embedding):
    """`reverse` is an argument of a call, and in no configuration."""

    tie_weights: bool = attribute(flag, default=True)
    reverse_dtype: str | None = attribute(only("reverse_dtype", None), default=None)
    logit_soft_cap: float | None = attribute(optional(number), default=None)
    reverse: bool = attribute(flag, default=False)


def shapes(attrs: ReversibleEmbedding) -> dict[str, Shape]:
    apart: dict[str, Shape] = {"reverse_embeddings": (attrs.output_dim, attrs.input_dim)}
    return {"embeddings": (attrs.input_dim, attrs.output_dim), **({} if attrs.tie_weights else apart)}


def reversible_embedding(
    attrs: ReversibleEmbedding, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> Enclosure:
    """(…) integers → (…, output_dim); in reverse y = x·K, x (…, output_dim), K (output_dim, input_dim).

    K is the transposed table unless `reverse_embeddings` is apart; `logit_soft_cap` c makes of y tanh(y/c)·c.
    """
    if not attrs.reverse:
        return embedding(attrs, weights, inputs, context)
    moments = matmul_moments(context.engine, inputs[0].mid, _kernel(attrs, weights), context.need)
    return _capped(attrs, context.arithmetic.close(moments), context.arithmetic)


def terms(
    attrs: ReversibleEmbedding,
    weights: Weights,
    inputs: Sequence[np.ndarray],
    index: tuple[int, ...],
    context: Context,
) -> Terms:
    """One product for every element of a vector; of what is looked up, the element itself."""
    if not attrs.reverse:
        row = int(inputs[0][index[:-1]])
        return Terms(np.array([weights["embeddings"][row, index[-1]]], dtype=np.float64), None, lambda e: e)
    row, unit = inputs[0][index[:-1]].astype(np.float64), index[-1]
    products = row * _kernel(attrs, weights)[:, unit].astype(np.float64)
    return Terms(products, None, lambda e: _capped(attrs, e, context.arithmetic))


def _kernel(attrs: ReversibleEmbedding, weights: Weights) -> np.ndarray:
    return weights["embeddings"].T if attrs.tie_weights else weights["reverse_embeddings"]


def _capped(attrs: ReversibleEmbedding, e: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """tanh(y/c)·c: the quotient, the function and the product round."""
    cap = attrs.logit_soft_cap
    if cap is None:
        return e
    cap = float(arithmetic.format.round(cap))
    share = _rounded(e, 1 / cap, arithmetic, DIVISION)
    return _rounded(activate(Activation("tanh"), share, arithmetic), cap, arithmetic, 1)


def _rounded(e: Enclosure, factor: float, arithmetic: Arithmetic, units: float) -> Enclosure:
    """e·factor, with `units` of u|y| more."""
    y, size = e.mid * factor, abs(factor)
    probable, limit = (r * size + units * arithmetic.u * (np.abs(y) + r * size) for r in radii(e))
    floor = np.broadcast_to(arithmetic.format.tiny * (1 + size), y.shape)
    overflow = np.asarray(e.overflow)
    return Enclosure(y, probable / Z, limit, floor, np.broadcast_to(overflow, y.shape) if overflow.any() else False)


ROWS = (
    Row(
        "ReversibleEmbedding",
        ReversibleEmbedding,
        reversible_embedding,
        shapes,
        terms,
        operands=("embeddings", "reverse_embeddings"),
        source="keras.layers.ReversibleEmbedding",
    ),
)
