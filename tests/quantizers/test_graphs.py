"""Traced functions reassociate, divide by multiplying, and fuse: what they give is still what may come out."""

import numpy as np
import pytest
from support.grids import every, steps, tensors

from refconv.quantizers.parameters import build
from refconv.quantizers.table import TABLE

FIXED = {
    "quantized_bits": every(bits=[1, 4, 8], integer=[0, 2], alpha=[1.0, 0.3], symmetric=[0, 1]),
    "quantized_relu": every(bits=[4], integer=[0, 2], negative_slope=[0.0, 0.25], relu_upper_bound=[None, 1.3]),
    "quantized_po2": every(bits=[3, 4], quadratic_approximation=[False, True]),
    "quantized_relu_po2": every(bits=[4], negative_slope=[0.0, 0.25]),
    "quantized_hswish": every(bits=[8], integer=[2], alpha=[None, 0.3]),
    "quantized_tanh": every(bits=[5], use_real_tanh=[False, True]),
    "quantized_ulaw": every(bits=[6]),
    **{name: every(alpha=[1.0, 0.3]) for name in ("binary", "ternary", "stochastic_binary", "stochastic_ternary")},
}
AUTO = {
    "quantized_bits": every(bits=[2, 4, 8], integer=[0, 2], alpha=["auto", "auto_po2"]),
    "quantized_hswish": every(bits=[4], integer=[2], alpha=["auto", "auto_po2"]),
    **{
        name: every(alpha=["auto", "auto_po2"])
        for name in ("binary", "ternary", "stochastic_binary", "stochastic_ternary")
    },
}
MODES = ["graph", "variable", "xla"]


def refused(qkeras, name, config, x, mode):
    got = qkeras.quantize(x, name=name, config=config, graph=mode)
    quantizer = build(TABLE[name].quantizer, (), config, name)
    return int(np.sum(~quantizer.enclose(x).admits(got))), got


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted(FIXED))
def test_a_fixed_scale(qkeras, name, mode):
    x = np.resize(steps(2.0**-4, 64), (100, 5))
    for config in FIXED[name]:
        assert refused(qkeras, name, config, x, mode)[0] == 0, config


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted(AUTO))
def test_a_computed_scale(qkeras, name, mode):
    for config in AUTO[name]:
        for x in tensors(4, 6):
            assert refused(qkeras, name, config, x, mode)[0] == 0, config


def test_a_graph_does_leave_out_the_straight_through_step(qkeras):
    """Else this file tests nothing: x + (−x + 0.3) is not 0.3 in float32, and the graph of a variable gives 0.3."""
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    eager, graph = (
        qkeras.quantize(x, name="binary", config={"alpha": 0.3}, graph=mode) for mode in (False, "variable")
    )
    assert np.any(eager != graph)
    assert np.all(np.abs(graph) == np.float32(0.3))


def test_only_the_two_ways_are_allowed_beyond_the_grid():
    """8 bits of 1e6 + 0.25: 127/128, or 1 through the step; no other code between or beside them."""
    enclosed = TABLE["quantized_bits"].quantizer(alpha=1.0).enclose(np.float32(1e6 + 0.25))
    assert enclosed.admits(1.0) and enclosed.admits(127 / 128)
    assert not enclosed.admits(126 / 128) and not enclosed.admits(1 - 2.0**-9)
    far = TABLE["quantized_bits"].quantizer(alpha=1.0).enclose(np.float32(2e7))
    assert far.admits(0.0) and far.admits(127 / 128) and not far.admits(64 / 128)


@pytest.mark.parametrize("name", sorted(AUTO))
def test_another_code_or_scale_is_refused(qkeras, name):
    config = {"alpha": "auto", **({"bits": 4} if name.startswith("quantized") else {})}
    quantizer = build(TABLE[name].quantizer, (), config, name)
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    right = quantizer.quantize(x).values
    enclosed = quantizer.enclose(x)
    assert enclosed.admits(right).all()
    assert not enclosed.admits(right * np.float32(1 + 1e-5))[right != 0].any()
    assert not enclosed.admits(right + np.float32(0.1)).any()
