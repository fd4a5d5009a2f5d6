"""Enclosures: every input inside gives a value inside, and no more is allowed than that."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.grids import every, steps

from refconv.quantizers.parameters import build
from refconv.quantizers.quantized_bits import QuantizedBits
from refconv.quantizers.quantized_hswish import QuantizedHswish
from refconv.quantizers.quantized_po2 import QuantizedPo2
from refconv.quantizers.quantized_tanh import QuantizedTanh
from refconv.quantizers.table import TABLE

ALPHAS = [None, 0.3, "auto", "auto_po2"]
CONFIGS = [
    *[("quantized_bits", c) for c in every(bits=[1, 4], integer=[0, 1], alpha=ALPHAS)],
    *[("quantized_bits", c) for c in every(bits=[4], qnoise_factor=[0.3], use_ste=[True, False])],
    *[("quantized_relu", c) for c in every(bits=[4], negative_slope=[0.0, 0.25], use_sigmoid=[0, 1])],
    *[("quantized_linear", c) for c in every(bits=[1, 4], keep_negative=[True, False], alpha=ALPHAS)],
    *[("quantized_hswish", c) for c in every(bits=[4, 8], integer=[2], alpha=ALPHAS)],
    *[("quantized_tanh", c) for c in every(bits=[4], use_real_tanh=[False, True])],
    *[("quantized_sigmoid", c) for c in every(bits=[4], use_real_sigmoid=[False, True])],
    *[("quantized_po2", c) for c in every(bits=[4, 8], log2_rounding=["rnd", "floor"], quadratic_approximation=[0, 1])],
    *[
        ("quantized_relu_po2", c)
        for c in every(bits=[3, 7], negative_slope=[0.0, 0.5], max_value=[None, 2.0], quadratic_approximation=[0, 1])
    ],
    ("quantized_ulaw", {"bits": 4}),
    *[(name, {"alpha": alpha}) for name in ("binary", "ternary", "bernoulli") for alpha in ALPHAS],
    *[(name, {"alpha": alpha}) for name in ("stochastic_binary", "stochastic_ternary") for alpha in ALPHAS],
    *[(f"{shape}_{kind}", {}) for shape in ("hard", "smooth", "binary") for kind in ("sigmoid", "tanh")],
]
floats = st.floats(-40, 40, width=32)
tensors = hnp.arrays(np.float32, (6, 2), elements=floats)
shares = hnp.arrays(np.float64, (6, 2), elements=st.floats(-1, 1))


@given(case=st.sampled_from(CONFIGS), mid=tensors, share=shares, size=st.sampled_from([0.0, 1e-7, 1e-3, 0.3, 5.0]))
def test_every_input_inside_gives_a_value_inside(case, mid, share, size):
    name, config = case
    quantizer = build(TABLE[name].quantizer, (), config, name)
    radius = size * np.abs(mid.astype(np.float64) + 0.1)
    inside = (mid + share * radius).astype(np.float32)
    near = np.abs(inside.astype(np.float64) - mid) <= radius
    inside = np.where(near, inside, mid)
    with np.errstate(all="ignore"):
        assert quantizer.enclose(mid, radius).admits(quantizer.quantize(inside).values).all()


@pytest.mark.parametrize(
    ("name", "config"),
    [(n, c) for n, c in CONFIGS if not {"use_real_tanh", "use_real_sigmoid"} & {k for k, v in c.items() if v}
     and "po2" not in n and n not in ("quantized_ulaw", "bernoulli") and not isinstance(c.get("alpha"), str)],
)  # fmt: skip
def test_a_known_input_has_one_value(name, config):
    x = steps(1 / 16, 300)
    quantizer = build(TABLE[name].quantizer, (), config, name)
    enclosed, values = quantizer.enclose(x), quantizer.quantize(x).values
    assert enclosed.admits(values).all()
    near = np.abs(x) < 1000  # beyond, the straight-through step may leave the grid, or be left out
    ulps = 6 * np.spacing(np.float32(1000)) if _is_rounded_product(config) else 0.0
    assert np.all(enclosed.high[near] - enclosed.low[near] <= ulps)
    assert np.all(np.abs(enclosed.low[near] - values[near]) <= ulps)


def _is_rounded_product(config):
    """A scale that is no power of two, or noise: a fused multiply-add gives a neighbouring float."""
    return config.get("alpha") not in (None, 1.0, 0.5, -2.0) or "qnoise_factor" in config


def test_a_neighbouring_code_only_where_the_interval_reaches_the_boundary():
    """Step 1/8: 0.3 is 2.4 steps, and the boundary to 3 lies at 0.3125."""
    near, far = QuantizedBits(4).enclose(np.array([0.3]), 0.02), QuantizedBits(4).enclose(np.array([0.3]), 0.01)
    assert (near.low.item(), near.high.item()) == (0.25, 0.375)
    assert (far.low.item(), far.high.item()) == (0.25, 0.25)
    assert near.admits([0.375]).all()
    assert not near.admits([0.3]).any()  # between the codes
    assert not near.admits([0.5]).any()
    assert not far.admits([0.375]).any()


def test_codes_between_the_ends_are_admitted():
    enclosed = QuantizedBits(4).enclose(np.array([0.0]), 0.5)
    assert [bool(enclosed.admits(v)) for v in (-0.5, -0.125, 0.0, 0.25, 0.3, np.inf, np.nan)] == [
        True, True, True, True, False, False, False,
    ]  # fmt: skip


def test_powers_between_the_ends_are_admitted():
    enclosed = QuantizedPo2(4).enclose(np.array([0.0]), 1.0)
    assert [bool(enclosed.admits(v)) for v in (-1.0, 0.0625, 0.5, 0.3, 2.0)] == [True, True, True, False, False]


def test_nan_is_admitted_only_where_an_end_is_nan():
    with np.errstate(invalid="ignore"):
        assert QuantizedBits(4).enclose(np.array([np.inf])).admits([np.nan]).all()
        assert not QuantizedBits(4).enclose(np.array([np.nan])).admits([7.0]).any()
    assert not QuantizedBits(4).enclose(np.array([1.0])).admits([np.nan]).any()


def test_a_logarithm_near_a_boundary_allows_both_exponents():
    x = np.array([np.sqrt(2), 1.4], np.float32)
    enclosed = QuantizedPo2(4).enclose(x)
    assert enclosed.low.tolist() == [1.0, 1.0]
    assert enclosed.high.tolist() == [2.0, 1.0]


def test_a_real_tanh_near_a_boundary_allows_both_codes():
    """Step 1/8: atanh(1.5/8) lies on the boundary between 1 and 2."""
    x = np.array([np.arctanh(1.5 / 8), 0.2], np.float32)
    enclosed = QuantizedTanh(4, use_real_tanh=True).enclose(x)
    assert (enclosed.low[0], enclosed.high[0]) == (0.125, 0.25)
    assert enclosed.low[1] == enclosed.high[1] == 0.25


def test_hswish_is_enclosed_across_its_minimum():
    """The parabola's vertex −3/8 at −1.5 lies between the ends, whose values −5/24 round to −7/32."""
    enclosed = QuantizedHswish(8, 2).enclose(np.array([-1.5]), np.array([1.0]))
    assert enclosed.low.item() == -0.375
    assert enclosed.high.item() == -0.21875


def test_where_the_straight_through_step_is_inexact_inner_values_have_slack():
    enclosed = QuantizedBits(8).enclose(np.array([1e6]), 0.5)
    for x in np.arange(1e6 - 0.5, 1e6 + 0.5, 0.0625, dtype=np.float32):
        assert enclosed.admits(QuantizedBits(8).quantize(np.array([x])).values).all()
    assert enclosed.high.item() < 1.3
