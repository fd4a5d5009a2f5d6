"""Values worked out by hand, and QKERAS's surprises."""

import numpy as np
import pytest

from refconv.quantizers.base import LEVEL, POWER
from refconv.quantizers.parameters import build
from refconv.quantizers.quantized_bits import QuantizedBits
from refconv.quantizers.quantized_hswish import QuantizedHswish
from refconv.quantizers.quantized_linear import QuantizedLinear
from refconv.quantizers.quantized_po2 import QuantizedPo2
from refconv.quantizers.quantized_relu import QuantizedRelu
from refconv.quantizers.quantized_relu_po2 import QuantizedReluPo2
from refconv.quantizers.quantized_sigmoid import QuantizedSigmoid
from refconv.quantizers.quantized_tanh import QuantizedTanh
from refconv.quantizers.quantized_ulaw import QuantizedUlaw
from refconv.quantizers.read import read
from refconv.quantizers.table import TABLE


def values(quantizer, x):
    return quantizer.quantize(np.array(x, np.float32)).values.tolist()


@pytest.mark.parametrize(
    ("quantizer", "low", "high"),
    [
        (QuantizedBits(4), -1.0, 0.875),
        (QuantizedBits(4, symmetric=True), -0.875, 0.875),
        (QuantizedBits(4, keep_negative=False), 0.0, 0.9375),
        (QuantizedBits(8, 2), -4.0, 3.96875),
        (QuantizedBits(4, alpha=0.5), -0.5, 0.4375),
        (QuantizedBits(1, 3), -1.0, 1.0),
        (QuantizedRelu(4), 0.0, 0.9375),
        (QuantizedRelu(8, 2), 0.0, 3.984375),
        (QuantizedRelu(4, negative_slope=0.25), -0.25, 0.875),
        (QuantizedRelu(2, negative_slope=0.25), -0.25, 0.5),
        (QuantizedTanh(4), -1.0, 0.875),
        (QuantizedTanh(4, symmetric=True), -0.875, 0.875),
        (QuantizedSigmoid(4), 0.0, 0.9375),
        (QuantizedSigmoid(4, symmetric=True), 0.0625, 0.9375),
        (QuantizedLinear(4), -0.875, 0.875),
        (QuantizedLinear(4, symmetric=False), -1.0, 0.875),
        (TABLE["binary"].quantizer(), -1.0, 1.0),
        (TABLE["binary"].quantizer(use_01=True), 0.0, 1.0),
        (TABLE["ternary"].quantizer(alpha=0.5), -0.5, 0.5),
        (TABLE["hard_tanh"].quantizer(), -1.0, 1.0),
        (TABLE["smooth_sigmoid"].quantizer(), 0.0, 1.0),
    ],
)
def test_where_it_clips(quantizer, low, high):
    """TRAPS 9: and `range` says so."""
    assert values(quantizer, [-1e3, 1e3]) == [low, high]
    assert quantizer.range == (low, high)


def test_ties_go_to_the_even_code():
    """TRAPS 4: 3 bits have the step ¼, so 0.125 is half of it and 0.375 three halves."""
    found = QuantizedBits(3).quantize(np.array([0.125, 0.375, -0.125, -0.375, 0.13], np.float32))
    assert found.codes.tolist() == [0, 2, 0, -2, 1]
    assert found.scale == 0.25


def test_codes_times_scale_are_the_values():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    for name, row in TABLE.items():
        found = row.quantizer().quantize(x)
        if found.codes is None or found.coding == LEVEL:
            continue
        power = np.where(found.values < 0, -1, 1) * 2.0**found.codes if found.coding == POWER else None
        expected = found.codes * found.scale if power is None else np.where(found.values == 0, 0, power)
        assert np.array_equal(found.values, expected), name
        low, high = row.quantizer().codes_range
        assert low <= found.codes.min() and found.codes.max() <= high, name


def test_the_straight_through_step_leaves_the_grid_for_huge_inputs():
    """Surprise 2: x + (−x + q) in float32."""
    with np.errstate(invalid="ignore"):
        assert values(QuantizedBits(8), [1e6 + 0.25, 2e7]) == [1.0, 0.0]
        assert np.isnan(values(QuantizedBits(8), [np.inf])).all()
    assert values(QuantizedBits(8), [100.0]) == [0.9921875]


def test_powers_of_two_have_no_zero():
    """Surprise 3: 4 bits are a sign, the exponent's sign and 2 bits, so the least is 2⁻⁴."""
    found = QuantizedPo2(4).quantize(np.array([0.0, -0.01, 0.3, 3.0, -100.0], np.float32))
    assert found.values.tolist() == [0.0625, -0.0625, 0.25, 4.0, -8.0]
    assert found.codes.tolist() == [-4, -4, -2, 2, 3]
    assert values(QuantizedReluPo2(3), [-5.0, 0.0, 0.7]) == [0.0625, 0.0625, 0.5]
    assert values(QuantizedReluPo2(3, negative_slope=0.5), [-4.0]) == [-2.0]
    assert values(QuantizedPo2(8), [1e-9]) == [0.0]  # 2⁻⁶⁴ is swallowed by x + (−x + q)


def test_a_tiny_negative_number_counts_as_zero():
    """TensorFlow flushes subnormals before it takes the sign (TRAPS 33)."""
    assert values(TABLE["binary"].quantizer(), [-1e-45, -1e-38, -1e-37]) == [1.0, 1.0, -1.0]


def test_an_unclipped_relu_forgets_that_when_it_is_saved(qkeras):
    """TRAPS 1: get_config leaves out is_quantized_clip; f(3) is 0.5 before saving, 3 after."""
    config = {"bits": 8, "integer": 2, "relu_upper_bound": 0.5, "is_quantized_clip": False}
    saved = {k: v for k, v in config.items() if k not in TABLE["quantized_relu"].lost_on_save}
    assert values(build(QuantizedRelu, (), config, ""), [3.0]) == [0.5]
    assert values(build(QuantizedRelu, (), saved, ""), [3.0]) == [3.0]
    assert qkeras.quantize([3.0], name="quantized_relu", config=config).tolist() == [0.5]
    assert qkeras.quantize([3.0], name="quantized_relu", config=saved).tolist() == [3.0]


def test_the_area_of_a_7_by_7_pool_vanishes_in_4_bits():
    """TRAPS 8."""
    assert values(QuantizedBits(4), [1 / 49]) == [0.0]
    assert values(QuantizedBits(8), [1 / 49]) == [0.0234375]


def test_hard_sigmoid_of_one():
    """TRAPS 5: 0.7 in Keras 2, 0.667 in Keras 3."""
    assert values(TABLE["hard_sigmoid"].quantizer(), [1.0, 0.0, -0.5]) == [1.0, 0.5, 0.25]
    assert values(TABLE["smooth_tanh"].quantizer(), [1.0]) == [0.375]
    assert values(TABLE["binary_tanh"].quantizer(), [0.0, 1e-3]) == [-1.0, 1.0]


def test_the_sigmoid_of_the_process_changes_results():
    """Surprise 5."""
    assert values(QuantizedTanh(4), [0.6875]) == [0.75]  # 5.5/8, a tie
    assert values(QuantizedTanh(4, sigmoid="smooth"), [0.6875]) == [0.25]


def test_hswish_by_hand():
    """h(1) = 4/6, h(−1.5) = −3/8, h(−4) = 0 and h(4) = 4, in steps of ¼."""
    assert values(QuantizedHswish(5, 2), [1.0, -1.5, -4.0, 4.0]) == [0.75, -0.5, 0.0, 3.75]


def test_ulaw_by_hand():
    """x = 0.5 is ¾ in hard sigmoid, r = ½, log(128.5)/log(256) = 0.8757."""
    found = QuantizedUlaw(8).quantize(np.array([0.5, 0.0], np.float32))
    assert found.values[0] == pytest.approx(np.log(128.5) / np.log(256), abs=1e-7) and found.values[1] == 0
    assert found.codes.tolist() == [96, 64]


class TestQuantizedLinear:
    """The released QKeras has none: by hand, and equal to quantized_bits where both mean the same."""

    def test_a_fixed_scale_is_that_of_quantized_bits(self):
        x = np.linspace(-10, 10, 4001, dtype=np.float32)
        for bits in (2, 4, 8):
            for integer in (0, 2):
                for keep in (True, False):
                    linear = QuantizedLinear(bits, integer, symmetric=False, keep_negative=keep)
                    fixed = QuantizedBits(bits, integer, keep_negative=keep)
                    assert np.array_equal(linear.quantize(x).values, fixed.quantize(x).values)

    def test_auto_takes_the_scale_from_the_largest_and_rounds_half_to_even(self):
        x = np.array([[7.0], [0.5], [1.5], [-2.5]], np.float32)
        found = QuantizedLinear(4, alpha="auto").quantize(x)
        assert found.scale.item() == 1.0
        assert found.codes.ravel().tolist() == [7, 0, 2, -2]

    def test_not_negative(self):
        found = QuantizedLinear(3, keep_negative=False, alpha="auto").quantize(np.array([[-9.0], [7.0], [3.2]]))
        assert found.values.ravel().tolist() == [0.0, 7.0, 3.0]

    def test_one_bit_is_the_sign(self):
        found = QuantizedLinear(1).quantize(np.array([-3.0, -0.1, 0.0, 0.1, 3.0], np.float32))
        assert found.values.tolist() == [-0.5, -0.5, 0.5, 0.5, 0.5]
        assert found.codes.tolist() == [-1, -1, 1, 1, 1] and found.scale == 0.5

    def test_auto_po2_fits_a_power_of_two(self):
        """Codes 3, −1, 1 with the scale ½: Σxq/Σq² = 5.5/11."""
        found = QuantizedLinear(3, alpha="auto_po2").quantize(np.array([[1.5], [-0.5], [0.5]], np.float32))
        assert found.scale.item() == 0.5
        assert found.codes.ravel().tolist() == [3, -1, 1]

    def test_its_own_scale_is_admitted(self):
        x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
        for alpha in ("auto", "auto_po2"):
            quantizer = QuantizedLinear(4, alpha=alpha)
            found = quantizer.quantize(x)
            assert quantizer.scales(x).admits(found.scale).all()
            assert np.array_equal(quantizer.quantize(x, scale=found.scale).values, found.values)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("quantized_bits(4,0,alpha='auto_po2')",
         "4 bits, 0 integer bits, signed and symmetric, scale per channel a power of two"),
        ("quantized_bits(1,1,keep_negative=False)", "1 bit, 1 integer bit, not negative"),
        ("quantized_relu(6,1,negative_slope=0.25)", "relu in 6 bits, 1 integer bit, slope 0.25 below 0"),
        ("quantized_relu_po2(3)", "relu to powers of two from 2^-4 to 2^3 in 3 bits, no zero"),
        ("ternary", "−1, 0 or +1, 0 below 0.33"),
        ("stochastic_binary(alpha=2.0)", "−1 or +1, scale 2 (drawn only while training)"),
        ("quantized_tanh(8,use_real_tanh=True)", "tanh in 8 bits"),
    ],
)  # fmt: skip
def test_in_plain_words(spec, said):
    assert read(spec).describe() == said


def test_every_quantizer_describes_itself_in_one_line():
    for row in TABLE.values():
        said = row.quantizer().describe()
        assert said and "\n" not in said
