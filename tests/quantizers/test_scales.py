"""Scales computed from the data: QKeras's lies in the interval, and given it every bit is equal."""

from dataclasses import dataclass

import numpy as np
import pytest
from support.grids import every, same, tensors

from refconv.quantizers.parameters import build
from refconv.quantizers.quantized_bits import QuantizedBits
from refconv.quantizers.table import TABLE


@dataclass
class Tally:
    values: int = 0
    differing: int = 0  # from what refconv computes by itself
    given: int = 0  # from what it computes with QKeras's scale
    outside: int = 0  # scales outside their interval
    refused: int = 0  # values that the enclosure does not admit


def in_our_units(quantizer, scale):
    """QKeras's `scale` as the value of one code: quantized_bits multiplies its by 2^integer/m."""
    inner = getattr(quantizer, "_inner", quantizer)
    return scale * inner._m_i / inner._m if isinstance(inner, QuantizedBits) else scale


def tally(qkeras, name, configs, count, kernel=False):
    found = Tally()
    for config in configs:
        quantizer = build(TABLE[name].quantizer, (), config, name)
        quantizer = quantizer.as_kernel() if kernel else quantizer
        for x in tensors(len(str(config)), count):
            got = qkeras.quantize(x, name=name, config=config, kernel=kernel)
            add(found, quantizer, x, got, in_our_units(quantizer, qkeras.scale))
    return found


def add(found, quantizer, x, got, scale):
    scales = quantizer.scales(x)
    found.values += got.size
    found.differing += np.sum(~same(quantizer.quantize(x).values, got))
    found.given += np.sum(~same(quantizer.quantize(x, scale=scale).values, got))
    found.outside += np.sum(~scales.admits(scale) & ~np.isnan(scale))
    found.refused += np.sum(~quantizer.enclose(x).admits(got))


def assert_equal_to_the_bit(found):
    assert found.values > 1000
    assert (found.differing, found.given, found.outside, found.refused) == (0, 0, 0, 0)


AUTOS = ["auto", "auto_po2"]


@pytest.mark.parametrize(
    ("name", "configs"),
    [
        ("quantized_bits", every(bits=[1, 2, 4, 8], integer=[0, 2], alpha=AUTOS, keep_negative=[True, False])),
        ("quantized_bits", every(bits=[4], alpha=AUTOS, scale_axis=[0, 1])),
        ("quantized_bits", every(bits=[4], alpha=AUTOS, qnoise_factor=[0.3], use_ste=[True, False])),
        ("quantized_hswish", every(bits=[4, 8], integer=[0, 2], alpha=AUTOS)),
        ("binary", every(alpha=["auto_po2"], use_01=[False, True])),
        ("ternary", every(alpha=["auto_po2"], number_of_unrolls=[1, 5])),
        ("stochastic_binary", every(alpha=["auto_po2"])),
        ("stochastic_ternary", every(alpha=["auto_po2"])),
    ],
)
def test_maxima_and_powers_of_two_are_equal_to_the_bit(qkeras, name, configs):
    assert_equal_to_the_bit(tally(qkeras, name, configs, 10))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quantized_bits", "quantized_hswish"])
def test_many_tensors(qkeras, name):
    found = tally(qkeras, name, every(bits=range(1, 13), integer=[0, 1, 2], alpha=AUTOS), 25)
    print(name, found)
    assert_equal_to_the_bit(found)


@pytest.mark.parametrize("name", ["binary", "ternary", "stochastic_binary", "stochastic_ternary"])
def test_means_are_equal_to_the_bit_once_the_scale_is_given(qkeras, name):
    found = tally(qkeras, name, every(alpha=["auto"]), 60)
    assert found.differing > 0  # the order of a float32 mean is not known
    assert (found.given, found.outside, found.refused) == (0, 0, 0)


@pytest.mark.parametrize("name", ["quantized_bits", "binary", "ternary", "stochastic_binary", "stochastic_ternary"])
def test_a_kernel_quantizer_without_alpha_gets_a_power_of_two(qkeras, name):
    assert_equal_to_the_bit(tally(qkeras, name, [{}], 20, kernel=True))


def test_a_kernel_keeps_an_alpha_that_is_given():
    given = QuantizedBits(4, alpha=1.0)
    assert given.as_kernel() is given
    assert QuantizedBits(4).as_kernel() == QuantizedBits(4, alpha="auto_po2", symmetric=True)


def test_the_interval_of_a_mean_is_narrow_and_refuses_its_neighbourhood():
    x = np.random.default_rng(1).normal(size=(3, 3, 16, 8)).astype(np.float32)
    scales = TABLE["binary"].quantizer(alpha="auto").scales(x)
    middle = np.abs(x.astype(np.float64)).mean(axis=(0, 1, 2), keepdims=True) / (1 + 1e-7)
    assert np.all(scales.high / scales.low - 1 < 2e-5)
    assert scales.admits(middle).all()
    assert not scales.admits(middle * 1.0001).any()


def test_near_a_tie_of_log2_both_powers_are_allowed():
    """mean|x| = √2: log2 is ½ to within a rounding error; 1.4 is far enough."""
    tie = np.full((4, 1), np.sqrt(2), np.float32)
    quantizer = TABLE["binary"].quantizer(alpha="auto_po2")
    scales = quantizer.scales(tie)
    assert (scales.low.item(), scales.high.item()) == (1.0, 2.0)
    enclosed = quantizer.enclose(tie)
    assert enclosed.admits(np.ones_like(tie)).all() and enclosed.admits(np.full_like(tie, 2)).all()
    clear = quantizer.scales(np.full((4, 1), 1.4, np.float32))
    assert (clear.low.item(), clear.high.item()) == (1.0, 1.0)


def test_the_scale_of_a_batch_depends_on_the_batch():
    """TRAPS 2: the same row in two batches."""
    quantizer = TABLE["quantized_bits"].quantizer(4, alpha="auto")
    row = np.array([[0.3, -0.8]], np.float32)
    larger = np.concatenate([row, 2 * row])
    assert not np.array_equal(quantizer.quantize(row).values[0], quantizer.quantize(larger).values[0])


def test_ties_half_away_from_zero_with_a_computed_scale_and_half_to_even_with_a_given_one():
    """TRAPS 4. max|x| = 7 makes the scale 1, so 0.5, 1.5 and 2.5 are ties."""
    x = np.array([[7.0], [0.5], [1.5], [2.5], [-0.5], [-2.5]], np.float32)
    computed = TABLE["quantized_bits"].quantizer(4, alpha="auto").quantize(x)
    given = TABLE["quantized_bits"].quantizer(4, integer=3).quantize(x)
    assert computed.codes.ravel().tolist() == [7, 1, 2, 3, -1, -3]
    assert given.codes.ravel().tolist() == [7, 0, 2, 2, 0, -2]


def test_a_channel_of_zeros():
    for name in ("quantized_bits", "binary", "ternary", "quantized_linear"):
        quantizer = TABLE[name].quantizer(alpha="auto_po2")
        assert np.isfinite(quantizer.quantize(np.zeros((3, 2))).values).all()


@pytest.mark.parametrize("name", ["quantized_bits", "binary", "ternary", "quantized_linear", "quantized_relu"])
def test_a_scale_for_a_quantizer_that_computes_none_is_refused(name):
    with pytest.raises(ValueError, match="computes no scale"):
        TABLE[name].quantizer().quantize(np.zeros(3), scale=1.0)
