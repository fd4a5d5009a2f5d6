"""Recurrent layers by hand, and what each step is judged on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.laws import CONTEXT

from refconv.compare.stage1 import deviate
from refconv.compare.stage2 import enclose as stage2
from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.attributes import build
from refconv.ops.table import TABLE

X = [[[1.0], [2.0]]]  # one sample, two steps, one channel
GATE = {"activation": "linear", "recurrent_activation": "hard_sigmoid"}  # relu6(x + 3)/6
# i, f, g, o
LSTM = {"kernel": [[1.5, -1.5, 2, 0]], "recurrent_kernel": [[0, 3, 1, -2]], "bias": [0, 1.5, 1, 0]}
# z, r, g
GRU = {"kernel": [[0.75, 0.75, 2]], "recurrent_kernel": [[0, 0, 4]]}


def forward(name: str, config: dict[str, Any], weights: dict[str, Any], *inputs: Any) -> tuple[Enclosure, ...]:
    row = TABLE[name]
    held = {key: np.asarray(value, np.float32) for key, value in weights.items()}
    given = tuple(point(np.asarray(x, np.float32)) for x in inputs)
    result = row.forward(build(row.attributes, config, name), held, given, CONTEXT)
    assert isinstance(result, tuple)
    return result


def values(name: str, config: dict[str, Any], weights: dict[str, Any], *inputs: Any) -> list[list[float]]:
    """Outputs flattened, to the reference's own accuracy."""
    return [[round(float(v), 12) for v in e.mid.ravel()] for e in forward(name, config, weights, *inputs)]


def test_lstm_by_hand() -> None:
    """Step 1, x = 1, h = c = 0: i = hs(1.5) = 0.75, f = hs(0) = 0.5, g = 3, o = hs(0) = 0.5;
    c = 0.5·0 + 0.75·3 = 2.25, h = 0.5·2.25 = 1.125.
    Step 2, x = 2: i = hs(3) = 1, f = hs(−3 + 3·1.125 + 1.5) = hs(1.875) = 0.8125, g = 4 + 1.125 + 1 = 6.125,
    o = hs(−2.25) = 0.125; c = 0.8125·2.25 + 6.125 = 7.953125, h = 0.125·7.953125 = 0.994140625.
    """
    config = {"units": 1, **GATE, "return_sequences": True, "return_state": True}
    assert values("LSTM", config, LSTM, X) == [[1.125, 0.994140625], [0.994140625], [7.953125]]
    assert values("LSTM", {**config, "return_sequences": False}, LSTM, X)[0] == [0.994140625]
    assert values("LSTM", {**config, "return_state": False}, LSTM, X) == [[1.125, 0.994140625]]
    backwards = {**config, "go_backwards": True}
    assert values("LSTM", backwards, LSTM, [[[2.0], [1.0]]])[0] == [1.125, 0.994140625]
    # From h = 1.125, c = 2.25 the second step is the first.
    assert values("LSTM", config, LSTM, [[[2.0]]], [[1.125]], [[2.25]])[0] == [0.994140625]


def test_gru_by_hand() -> None:
    """Gates after: step 1, z = r = hs(0.75) = 0.625, g = 2 + 1 + 0.625·(0 − 2) = 1.75, h = 0.375·1.75 = 0.65625;
    step 2, z = r = 0.75, g = 5 + 0.75·(4·0.65625 − 2) = 5.46875, h = 0.75·0.65625 + 0.25·5.46875 = 1.859375.
    Gates before: h = 0.375·3 = 1.125; g = 5 + (0.75·1.125)·4 = 8.375, h = 0.75·1.125 + 0.25·8.375 = 2.9375.
    """
    config = {"units": 1, **GATE, "return_sequences": True}
    after = {**GRU, "bias": [[0, 0, 1], [0, 0, -2]]}
    assert values("GRU", {**config, "reset_after": True}, after, X) == [[0.65625, 1.859375]]
    assert values("GRU", {**config, "reset_after": False}, {**GRU, "bias": [0, 0, 1]}, X) == [[1.125, 2.9375]]


def test_simple_rnn_by_hand() -> None:
    """h = 2·1 + 1 = 3, then 2·2 + 0.5·3 + 1 = 6.5: small numbers, so certified."""
    weights = {"kernel": [[2]], "recurrent_kernel": [[0.5]], "bias": [1]}
    (found,) = forward("SimpleRNN", {"units": 1, "activation": "linear", "return_sequences": True}, weights, X)
    assert found.mid.ravel().tolist() == [3, 6.5]


QLSTM = {"kernel": [[0.5, -0.5, 2, 0]], "recurrent_kernel": [[0, 1, 1, -0.5]], "bias": [0, 0.5, 1, 0]}


def test_qlstm_by_hand() -> None:
    """QKeras's hard sigmoid is x/2 + 1/2, and a state is rounded to halves and kept within ±1.5 before it is used.

    Step 1: i = 0.75, f = 0.5, g = 3, o = 0.5, c = 2.25, h = 1.125. Step 2 starts from h = 1, c = 1.5: i = 1,
    f = hs(−1 + 1 + 0.5) = 0.75, g = 4 + 1 + 1 = 6, o = hs(−0.5) = 0.25; c = 0.75·1.5 + 6 = 7.125, h = 1.78125.
    """
    config = {"units": 1, **GATE, "state_quantizer": "quantized_bits(3,1,1,alpha=1)", "return_state": True}
    assert values("QLSTM", config, QLSTM, X) == [[1.78125], [1.78125], [7.125]]
    unquantized = {**config, "state_quantizer": None}
    assert values("QLSTM", unquantized, QLSTM, X) != [[1.78125], [1.78125], [7.125]]
    assert all(e.exact for e in forward("QLSTM", config, QLSTM, X))


BOTH = {f"{side}_{name}": value for side in ("forward", "backward") for name, value in LSTM.items()}
# The backward layer meets 2, then 1: i = 1, f = hs(−1.5) = 0.25, g = 5, o = 0.5; c = 5, h = 2.5; then i = 0.75,
# f = hs(7.5) = 1, g = 2 + 2.5 + 1 = 5.5, o = hs(−5) = 0; c = 9.125, h = 0. Turned round its sequence is 0, 2.5.
MERGED = {
    "concat": [[1.125, 0, 0.994140625, 2.5]],
    "sum": [[1.125, 3.494140625]],
    "mul": [[0, 2.4853515625]],
    "ave": [[0.5625, 1.7470703125]],
    None: [[1.125, 0.994140625], [0, 2.5]],
}


@pytest.mark.parametrize("mode", MERGED)
def test_bidirectional_by_hand(mode: str | None) -> None:
    inner = {"class_name": "LSTM", "config": {"units": 1, **GATE, "return_sequences": True}}
    assert values("Bidirectional", {"layer": inner, "merge_mode": mode}, BOTH, X) == MERGED[mode]


def test_bidirectional_states_follow_and_the_last_output_is_each_direction_s_own() -> None:
    inner = {"class_name": "LSTM", "config": {"units": 1, **GATE, "return_state": True}}
    found = values("Bidirectional", {"layer": inner}, BOTH, X)
    assert found == [[0.994140625, 0], [0.994140625], [7.953125], [0], [9.125]]


def test_what_fits_no_sequence_is_named() -> None:
    with pytest.raises(UnreadableModel, match="no sequence"):
        forward("LSTM", {"units": 1}, LSTM, [[1.0]])
    with pytest.raises(UnreadableModel, match="1 initial states are given, and there are 2"):
        forward("LSTM", {"units": 1}, LSTM, X, [[0.0]])


# Step by step.


def simulated(x: np.ndarray, w: dict[str, np.ndarray], fault: int = -1) -> dict[str, np.ndarray]:
    """An LSTM in float32, whose cell errs by 1e-4 at step `fault`, and goes on from there."""

    def sigmoid(z: np.ndarray) -> np.ndarray:
        return (1 / (1 + np.exp(-z))).astype(np.float32)

    h = c = np.zeros((len(x), w["recurrent_kernel"].shape[0]), np.float32)
    met = []
    for t in range(x.shape[1]):
        z = x[:, t] @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
        i, f, g, o = np.split(z, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g) + np.float32(1e-4 if t == fault else 0)
        h = sigmoid(o) * np.tanh(c)
        met.append((h, c))
    return {name: np.stack(column, axis=1) for name, column in zip("hc", zip(*met, strict=True), strict=True)}


def drawn(seed: int, steps: int = 6, channels: int = 3, units: int = 4) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    shapes = {"kernel": (channels, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    x = rng.normal(size=(2, steps, channels)).astype(np.float32)
    return x, {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def judged(x: np.ndarray, w: dict[str, np.ndarray], recorded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where every recorded state lies outside its bound."""
    row = TABLE["LSTM"]
    attrs = build(row.attributes, {"units": w["recurrent_kernel"].shape[0]}, "LSTM")
    assert row.steps is not None
    found = row.steps.enclose(attrs, w, (point(x),), {k: point(v) for k, v in recorded.items()}, CONTEXT)
    return {name: deviate(found[name], recorded[name]).outside for name in recorded}


@pytest.mark.parametrize("seed", range(5))
def test_a_fault_in_one_step_is_found_at_that_step_alone(seed: int) -> None:
    """Each step is judged on the framework's own state before it, and h on the framework's own c."""
    x, w = drawn(seed)
    assert not any(outside.any() for outside in judged(x, w, simulated(x, w)).values())
    outside = judged(x, w, simulated(x, w, fault=2))
    assert outside["c"][:, 2].all()
    assert not np.delete(outside["c"], 2, axis=1).any()
    assert not outside["h"].any()


def test_steps_and_chain_are_one_equation() -> None:
    """On its own states the step by step reference gives the chained values."""
    x, w = drawn(9)
    row = TABLE["LSTM"]
    attrs = build(row.attributes, {"units": 4, "return_sequences": True, "return_state": True}, "LSTM")
    h, _, last = row.forward(attrs, w, (point(x),), CONTEXT)
    assert row.steps is not None
    states = {"h": point(h.mid), "c": point(np.zeros_like(h.mid))}
    for _ in range(x.shape[1]):  # c of step t is right once that of step t − 1 is
        states["c"] = point(row.steps.enclose(attrs, w, (point(x),), states, CONTEXT)["c"].mid)
    again = row.steps.enclose(attrs, w, (point(x),), states, CONTEXT)
    np.testing.assert_allclose(again["h"].mid, h.mid, rtol=1e-12)
    np.testing.assert_allclose(again["c"].mid[:, -1], last.mid, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "more"),
    [("LSTM", {}), ("SimpleRNN", {}), ("GRU", {"reset_after": True}), ("GRU", {"reset_after": False})],
)
def test_stage_2_is_the_same_value_by_one_element_s_own_terms(name: str, more: dict[str, bool]) -> None:
    rng, row = np.random.default_rng(4), TABLE[name]
    attrs = build(row.attributes, {"units": 3, **more}, name)
    w = {k: rng.normal(size=[2 if n is None else n for n in s]) for k, s in row.weights(attrs).items()}
    assert row.steps is not None
    x = point(rng.normal(size=(2, 4, 2)))
    states = {k: point(rng.normal(size=(2, 4, 3))) for k in row.steps.names(attrs)}
    whole = row.steps.enclose(attrs, w, (x,), states, CONTEXT)
    for state, enclosure in whole.items():
        for index in ((0, 0, 0), (1, 3, 2)):
            one = row.steps.explain(
                attrs, w, (x,), states, state, index, CONTEXT, lambda terms: stage2(terms, CONTEXT.arithmetic)
            )
            if more.get("reset_after") is False:
                assert one is None
                continue
            assert one is not None
            assert float(one.mid) == pytest.approx(float(enclosure.mid[index]), rel=1e-10)
            assert one.mid.shape == ()


def test_stage_2_explains_what_an_order_does_to_a_long_sum() -> None:
    """20,000 terms, first the positive ones: partial sums outgrow what stage 1 expects of a random order."""
    rng = np.random.default_rng(2)
    kernel = np.concatenate([rng.uniform(0.5, 1, 10_000), -rng.uniform(0.5, 1, 10_000)]).astype(np.float32)
    x = np.full((1, 1, len(kernel)), 1.1, np.float32)
    w = {"kernel": kernel[:, None], "recurrent_kernel": np.zeros((1, 1), np.float32)}
    got = np.cumsum(x[0, 0] * kernel, dtype=np.float32)[-1].reshape(1, 1, 1)
    row = TABLE["SimpleRNN"]
    attrs = build(row.attributes, {"units": 1, "activation": "linear", "use_bias": False}, "SimpleRNN")
    given = attrs, w, (point(x),), {"h": point(got)}
    assert row.steps is not None
    assert deviate(row.steps.enclose(*given, CONTEXT)["h"], got).outside.all()
    again = row.steps.explain(*given, "h", (0, 0, 0), CONTEXT, lambda terms: stage2(terms, CONTEXT.arithmetic))
    assert again is not None
    assert not deviate(again, got[0, 0, 0]).outside.any()


def test_a_hidden_step_leaves_what_the_last_one_shown_did() -> None:
    """h = x + h: of 1, 2, 4, 8 the second and the fourth are seen. Before the first that is seen a step leaves zeros,
    also where there is an initial state, which is all the same where the sequence goes on from.
    """
    config = {"units": 1, "activation": "linear", "use_bias": False, "return_sequences": True, "return_state": True}
    weights, x = {"kernel": [[1]], "recurrent_kernel": [[1]]}, [[[1], [2], [4], [8]]]
    masked = {**config, "masks": ["mask"]}
    assert values("SimpleRNN", masked, weights, x, [[0, 1, 0, 1]]) == [[0, 2, 2, 10], [10]]
    assert values("SimpleRNN", {**masked, "go_backwards": True}, weights, x, [[0, 1, 0, 1]]) == [[8, 8, 10, 10], [10]]
    assert values("SimpleRNN", masked, weights, x, [[5]], [[0, 1, 0, 0]]) == [[0, 7, 7, 7], [7]]
    assert values("SimpleRNN", masked, weights, x, [[5]], [[0, 0, 0, 0]]) == [[0, 0, 0, 0], [5]]
    zeros = {**masked, "zero_output_for_mask": True}
    assert values("SimpleRNN", zeros, weights, x, [[0, 1, 1, 0]]) == [[0, 2, 6, 0], [6]]
    assert values("SimpleRNN", {**zeros, "return_sequences": False}, weights, x, [[0, 1, 1, 0]]) == [[0], [6]]


def test_steps_under_a_mask_are_judged_on_the_last_one_shown() -> None:
    """Recorded 0, 2, 2, 11: the third must be what the second left, the fourth is 8 + 2 within a rounding."""
    row = TABLE["SimpleRNN"]
    config = {"units": 1, "activation": "linear", "use_bias": False, "return_state": True, "masks": ["mask"]}
    attrs = build(row.attributes, config, "x")
    weights = {"kernel": np.float32([[1]]), "recurrent_kernel": np.float32([[1]])}
    inputs = [point(np.float32([[[1], [2], [4], [8]]])), point(np.array([[False, True, False, True]]))]
    recorded = {"h": point(np.float32([[[0], [2], [2], [11]]]))}
    assert row.steps is not None
    found = row.steps.enclose(attrs, weights, inputs, recorded, CONTEXT)["h"]
    assert found.mid.ravel().tolist() == [0, 2, 2, 10]
    assert deviate(found, np.float32([[[0], [2], [2], [11]]])).outside.ravel().tolist() == [False, False, False, True]
    assert deviate(found, np.float32([[[0], [2], [4], [10]]])).outside.ravel().tolist() == [False, False, True, False]
    y, h = row.steps.outputs(attrs, inputs, recorded, {"h": found}, CONTEXT)
    assert y.mid.item() == h.mid.item() == 11 and y.exact


def test_both_directions_of_a_masked_sequence() -> None:
    """Forwards 0, 2, ·, 10 and backwards 10, ·, 8, 8 of 1, 2, 4, 8: what is hidden is zero in a sequence."""
    layer = {"class_name": "SimpleRNN", "config": {"units": 1, "activation": "linear", "use_bias": False}}
    weights = {f"{side}_{name}": [[1]] for side in ("forward", "backward") for name in ("kernel", "recurrent_kernel")}
    x, mask = [[[1], [2], [4], [8]]], [[0, 1, 0, 1]]
    found = values("Bidirectional", {"layer": layer, "masks": ["mask"]}, weights, x, mask)
    assert found == [[10, 10]]
    layer["config"]["return_sequences"] = True  # type: ignore[index]
    found = values("Bidirectional", {"layer": layer, "masks": ["mask"]}, weights, x, mask)
    assert found == [[0, 0, 2, 10, 0, 0, 10, 8]]
