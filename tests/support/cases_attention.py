"""Attention, for the laws of `ops/test_laws.py`: as it is called without masks."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from support.laws import Case

LENGTHS = st.integers(1, 4)


@st.composite
def attention(draw: st.DrawFn, *, additive: bool = False) -> Case:
    """With a key of its own, or the value as key. Keras warns of a softmax over one element, so there are two keys."""
    batch, queries, keys, depth, width = (draw(LENGTHS) for _ in range(5))
    config: dict[str, Any] = {"use_scale": draw(st.booleans())}
    if not additive:
        config["score_mode"] = draw(st.sampled_from(["dot", "concat"]))
    width = (
        depth if additive else width
    )  # Keras 2 makes one scale per channel of the value, and applies it to the key's
    query, key = (batch, queries, depth), (batch, keys + 1, depth)
    own = draw(st.booleans())
    return Case(config, (query, (batch, keys + 1, width), key) if own else (query, key))


@st.composite
def multi_head(draw: st.DrawFn) -> Case:
    """Attention over one axis, over two, or over one of two; Keras 3 alone has gates and windows."""
    rank = draw(st.sampled_from([3, 3, 4]))
    config: dict[str, Any] = {"num_heads": draw(st.integers(1, 3)), "key_dim": draw(LENGTHS)}
    config |= {"value_dim": draw(st.none() | LENGTHS), "use_bias": draw(st.booleans())}
    if config["use_bias"]:  # (heads, 1) is a shape of bias that Keras 3.15 adds along any axis (test_attention)
        config["key_dim"], config["value_dim"] = config["key_dim"] + 1, (config["value_dim"] or 1) + 1
    config["output_shape"] = draw(st.none() | LENGTHS.map(lambda n: [n]))
    batch, depth, width = (draw(LENGTHS) for _ in range(3))
    keys = [draw(LENGTHS) + 1 for _ in range(rank - 2)]
    queries = [draw(LENGTHS) for _ in keys]
    if rank == 4 and draw(st.booleans()):
        axis = draw(st.sampled_from([1, 2]))
        config["attention_axes"] = [axis]
        queries[2 - axis] = keys[2 - axis]
    majors: tuple[int, ...] = (2, 3)
    if draw(st.booleans()):
        majors, config["use_gate"] = (3,), True
    query, value = (batch, *queries, depth), (batch, *keys, width)
    own = draw(st.booleans())
    return Case(config, (query, value, (batch, *keys, draw(LENGTHS))) if own else (query, value), majors)


@st.composite
def group_query(draw: st.DrawFn) -> Case:
    groups, depth = draw(st.integers(1, 2)), draw(LENGTHS)
    config = {
        "head_dim": draw(LENGTHS) + 1,
        "num_key_value_heads": groups,
        "num_query_heads": groups * draw(st.integers(1, 2)),
    }
    config |= {"use_bias": draw(st.booleans()), "use_gate": draw(st.booleans())}
    batch, queries, keys = (draw(LENGTHS) for _ in range(3))
    return Case(config, ((batch, queries, depth), (batch, keys + 1, depth)), (3,))


CASES: dict[str, st.SearchStrategy[Case]] = {
    "Attention": attention(),
    "AdditiveAttention": attention(additive=True),
    "MultiHeadAttention": multi_head(),
    "GroupQueryAttention": group_query(),
}
