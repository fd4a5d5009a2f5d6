"""Power of a layer's check, on cases whose answer is known by hand, and on samples against the whole layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refconv.compare import power, sampling
from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.compare.counterfactuals.table import FAMILIES, ROWS, applicable
from refconv.compare.declared import SINGLE, TF32S, Declared, half_sums, mixed
from refconv.compare.layer import Judgement, judge
from refconv.graph import Node, Origin
from refconv.numerics.formats import FLOAT16, FLOAT32, TF32
from refconv.numerics.moments import Need
from refconv.ops.attributes import build
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.primitives import engines
from refconv.reference.forward import NodeWeights
from refconv.result import FAILING, LayerResult, Power, Verdict

CONTEXT = Context(engines.get("numpy"))
RNG = np.random.default_rng(3)


def case(keras: str, inputs: Any, weights: dict[str, Any] | None = None, **config: Any) -> Case:
    attrs = build(TABLE[keras].attributes, config, keras)
    node = Node(1, "layer", keras, attrs, (), Origin(keras, "keras3"))
    arrays = inputs if isinstance(inputs, tuple) else (inputs,)
    given = {name: np.asarray(w, np.float32) for name, w in (weights or {}).items()}
    fed = tuple(np.asarray(x, np.float32) for x in arrays)
    found = TABLE[keras].slots
    applied = {n: s.effective.mid.astype(np.float32) for n, s in found(attrs, given).items()} if found else given
    return Case(node, applied, fed, given)


def conv(x: Any, kernel: Any, bias: Any = None, **config: Any) -> Case:
    kernel = np.asarray(kernel)
    weights = {"kernel": kernel, **({} if bias is None else {"bias": bias})}
    config = {"filters": kernel.shape[-1], "kernel_size": kernel.shape[:2], "strides": 1, **config}
    return case("Conv2D", x, weights, dilation_rate=config.pop("dilation_rate", 1), use_bias=bias is not None, **config)


def measured(one: Case) -> Power:
    found = power.measure(one, CONTEXT)
    assert found is not None
    return found


def missed(found: Power) -> dict[str, str]:
    return {m.name: m.reason for m in found.missed}


def draw(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


NOTHING = "it changes no output here"


def test_a_symmetric_kernel_has_no_flip() -> None:
    kernel = np.ones((3, 3, 2, 2)) * draw(1, 1, 2, 2)
    found = measured(conv(draw(1, 8, 8, 2), kernel))
    assert set(found.equivalent) == {"kernel flipped", "H and W swapped"}
    assert found.missed == ()
    other = measured(conv(draw(1, 8, 8, 2), draw(3, 3, 2, 2)))
    assert {"kernel flipped", "H and W swapped"} <= set(other.caught)


def test_a_bias_of_zeros_is_not_missed() -> None:
    found = measured(conv(draw(1, 8, 8, 2), draw(3, 3, 2, 2), np.zeros(2)))
    assert set(found.equivalent) == {"bias missing", "bias doubled"}
    other = measured(conv(draw(1, 8, 8, 2), draw(3, 3, 2, 2), np.ones(2)))
    assert {"bias missing", "bias doubled"} <= set(other.caught)


def test_a_constant_image_hides_where_taps_are() -> None:
    """Under VALID each output is the sum of the kernel, in whatever order."""
    found = missed(measured(conv(np.full((1, 8, 8, 1), 0.7), draw(3, 3, 1, 2), dilation_rate=1)))
    assert found == {"kernel flipped": NOTHING, "H and W swapped": NOTHING}
    same = measured(conv(np.full((1, 8, 8, 1), 0.7), draw(3, 3, 1, 2), padding="same"))
    assert same.missed == ()  # the border tells


@pytest.mark.parametrize(
    ("size", "stride", "padding", "length", "names"),
    [
        ((1, 1), 1, "same", 8, set()),
        ((3, 3), 1, "same", 8, {"kernel flipped", "H and W swapped", "VALID instead of SAME"}),
        ((3, 2), 1, "valid", 8, {"kernel flipped"}),
        (
            (3, 3),
            2,
            "same",
            8,
            {
                "kernel flipped",
                "H and W swapped",
                "VALID instead of SAME",
                "SAME's odd zero on the other side",
                "strides start one later",
            },
        ),
        (
            (3, 3),
            2,
            "same",
            9,
            {"kernel flipped", "H and W swapped", "VALID instead of SAME", "strides start one later"},
        ),
    ],
)
def test_only_what_the_geometry_has(size: Any, stride: int, padding: str, length: int, names: set[str]) -> None:
    """1×1 has nothing to flip; SAME of an odd kernel has no other side at stride 1, nor at 2 of an odd length."""
    one = conv(draw(1, length, length, 2), draw(*size, 2, 2), strides=stride, padding=padding)
    always = {"neighbouring channels swapped", "one weight off by 1%", "all weights off by 0.1%"}
    assert {row.name for row in applicable(one)} == names | always


def test_an_error_of_one_weight_by_hand() -> None:
    """y = 3·x of one term without bias: the radius is what is left to one rounding, and shows twice that."""
    found = measured(case("Dense", [[0.7]], {"kernel": [[0.3]]}, units=1, use_bias=False))
    (e,) = case("Dense", [[0.7]], {"kernel": [[0.3]]}, units=1, use_bias=False).enclose(CONTEXT)
    expected = 2 * float(np.max(e.probable)) / abs(float(e.mid.item()))
    assert found.smallest_weight_error == pytest.approx(expected, rel=1e-6)
    assert found.smallest_scale_error == pytest.approx(expected, rel=1e-6)


def test_a_smaller_error_is_missed_and_a_larger_one_is_caught() -> None:
    """The smallest error that shows is a boundary: half of it gives a ratio of 1, twice of it one of 4."""
    one = conv(draw(1, 8, 8, 3), draw(3, 3, 3, 4))
    least = measured(one).smallest_scale_error
    assert least is not None
    base = one.enclose(CONTEXT)
    for share in (0.5, 2.0):
        altered = power.scaled(power._wide(one), 1 + share * least)
        (e,) = altered.enclose(CONTEXT)
        ratio = np.max(np.abs(e.mid - base[0].mid) / base[0].probable)
        assert ratio == pytest.approx(power.FACTOR * share, rel=1e-3)


HOLLOW = {
    "all weights are zero": conv(draw(1, 8, 8, 2), np.zeros((3, 3, 2, 2)), np.zeros(2)),
    "all inputs are zero": conv(np.zeros((1, 8, 8, 2)), draw(3, 3, 2, 2)),
    "relu lets nothing through": case(
        "Dense", np.abs(draw(2, 5)), {"kernel": -np.ones((5, 3)), "bias": -np.ones(3)}, units=3, activation="relu"
    ),
    "relu alone, of positive values": case("ReLU", np.abs(draw(2, 40, 40, 3)) + 1),
    "all weights are zero, and SAME has its shape": conv(draw(1, 8, 8, 2), np.zeros((3, 3, 2, 2)), padding="same"),
    "the largest of equal values": case("MaxPooling2D", np.full((1, 8, 8, 2), 0.3)),
}


def result(one: Case, verdict: Verdict) -> LayerResult:
    return LayerResult(1, "layer", "layer", one.node.type, verdict)


def judged(one: Case, verdict: Verdict = Verdict.WITHIN) -> LayerResult:
    got = tuple(e.mid.astype(np.float32) for e in one.enclose(CONTEXT))
    return power.with_power(result(one, verdict), one.node, NodeWeights(one.weights, {}), one.inputs, got, {}, CONTEXT)


@pytest.mark.parametrize("name", [n for n in HOLLOW if "nothing through" not in n])
def test_what_proves_nothing_is_vacuous(name: str) -> None:
    found = judged(HOLLOW[name])
    assert found.verdict is Verdict.VACUOUS
    assert found.reason == power.NOTHING
    assert found.power is not None and found.power.caught == found.power.by_shape


def test_a_relu_that_is_always_off_shows_only_that_it_is_there() -> None:
    found = judged(HOLLOW["relu lets nothing through"]).power
    assert found is not None and found.caught == ("activation missing",)


def test_a_layer_that_fails_or_shows_faults_keeps_its_verdict() -> None:
    assert judged(HOLLOW["all inputs are zero"], Verdict.MISMATCH).verdict is Verdict.MISMATCH
    assert judged(conv(draw(1, 8, 8, 2), draw(3, 3, 2, 2))).verdict is Verdict.WITHIN
    assert judged(case("Dropout", draw(2, 3))).verdict is Verdict.WITHIN  # nothing applies
    assert judged(case("Dropout", draw(2, 3))).power is None
    x = draw(2, 3)
    assert judged(case("Concatenate", (x, x))).verdict is Verdict.WITHIN  # its order is no fault


def test_a_fault_outside_the_sample_saves_from_vacuity() -> None:
    """One position that is not sampled is negative: the whole tensor is asked before the layer is called vacuous."""
    x = np.ones((1, 64, 64, 3), np.float32)
    x[0, 1, 1, 0] = -1
    found = judged(case("ReLU", x))
    assert found.verdict is Verdict.WITHIN
    assert found.power is not None and found.power.sampled == ""


SAMPLED = {
    "conv same": conv(draw(2, 61, 64, 3), draw(3, 5, 3, 16), draw(16), padding="same", strides=(2, 3)),
    "conv valid": conv(draw(2, 64, 33, 3), draw(3, 3, 3, 16), draw(16), dilation_rate=2),
    "conv grouped": conv(draw(2, 64, 64, 4), draw(3, 3, 2, 16), draw(16), groups=2, padding="same"),
    "depthwise": case(
        "DepthwiseConv2D",
        draw(2, 64, 61, 8),
        {"kernel": draw(3, 3, 8, 2), "bias": draw(16)},
        kernel_size=3,
        strides=2,
        padding="same",
        depth_multiplier=2,
        dilation_rate=1,
    ),
    "separable": case(
        "SeparableConv2D",
        draw(2, 40, 40, 4),
        {"depthwise_kernel": draw(3, 3, 4, 1), "pointwise_kernel": draw(1, 1, 4, 12), "bias": draw(12)},
        filters=12,
        kernel_size=3,
        strides=1,
        dilation_rate=1,
        padding="same",
    ),
    "transposed": case(
        "Conv2DTranspose",
        draw(2, 9, 9, 4),
        {"kernel": draw(3, 3, 12, 4), "bias": draw(12)},
        filters=12,
        kernel_size=3,
        strides=2,
        dilation_rate=1,
        padding="same",
    ),
    "average": case("AveragePooling2D", draw(2, 65, 64, 8), pool_size=3, strides=2, padding="same"),
    "maximum": case("MaxPooling2D", draw(2, 65, 64, 8), pool_size=2),
    "dense": case("Dense", draw(64, 700), {"kernel": draw(700, 30), "bias": draw(30)}, units=30),
    "norm": case(
        "BatchNormalization",
        draw(2, 40, 40, 12),
        {n: np.abs(draw(12)) + 0.1 for n in ("gamma", "beta", "moving_mean", "moving_variance")},
    ),
}


def all_values(e: Any) -> set[Any]:
    pairs = zip(e.mid.ravel(), np.broadcast_to(e.probable, e.mid.shape).ravel(), strict=True)
    return {(float(f"{y:.10g}"), float(f"{r:.6g}")) for y, r in pairs}


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sample_is_part_of_the_layer(name: str) -> None:
    """Every value that is kept, with its bound, is one of the whole layer's."""
    whole, part = SAMPLED[name], sampling.sampled(SAMPLED[name])
    assert part.words
    (every,), (some,) = whole.enclose(CONTEXT), part.case.enclose(CONTEXT)
    kept = type("Kept", (), {"mid": part.keep(some.mid), "probable": part.keep(some.probable * np.ones_like(some.mid))})
    assert kept.mid.size >= 64  # type: ignore[attr-defined]
    assert kept.mid.size < every.mid.size  # type: ignore[attr-defined]
    assert all_values(kept) <= all_values(every)


@pytest.mark.parametrize("name", SAMPLED)
def test_a_fault_moves_a_sample_as_it_moves_the_layer(name: str) -> None:
    """Of every fault that keeps the shape, what is kept are values of the whole faulty layer."""
    whole, part = SAMPLED[name], sampling.sampled(SAMPLED[name])
    for row in applicable(whole):
        if row.name == "one weight off by 1%" and "channels" not in part.words:
            continue
        altered, some = (row.alter(c).enclose(CONTEXT)[0] for c in (whole, part.case))
        if some.mid.shape == part.case.enclose(CONTEXT)[0].mid.shape:
            values = {float(f"{y:.9g}") for y in altered.mid.ravel()}
            assert {float(f"{y:.9g}") for y in part.keep(some.mid).ravel()} <= values, row.name


def test_names_are_unique_in_a_layer_and_rows_are_listed() -> None:
    assert len(ROWS) == sum(len(family.ROWS) for family in FAMILIES)
    for one in (*SAMPLED.values(), *HOLLOW.values()):
        names = [row.name for row in applicable(one)]
        assert len(set(names)) == len(names)


def test_values_alone_are_enough_to_alter() -> None:
    """A counterfactual changes what is computed, never the case that it is given."""
    for one in SAMPLED.values():
        before = one.enclose(Context(CONTEXT.engine, need=Need.VALUES))[0].mid.copy()
        for row in applicable(one):
            row.alter(one)
        assert np.array_equal(before, one.enclose(Context(CONTEXT.engine, need=Need.VALUES))[0].mid)


@pytest.mark.parametrize("alive", [0, 5, 12])
def test_channels_that_relu_shuts_are_not_asked_first(alive: int) -> None:
    """Of 13 channels all but one are off: faults of weights show only in that one."""
    bias = np.full(13, -99.0)
    bias[alive] = 0
    found = judged(conv(draw(1, 8, 8, 3), draw(3, 3, 3, 13), bias, activation="relu")).power
    assert found is not None and found.sampled == f"{4 + (alive == 12)} of 13 channels"  # the last has no neighbour
    assert {"kernel flipped", "all weights off by 0.1%", "one weight off by 1%"} <= set(found.caught)
    assert ("neighbouring channels swapped" in found.caught) == (alive < 12)
    assert found.smallest_weight_error is not None and found.smallest_weight_error < 1e-2


def tampered(one: Case, factor: float) -> Counterfactual:
    """The first weight times `factor`."""
    name = next(iter(one.weights))

    def alter(c: Case) -> Case:
        w = c.weights[name].astype(np.float64)
        w.flat[0] *= factor
        return c.with_weights(**{name: w})

    return Counterfactual("first weight", (object,), alter)


def claimed(one: Case, row: Counterfactual) -> bool:
    return bool(power._measured(sampling.whole(one), [row], CONTEXT).caught)


def failed(one: Case, row: Counterfactual) -> bool:
    got = tuple(e.mid.astype(np.float32) for e in row.alter(one).enclose(CONTEXT))
    return judge(one.node, NodeWeights(one.weights, {}), {}, one.inputs, got, CONTEXT).verdict in FAILING


def ordered(n: int) -> Case:
    """Half of the terms positive, then half negative: partial sums outgrow stage 1, and stage 2 knows."""
    kernel = np.abs(draw(n, 1)) + 0.5
    kernel[n // 2 :] *= -1
    return case("Dense", np.abs(draw(1, n)) + 0.5, {"kernel": kernel}, units=1, use_bias=False)


def test_a_part_is_not_held_to_bits_that_the_layer_is_not_held_to() -> None:
    """Weights of one bit make a part exact; where others of the layer have more, it is not exact as a whole."""
    x = RNG.integers(-8, 9, (4, 64)).astype(np.float32)
    kernel = np.ones((64, 12)) * np.sign(draw(1, 12))
    kernel[:, 5:] *= np.where(np.arange(7) % 6 < 1, draw(64, 1), 1.0)  # channels 5 and 11, which are not sampled
    one = case("Dense", x, {"kernel": kernel}, units=12, use_bias=False)
    part = sampling.sampled(one)
    assert part.words and part.case.enclose(CONTEXT)[0].exact and not one.enclose(CONTEXT)[0].exact
    swapped = "neighbouring channels swapped"
    held, free = (power.measure(one, CONTEXT, certified=certified) for certified in (True, False))
    assert held is not None and free is not None
    assert swapped in held.caught and swapped not in free.caught


def test_softmax_over_a_long_sum_is_seen_to_be_missing() -> None:
    """Sums of 60 terms, of whose altered layer no worst case is asked."""
    weights = {"kernel": draw(60, 5), "bias": draw(5)}
    found = measured(case("Dense", draw(2, 60), weights, units=5, activation="softmax"))
    assert {"activation missing", "a variant of the activation"} <= set(found.caught)


def test_resizing_to_the_same_size_interpolates_nothing() -> None:
    assert power.measure(case("Resizing", draw(1, 4, 6, 2), height=4, width=6), CONTEXT) is None
    both = ("the other interpolation", "antialiased, or not")
    assert measured(case("Resizing", draw(1, 4, 6, 2), height=6, width=4)).caught == both
    assert measured(case("Resizing", draw(1, 4, 6, 2), height=6, width=8)).caught == both[:1]


def test_what_stage_2_would_explain_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five times stage 1's bound on ordered terms: `check` lets it pass, and so it is not called caught."""
    one = ordered(20_000)
    (e,) = one.enclose(CONTEXT)
    term = float(one.weights["kernel"][0, 0] * one.inputs[0][0, 0])
    row = tampered(one, 1 + 5 * float(np.max(e.probable)) / term)
    assert not failed(one, row)
    assert not claimed(one, row)
    monkeypatch.setattr(power, "_explained", lambda *_: 1e-30)
    assert claimed(one, row)  # by stage 1 alone it would be claimed, and wrongly


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_claim_below_the_factor_would_be_wrong(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than the bound: `check` passes. The claim needs twice the bound; with a smaller factor it would be false."""
    one = case("Dense", draw(3, 40), {"kernel": draw(40, 1)}, units=1, use_bias=False)
    (e,) = one.enclose(CONTEXT)
    terms = np.abs(one.weights["kernel"][0, 0] * one.inputs[0][:, 0])
    row = tampered(one, 1 + share * float(np.min(e.probable[:, 0] / terms)))
    assert not failed(one, row) and not claimed(one, row)
    monkeypatch.setattr(power, "FACTOR", 0.01)
    assert claimed(one, row)


def test_twice_the_bound_is_claimed_and_fails() -> None:
    one = case("Dense", draw(3, 40), {"kernel": draw(40, 1)}, units=1, use_bias=False)
    (e,) = one.enclose(CONTEXT)
    term = float(np.max(np.abs(one.weights["kernel"][0, 0] * one.inputs[0][:, 0])))
    row = tampered(one, 1 + 5 * float(np.max(e.probable)) / term)
    assert claimed(one, row) and failed(one, row)


def test_an_altered_layer_with_a_wider_bound_is_measured_by_that() -> None:
    """The relu of a sum far below zero leaves no radius; a fault that lifts it to just above may be cut off again."""
    kernel = np.ones((2, 1))
    one = case("Dense", [[1.0, -1.0]], {"kernel": kernel, "bias": [-1e-3]}, units=1, activation="relu")

    def lifted(c: Case) -> Case:
        return c.with_weights(bias=np.full(1, 2.0**-30))

    row = Counterfactual("bias off", (object,), lifted)
    (e,) = row.alter(one).enclose(CONTEXT)
    assert float(np.max(e.mid)) > 0 == float(np.max(one.enclose(CONTEXT)[0].mid))
    assert claimed(one, row) == bool(np.max(e.mid) > power.FACTOR * np.max(e.probable))


def sums_in_half(one: Case) -> tuple[Judgement, LayerResult]:
    """One layer call, declared to sum in float32 or in float16, that gave the correctly rounded result."""
    declared = Declared("mixed_float16", (*mixed(FLOAT16), half_sums(FLOAT16)))
    got = tuple(e.mid.astype(np.float16) for e in one.enclose(replace(CONTEXT, arithmetic=declared.candidates[0])))
    found = judge(one.node, NodeWeights(one.weights, {}), {}, one.inputs, got, CONTEXT, declared)
    result = LayerResult(1, "layer", "layer", one.node.type, found.verdict, found.outputs)
    weights = NodeWeights(one.weights, {})
    return found, power.with_power(result, one.node, weights, one.inputs, got, {}, CONTEXT, found.candidates)


def test_power_is_that_of_the_widest_arithmetic_that_would_have_passed() -> None:
    """All weights off by 0.1% are outside the bound of float32 sums, and inside that of float16 ones."""
    fault, one = (
        "all weights off by 0.1%",
        case("Dense", draw(4, 300), {"kernel": draw(300, 8)}, units=8, use_bias=False),
    )
    found, result = sums_in_half(one)
    assert found.verdict in (Verdict.WITHIN, Verdict.EXACT)
    assert set(found.candidates) == {*mixed(FLOAT16), half_sums(FLOAT16)}
    assert result.power is not None and fault in missed(result.power)
    narrow = replace(CONTEXT, arithmetic=mixed(FLOAT16)[0])
    claimed_before = power.measure(one, narrow)
    assert claimed_before is not None and fault in claimed_before.caught
    altered = next(row for row in ROWS if row.name == fault).alter(one)
    got = tuple(e.mid.astype(np.float16) for e in altered.enclose(narrow))
    declared = Declared("mixed_float16", found.candidates)
    assert judge(one.node, NodeWeights(one.weights, {}), {}, one.inputs, got, CONTEXT, declared).verdict not in FAILING


def test_the_widest_of_several_is_found_and_one_alone_is_not_compared() -> None:
    part = sampling.whole(case("Dense", draw(2, 60), {"kernel": draw(60, 5)}, units=5, use_bias=False))
    narrow, wide = mixed(FLOAT16)[0], half_sums(FLOAT16)
    for candidates in ((narrow, wide), (wide, narrow)):
        assert power.widest(part, candidates, CONTEXT) == wide
    assert power.widest(part, (SINGLE,), CONTEXT) == SINGLE
    assert power.widest(part, (SINGLE, wide), CONTEXT) == SINGLE  # which rounds operands in another way


def test_the_arithmetic_that_a_layer_was_judged_by_comes_first() -> None:
    """Operands rounded to TF32, the sum exact to float32: the second candidate agrees, and the first does not."""
    one = case("Dense", draw(3, 40), {"kernel": draw(40, 6)}, units=6, use_bias=False)
    for by in (SINGLE, TF32S[0]):
        got = tuple(e.mid.astype(np.float32) for e in one.enclose(replace(CONTEXT, arithmetic=by)))
        declared = Declared("tf32", (SINGLE, *TF32S))
        found = judge(one.node, NodeWeights(one.weights, {}), {}, one.inputs, got, CONTEXT, declared)
        assert found.candidates[0] == by and len(found.candidates) == 4


def test_an_error_of_a_weight_below_its_own_rounding_is_not_claimed() -> None:
    """TF32 operands: two weights closer than 2⁻¹¹ are one."""
    one = case("Dense", draw(2, 20), {"kernel": draw(20, 5)}, units=5, use_bias=False)
    for arithmetic, least in ((SINGLE, FLOAT32.u), (TF32S[0], TF32.u)):
        found = power.measure(one, replace(CONTEXT, arithmetic=arithmetic))
        assert found is not None and found.smallest_scale_error is not None
        assert least <= found.smallest_scale_error < max(2 * least, 1e-5)
