"""The tensor as a whole: what rounding alone does passes, a scale or an offset that no element shows is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.live import capture_live

from refconv import formats
from refconv.compare import slope
from refconv.compare.declared import SINGLE, TF32S, half_sums, mixed, unrounded
from refconv.compare.direction import CONSTANTS, Direction
from refconv.compare.slope import LEAST, MEAN, SLOPE, Trend, applies, judge, measure
from refconv.compare.tensor import compare
from refconv.numerics.arithmetic import FFT
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import FLOAT16
from refconv.ops.base import Context
from refconv.pipeline import Options, verify
from refconv.primitives.numpy_engine import ENGINE
from refconv.report.details import details
from refconv.result import CheckResult, LayerResult, Verdict

U = 2.0**-24
SEEDED = Context(ENGINE, seeded=True)


def drawn(n: int = 4000, seed: int = 0) -> tuple[Enclosure, np.ndarray]:
    """Sums of 50 terms: exact values with a σ, and float32 values off by random errors of 0.4σ."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    sigma = U * np.sqrt(51 * (y**2 / 3 + 1 / 6))
    return Enclosure(y, sigma, 100 * sigma), (y + 0.4 * sigma * rng.normal(size=n)).astype(np.float32)


def verdict(enclosure: Enclosure, got: np.ndarray) -> tuple[Verdict, str]:
    (compared,), reason = judge((compare(enclosure, got),), (enclosure,), (got,))
    return compared.verdict, reason


def test_slope_and_spread_by_hand():
    # e = 1u, −1u, 2u (float32 holds 2 + 2u exactly, as 1 + 1u would not be); y = 2, 4, −4; σ = 1, 2, 4 u
    y = np.array([2.0, 4.0, -4.0])
    e = np.array([4.0, -4.0, 8.0]) * U
    sigma = np.array([1.0, 2.0, 4.0]) * U
    trend = measure(Enclosure(y, sigma, 1.0), (y + e).astype(np.float32))
    # Σ e·y/σ² = (8/1 − 16/4 − 32/16)/u, Σ y²/σ² = (4/1 + 16/4 + 16/16)/u²
    assert trend.slope == pytest.approx(2 / 9)
    assert trend.spread == pytest.approx(1 / 3)
    assert trend.mean == pytest.approx((4 - 2 + 2) / 3)
    assert trend.count == 3


def test_random_errors_pass():
    for seed in range(20):
        assert verdict(*drawn(seed=seed)) == (Verdict.WITHIN, "")


@pytest.mark.parametrize("scale", [2.4e-7, -2.4e-7, 1e-6, 2e-6])
def test_a_scale_that_no_element_shows_is_suspect_and_said(scale: float):
    enclosure, got = drawn()
    wrong = (got * (1 + scale)).astype(np.float32)
    assert compare(enclosure, wrong).verdict is Verdict.WITHIN
    found, reason = verdict(enclosure, wrong)
    assert found is Verdict.SUSPECT
    assert "scaled by" in reason


def test_an_offset_that_no_element_shows_is_suspect_and_said():
    enclosure, got = drawn()
    for share, expected in ((0.05, Verdict.WITHIN), (0.3, Verdict.SUSPECT)):
        found, reason = verdict(enclosure, (got + share * enclosure.sigma).astype(np.float32))
        assert found is expected
        assert ("to one side" in reason) is (expected is Verdict.SUSPECT)


def test_what_failed_by_an_element_keeps_its_verdict():
    enclosure, got = drawn()
    got[0] += 1
    (compared,), reason = judge((compare(enclosure, got),), (enclosure,), (got,))
    assert (compared.verdict, compared.slope, reason) == (Verdict.MISMATCH, None, "")


def test_equal_outputs_repeat_one_error_and_count_once():
    """A flat image: 4000 outputs, of 10 values."""
    enclosure, got = drawn(10)
    wide = Enclosure(np.tile(enclosure.mid, 400), np.tile(enclosure.sigma, 400), 1.0)
    assert measure(wide, np.tile(got, 400)).count == 10
    alone, many = measure(enclosure, got), measure(wide, np.tile(got, 400))
    assert (many.slope, many.limit) == (alone.slope, alone.limit)


def test_fewer_outputs_than_four_are_not_judged():
    y = np.array([1.25, 1.5, 1.75, 1.125])
    enclosure, wrong = Enclosure(y, U * y, 100 * U * y), (y * (1 + 4e-7)).astype(np.float32)
    assert len(y) == LEAST
    assert verdict(enclosure, wrong)[0] is Verdict.SUSPECT
    fewer = Enclosure(*(v[1:] for v in (enclosure.mid, enclosure.sigma, enclosure.worst)))
    assert verdict(fewer, wrong[1:])[0] is Verdict.WITHIN


def test_outputs_that_scatter_widen_the_limit():
    """Four sums over one sample's inputs, in an order in which the largest terms come first: each errs by 1.3σ."""
    assert Trend(4.0, 1.0, 0.0, 8, scatter=0.3).reason
    assert Trend(4.0, 1.0, 0.0, 8, scatter=1.3).reason == ""
    assert Trend(6.0, 1.0, 0.0, 8, scatter=1.3).reason


def test_what_an_activation_may_err_is_added_to_the_limit():
    assert Trend(4.0, 0.1, 0.0, 400).reason
    assert Trend(4.0, 0.1, 0.0, 400, hidden=3.0).reason == ""


def test_what_says_nothing_is_left_out():
    enclosure, got = drawn(200)
    shifted = np.full(200, 1e-3)
    for fields in ({"sigma": np.zeros(200)}, {"floor": enclosure.sigma}, {"mid": np.full(200, np.nan)}):
        assert measure(replace(enclosure, **fields), got) is None
    closed = replace(enclosure, mid=np.zeros(200))  # after relu
    assert measure(closed, shifted.astype(np.float32)) is None


def test_few_outputs_of_long_sums_may_show_a_slope_by_chance():
    """67 sums of 5408 terms: spread 6.5u, and a healthy slope of 1.68u was seen."""
    assert Trend(1.68, 6.5, 0.0, 67).reason == ""
    assert Trend(1.68, 0.5, 0.0, 67).reason
    assert Trend(17.0, 6.5, 0.0, 67).reason
    assert Trend(0.0, 0.5, MEAN + 0.3, 400).reason
    assert not Trend(SLOPE, 0.5, MEAN + 0.1, 400).reason
    assert Trend(np.nan, 0.5, 0.0, 400).reason


def test_a_large_tensor_is_sampled_from_every_channel():
    for size in (3 << 20, slope.ENOUGH * 6 + 2, 100):
        some = slope._sample(size)
        assert len(some) <= slope.ENOUGH * 2
        assert {int(i) % 64 for i in some} == set(range(64)) or size % 64


def built(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(16, 3, strides=2, padding="same", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise"),
            layers.Conv2D(24, 3, activation="tanh", name="curved"),
            layers.AveragePooling2D(2, padding="same", name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(60, name="dense"),
        ]
    )
    rng = np.random.default_rng(5)
    for weight in model.weights:
        spread = (0.5, 2.0) if weight.name in ("gamma", "moving_variance") else (-0.5, 0.5)
        weight.assign(rng.uniform(*spread, weight.shape))
    return model


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("slope") / "model.keras"
    built(pytest.importorskip("keras")).save(path)
    return path


def gpu(*, tf32: bool) -> dict[str, Any]:
    return {"devices": [{"type": "GPU", "name": "x", "compute_capability": "8.0"}], "tf32": tf32}


def check(
    path: Any,
    layer: str = "",
    scale: float = 0.0,
    *,
    seeded: bool = True,
    seed: int = 9,
    environment: dict[str, Any] | None = None,
) -> CheckResult:
    keras = pytest.importorskip("keras")
    graph, model = formats.load(path), keras.models.load_model(path, compile=False)
    if layer:
        weights = model.get_layer(layer).get_weights()
        model.get_layer(layer).set_weights([(w * (1 + scale)).astype(np.float32) for w in weights])
    x = np.random.default_rng(seed).normal(size=(2, 12, 12, 3)).astype(np.float32)
    trace = capture_live(model, [x], keras=3)
    trace.environment.update(environment or {})
    return verify(graph, trace, [x], Options(), seeded=seeded)


def suspects(result: CheckResult) -> list[str]:
    return [found.name for found in result.layers if found.verdict is Verdict.SUSPECT]


def test_a_healthy_model_has_slopes_and_no_suspect(original: Any):
    result = check(original)
    assert suspects(result) == []
    judged = {found.name for found in result.layers if found.outputs[0].slope is not None}
    assert judged == {"conv", "depthwise", "curved", "dense"}


@pytest.mark.parametrize(
    ("layer", "scale"), [("conv", 2.4e-7), ("conv", 1e-6), ("depthwise", 2.4e-7), ("depthwise", -3e-7), ("dense", 1e-6)]
)
def test_all_weights_scaled_is_found_where_the_input_is_random(original: Any, layer: str, scale: float):
    result = check(original, layer, scale)
    assert suspects(result) == [layer]
    assert result.exit_code == 1
    (found,) = (r for r in result.layers if r.name == layer)
    assert "scaled by" in found.reason
    said = list(details(found, verbose=False))
    assert said[0] == found.reason and said[1].startswith(("RC901", "RC904"))
    assert not any("expected" in line for line in said)  # no element is shown as if it were wrong
    assert suspects(check(original, layer, scale, seeded=False)) == []


@pytest.mark.parametrize("tf32", [False, True])
def test_on_a_gpu_a_scale_is_found_too(original: Any, tf32: bool):
    """The convolution's strides leave FFT as the one algorithm beside the direct one, whose limit is wider.

    Sums that were cut off would have a trend of their own, but of operands rounded to TF32, which these were not.
    """
    environment = gpu(tf32=tf32)
    assert suspects(check(original, environment=environment)) == []
    for layer, scale in (("conv", 3e-6), ("depthwise", 2.4e-7), ("dense", 1e-6)):
        assert suspects(check(original, layer, scale, environment=environment)) == [layer]


def test_under_which_arithmetic_a_trend_can_be_told(original: Any):
    conv = next(node for node in formats.load(original).nodes if node.name == "conv")
    told = {
        True: (SINGLE, *TF32S, replace(SINGLE, algorithm=FFT)),
        False: (half_sums(FLOAT16), *mixed(FLOAT16), unrounded(FLOAT16), replace(SINGLE, truncates=True)),
    }
    for expected, arithmetics in told.items():
        for arithmetic in arithmetics:
            assert applies(conv, replace(SEEDED, arithmetic=arithmetic)) is expected


def test_constants_of_a_transform_may_scale_all_outputs():
    enclosure, got = drawn()
    wrong = (got * (1 + 1.6e-7)).astype(np.float32)  # 2.7u
    assert measure(enclosure, wrong).reason
    fft = Direction(enclosure.mid, constants=CONSTANTS)
    assert not measure(enclosure, wrong, fft).reason
    assert measure(enclosure, (got * (1 + 3e-7)).astype(np.float32), fft).reason


def test_where_a_trend_is_a_fault(original: Any):
    nodes = {node.name: node for node in formats.load(original).nodes}
    expected = {"conv": True, "depthwise": True, "dense": True, "norm": False, "pool": False, "curved": True}
    assert {name: applies(nodes[name], SEEDED) for name in expected} == expected
    assert not applies(nodes["conv"], Context(ENGINE))


def test_a_suspect_by_its_slope_is_not_shown_as_an_element():
    enclosure, got = drawn()
    (compared,), reason = judge((compare(enclosure, (got * (1 + 1e-6)).astype(np.float32)),), (enclosure,), (got,))
    layer = LayerResult(1, "conv", "conv", "Conv2D", compared.verdict, (compared,), reason=reason)
    assert "expected" not in "".join(details(layer, verbose=False))
