"""Attention by hand: who sees whom, what softmax weighs, how errors travel; and what a framework gets wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.laws import CONTEXT, Run, draw_inputs, run_row
from support.laws import Case as Drawn
from support.one import run

from refconv.compare.stage1 import deviate
from refconv.errors import UnreadableModel
from refconv.formats.calling import with_call, with_states
from refconv.formats.resolve import Resolved
from refconv.graph import Ref
from refconv.numerics.enclosure import Enclosure, bounded, point
from refconv.ops.attention import attend, everywhere, not_ahead
from refconv.ops.attributes import build
from refconv.ops.table import TABLE

RNG = np.random.default_rng(1)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def outputs(name: str, config: dict[str, Any], *inputs: np.ndarray, **weights: Any) -> tuple[Enclosure, ...]:
    row = TABLE[name]
    held = {key: np.float32(value) for key, value in weights.items()}
    found = row.forward(build(row.attributes, config, name), held, tuple(map(point, inputs)), CONTEXT)
    assert isinstance(found, tuple)
    return found


def test_equal_scores_give_the_mean_and_a_large_one_its_own_value() -> None:
    value = np.float32([[[1, 10], [3, 20]]])
    (mean,) = outputs("Attention", {}, np.zeros((1, 1, 2), np.float32), value)
    assert mean.mid.tolist() == [[[2, 15]]]
    (chosen,) = outputs("Attention", {}, np.float32([[[0, 200]]]), value)
    assert np.array_equal(chosen.mid, [[[3, 20]]])


def test_additive_scores_by_hand() -> None:
    """tanh(∞)·2 against tanh(−∞)·2: e⁴ times the weight."""
    value = np.float32([[[100], [-100]]])
    (found,) = outputs("AdditiveAttention", {}, np.zeros((1, 1, 1), np.float32), value, scale=[2.0])
    share = 1 / (1 + np.exp(-4.0))
    assert found.mid.item() == pytest.approx(100 * (2 * share - 1), rel=1e-12)


def test_a_causal_mask_hides_what_comes_after() -> None:
    value = floats(1, 3, 2)
    seen, shares = outputs("Attention", {"use_causal_mask": True, "return_attention_scores": True}, value, value)
    assert np.array_equal(shares.mid[0] > 0, np.tri(3, dtype=bool))
    assert np.array_equal(seen.mid[0, 0], value[0, 0])
    assert np.all(np.asarray(shares.limit)[0][~np.tri(3, dtype=bool)] < 1e-37)
    older = outputs("Attention", {"causal": True}, value, value)
    assert np.array_equal(older[0].mid, seen.mid)


def test_a_window_hides_what_is_far_away() -> None:
    config = {"num_heads": 1, "key_dim": 2, "use_bias": False, "sliding_window": 2, "return_attention_scores": True}
    kernels = {f"{name}_kernel": floats(3, 1, 2) for name in ("query", "key", "value")}
    x = floats(1, 4, 3)
    _, shares = outputs("MultiHeadAttention", config, x, x, **kernels, output_kernel=floats(1, 2, 3))
    assert np.array_equal(shares.mid[0, 0] > 0, np.tri(4, k=1, dtype=bool) & np.tri(4, k=1, dtype=bool).T)


def test_masks_of_queries_and_values() -> None:
    """Equal scores: the mean of the values that are shown, and zero for a query that is not."""
    value = np.float32([[[1], [3], [100]]])
    config = {"masks": ["query", "value"], "return_attention_scores": True}
    masks = np.array([[True, False]]), np.array([[True, True, False]])
    found, shares = outputs("Attention", config, np.zeros((1, 2, 1), np.float32), value, *masks)
    assert found.mid.tolist() == [[[2], [0]]] and shares.mid.tolist() == [[[0.5, 0.5, 0]] * 2]
    assert np.asarray(found.limit).ravel()[1] == 0


def test_masks_of_heads() -> None:
    """Two samples, two heads: keys by the value's mask, by the key's and by one of pairs, all of which must show."""
    weights: dict[str, Any] = {f"{name}_kernel": np.zeros((1, 2, 1)) for name in ("query", "key")}
    weights |= {"value_kernel": [[[1.0], [2.0]]], "output_kernel": [[[1.0]], [[10.0]]]}
    config = {"num_heads": 2, "key_dim": 1, "use_bias": False, "masks": ["value", "key", "attention"]}
    value = np.float32([[[1], [3], [5], [7]]] * 2)
    masks = (
        np.array([[True, True, True, False], [True] * 4]),
        np.array([[True] * 4, [False, True, True, True]]),
        np.array([[[False, True, True, True]], [[True, True, True, False]]]),
    )
    (found,) = outputs("MultiHeadAttention", config, np.zeros((2, 1, 1), np.float32), value, value, *masks, **weights)
    assert found.mid.ravel().tolist() == [21 * 4, 21 * 4]  # the mean of 3 and 5, of either sample


def test_a_query_that_sees_no_key() -> None:
    """Frameworks give zeros or the mean; where what is subtracted is no more than a score's rounding, any share."""
    value, blind = point(np.float32([[[2], [4]]])), np.zeros((1, 1, 2), bool)
    found, shares = attend(point(np.float32([[[0, 1]]])), value, everywhere, CONTEXT, shown=blind)
    reaches = (deviate(found, np.full((1, 1, 1), y, np.float32)).impossible.item() for y in (0, 3, -0.1, 6.1))
    assert found.mid.item() == 3 and list(reaches) == [False, False, True, True]
    assert deviate(shares, np.float32([[[1.1, -0.1]]])).impossible.all()
    found, shares = attend(point(np.float32([[[0, 40]]])), value, everywhere, CONTEXT, shown=blind)
    assert not deviate(shares, np.float32([[[0, 1]]])).impossible.any()  # 40 − 10⁹ is 64 more than −10⁹ in float32


def test_errors_of_scores_and_values_travel() -> None:
    """Two keys of equal score: an error of r on each moves a share by tanh(r)/2, of which the interval is at most 2%
    wider; the value's error adds.
    """
    scores, value = bounded(np.zeros((1, 1, 2)), 0.01), bounded(np.array([[[1.0], [-1.0]]]), 0.1)
    found, shares = attend(scores, value, everywhere, CONTEXT)
    share = np.tanh(0.01) / 2
    assert share <= np.max(shares.limit) <= 1.02 * share
    assert 0.1 + 2 * share <= np.max(found.limit) <= 0.1 + 1.02 * 2 * 1.1 * share
    assert np.asarray(found.sigma).max() * 10 == pytest.approx(float(np.max(found.limit)), rel=1e-3)


def test_every_head_uses_its_own_weights() -> None:
    """Head 1 sees twice the value of head 0; the output adds them up."""
    weights = {"query_kernel": np.zeros((1, 2, 1)), "key_kernel": np.zeros((1, 2, 1))}
    weights |= {"value_kernel": [[[1.0], [2.0]]], "output_kernel": [[[1.0]], [[10.0]]]}
    config = {"num_heads": 2, "key_dim": 1, "use_bias": False}
    (found,) = outputs("MultiHeadAttention", config, np.float32([[[0]]]), np.float32([[[3], [5]]]), **weights)
    assert found.mid.item() == 4 + 10 * 8


def test_heads_that_share_a_key() -> None:
    """Query heads 0 and 1 share the first key and value, 2 and 3 the second."""
    weights = {"query_kernel": np.zeros((1, 4, 1)), "key_kernel": np.zeros((1, 2, 1))}
    weights |= {"value_kernel": [[[1.0], [2.0]]], "output_kernel": np.reshape([1.0, 10, 100, 1000], (4, 1, 1))}
    config = {"head_dim": 1, "num_query_heads": 4, "num_key_value_heads": 2, "use_bias": False}
    (found,) = outputs("GroupQueryAttention", config, np.float32([[[0]]]), np.float32([[[1]]]), **weights)
    assert found.mid.item() == 11 + 2 * 1100


@pytest.mark.parametrize(
    ("name", "config", "shapes", "match"),
    [
        ("Attention", {}, [(1, 2, 3)], "a query, a value"),
        ("Attention", {}, [(2, 3), (2, 3)], "a query, a value"),
        ("MultiHeadAttention", {"num_heads": 1, "key_dim": 1}, [(1, 2, 3)], "a query, a value"),
        ("MultiHeadAttention", {"num_heads": 1, "key_dim": 1, "attention_axes": [2]}, [(1, 2, 3)] * 2, "does not fit"),
        ("MultiHeadAttention", {"num_heads": 1, "key_dim": 1}, [(1, 2, 3), (1, 2, 2, 3)], "numbers of axes"),
    ],
)
def test_inputs_that_do_not_fit(name: str, config: Any, shapes: Any, match: str) -> None:
    with pytest.raises(UnreadableModel, match=match):
        run(name, config, *(floats(*shape) for shape in shapes))


def test_arguments_of_the_call() -> None:
    row = TABLE["MultiHeadAttention"]
    attrs = build(row.attributes, {"num_heads": 1, "key_dim": 1}, "x")
    known = Resolved("MultiHeadAttention", attrs, row)
    query, value, key = Ref(1), Ref(2), Ref(3)
    assert with_states(known, (query,), {"value": value, "key": key}) == ((query, value, key), {})
    assert with_states(known, (), {"query": query, "value": value}) == ((query, value), {})
    turned = {"key": key, "value": value}  # which is which would be a guess
    assert with_states(known, (query,), turned) == ((query,), turned)
    causal, rest = with_call(attrs, {"use_causal_mask": True, "attention_mask": value})
    assert causal.use_causal_mask and rest == {"attention_mask": value}
    dense = build(TABLE["Dense"].attributes, {"units": 1}, "x")
    assert with_call(dense, {"use_causal_mask": True}) == (dense, {"use_causal_mask": True})


def test_keras_3_adds_a_bias_of_depth_one_along_the_time() -> None:
    """(heads, 1) looks like a bias of channels to its `ops.add`, and time is as long as there are heads."""

    def judged(keys: int) -> bool:
        case = Drawn({"num_heads": 2, "key_dim": 1}, ((1, 3, 2), (1, keys, 2)), (3,))
        found: Run = run_row("MultiHeadAttention", case.config, draw_inputs(case, 0), 3, 3)
        return bool(deviate(found.enclosures[0], found.outputs[0]).impossible.any())

    assert judged(2) and not judged(4)


def test_masked_scores_vanish_in_the_framework_too() -> None:
    """−10⁹ and the lowest number: e to either is 0."""
    scores = floats(1, 4, 4)
    hidden = ~not_ahead(4, 4)
    found = attend(point(scores), point(np.eye(4, dtype=np.float32)[None]), not_ahead, CONTEXT)[0]
    for lowest in (scores - np.float32(1e9), np.float32(np.finfo(np.float32).min)):
        got = tf.nn.softmax(np.where(hidden, lowest, scores)).numpy()
        assert not deviate(found, got).outside.any()
        assert not got[0][hidden].any()
