"""Quantizers with a fixed scale equal QKeras bit for bit over whole grids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.grids import every, powers, same, steps

from refconv.quantizers.parameters import build
from refconv.quantizers.table import TABLE

BITS = "quantized_bits"
RELU = "quantized_relu"


def grid(config):
    """Twice the format's reach on both sides of 0."""
    bits, integer = config.get("bits", 8), config.get("integer", 0)
    return steps(2.0 ** (integer - bits), 2 ** (bits + 1))


def compare(qkeras, name, configs, inputs, **request):
    """(values compared, values that differ, values that the enclosure of a known input does not admit)."""
    compared = differing = refused = 0
    for config in configs:
        x = inputs(config)
        quantizer = build(TABLE[name].quantizer, (), config, name)
        if "sigmoid" in request:
            object.__setattr__(quantizer, "sigmoid", request["sigmoid"])
        got = qkeras.quantize(x, name=name, config=config, **request)
        compared += got.size
        differing += np.sum(~same(quantizer.quantize(x).values, got))
        refused += np.sum(~quantizer.enclose(x).admits(got))
    return compared, differing, refused


DEFAULT = {
    BITS: [
        every(bits=[1, 2, 4, 8], integer=[0, 2], symmetric=[0, 1], keep_negative=[True, False], alpha=[None, 0.3]),
        every(bits=[4], integer=[0, 2], alpha=[None, 0.7], qnoise_factor=[0.0, 0.3], use_ste=[True, False]),
    ],
    RELU: [
        every(bits=[1, 3, 6], integer=[0, 2], use_sigmoid=[0, 1], negative_slope=[0.0, 0.25],
              relu_upper_bound=[None, 0.5], is_quantized_clip=[True, False]),
        every(bits=[4], integer=[1], negative_slope=[0.0, 0.25], qnoise_factor=[0.3], use_ste=[True, False],
              relu_upper_bound=[None, 1.3], is_quantized_clip=[True, False]),
        every(bits=[8], integer=[0, 2], negative_slope=[0.0, 0.125]),
    ],
    "quantized_tanh": [every(bits=[1, 2, 4, 8], symmetric=[0, 1], use_real_tanh=[False, True])],
    "quantized_sigmoid": [every(bits=[1, 2, 4, 8], symmetric=[0, 1], use_real_sigmoid=[False, True])],
    "quantized_hswish": [
        every(bits=[1, 4, 8], integer=[0, 2], symmetric=[0, 1], alpha=[None, 0.5]),
        every(bits=[4], relu_shift=[2, 3], relu_upper_bound=[5, 6]),
    ],
    "binary": [every(use_01=[False, True], alpha=[None, 1.0, 0.3])],
    "ternary": [every(threshold=[None, 0.5, 0.0], alpha=[None, 1.0, 0.3])],
    "stochastic_binary": [every(alpha=[None, 0.3])],
    "stochastic_ternary": [every(alpha=[None, 0.3], threshold=[None, 0.5])],
    **{f"{shape}_{kind}": [[{}]] for shape in ("hard", "smooth", "binary") for kind in ("sigmoid", "tanh")},
}  # fmt: skip

COMPLETE = {
    BITS: [
        every(bits=range(1, 9), integer=range(4), symmetric=[0, 1], keep_negative=[True, False],
              alpha=[None, 1.0, 0.5, 0.3, -2.0]),
        every(bits=[1, 4, 8], integer=[0, 2], alpha=[None, 0.7], qnoise_factor=[0.0, 0.3, 1.0], use_ste=[True, False]),
    ],
    RELU: [
        every(bits=range(1, 9), integer=range(4), use_sigmoid=[0, 1], negative_slope=[0.0, 0.125, 0.25, 1.0],
              relu_upper_bound=[None, 0.5, 1.3], is_quantized_clip=[True, False]),
    ],
    "quantized_tanh": [every(bits=range(1, 9), symmetric=[0, 1], use_real_tanh=[False, True])],
    "quantized_sigmoid": [every(bits=range(1, 9), symmetric=[0, 1], use_real_sigmoid=[False, True])],
    "quantized_hswish": [
        every(bits=range(1, 9), integer=range(4), symmetric=[0, 1], alpha=[None, 0.5], relu_shift=[2, 3],
              relu_upper_bound=[5, 6]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", DEFAULT)
def test_a_covering_set_of_parameters(qkeras, name):
    compared, differing, refused = compare(qkeras, name, [c for group in DEFAULT[name] for c in group], grid)
    assert compared > 3000
    assert (differing, refused) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPLETE)
def test_every_parameter_up_to_8_bits(qkeras, name):
    compared, differing, refused = compare(qkeras, name, [c for group in COMPLETE[name] for c in group], grid)
    print(f"{name}: {compared} values, {differing} differ, {refused} refused")
    assert (differing, refused) == (0, 0)


@pytest.mark.parametrize("mode", ["hard", "smooth", "real"])
@pytest.mark.parametrize("name", ["quantized_tanh", "quantized_sigmoid", RELU])
def test_the_sigmoid_of_the_process(qkeras, name, mode):
    more = {"use_sigmoid": [1], "negative_slope": [0.0, 0.25]} if name == RELU else {}
    _, differing, refused = compare(qkeras, name, every(bits=[2, 4, 8], **more), grid, sigmoid=mode)
    assert (differing, refused) == (0, 0)


@pytest.mark.parametrize("name", [BITS, RELU, "quantized_tanh", "binary", "ternary", "quantized_hswish"])
def test_a_traced_function_gives_the_same_bits(qkeras, name):
    configs = [{}] if name in ("binary", "ternary") else every(bits=[4, 8])
    assert compare(qkeras, name, configs, grid, graph=True)[1:] == (0, 0)


def test_a_tensor_of_scales(qkeras):
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    config = {"bits": 4, "alpha": [0.5, 1.0, 0.3]}
    got = qkeras.quantize(x, name=BITS, config=config)
    assert np.array_equal(build(TABLE[BITS].quantizer, (), config, "").quantize(x).values, got)


def test_the_comparison_sees_one_wrong_parameter(qkeras):
    """The checker checked: 7 bits are not 8, and half to even is not half away from zero."""
    x = grid({"bits": 8})
    got = qkeras.quantize(x, name=BITS, config={"bits": 7})
    assert not same(build(TABLE[BITS].quantizer, (), {"bits": 8}, "").quantize(x).values, got).all()
    assert not build(TABLE[BITS].quantizer, (), {"bits": 8}, "").enclose(x).admits(got).all()


PO2 = every(bits=[2, 4, 8], max_value=[None, 0.5, 3.3], quadratic_approximation=[False, True],
            log2_rounding=["rnd", "floor"])  # fmt: skip


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("name", ["quantized_po2", "quantized_relu_po2"])
def test_powers_of_two_differ_only_where_log2_is_that_close_to_a_boundary(qkeras, name, graph):
    more = [{**c, "negative_slope": s} for c in PO2 for s in (0.0, 0.25)] if name == "quantized_relu_po2" else PO2
    compared, differing, refused = compare(qkeras, name, more, lambda config: powers(), graph=graph)
    assert refused == 0
    assert differing <= 1e-3 * compared


def test_ulaw_differs_by_few_ulp(qkeras):
    configs = every(bits=[1, 2, 4, 8], integer=[0, 2], symmetric=[0, 1], u=[255.0, 10.0])
    assert compare(qkeras, "quantized_ulaw", configs, grid)[2] == 0
    x = grid({"bits": 8})[: -len("NaN")]
    ours = build(TABLE["quantized_ulaw"].quantizer, (), {}, "").quantize(x).values
    assert np.max(np.abs(ours - qkeras.quantize(x, name="quantized_ulaw", config={}))) <= 1.2e-7


@pytest.mark.parametrize(
    ("name", "flag"), [("quantized_tanh", "use_real_tanh"), ("quantized_sigmoid", "use_real_sigmoid")]
)
def test_real_functions_in_16_bits_take_a_neighbour_only_near_a_boundary(qkeras, name, flag):
    x = np.linspace(-9, 9, 200_001).astype(np.float32)
    config = {"bits": 16, flag: True}
    quantizer = build(TABLE[name].quantizer, (), config, "")
    found, enclosed = qkeras.quantize(x, name=name, config=config), quantizer.enclose(x)
    steps_apart = np.abs(quantizer.quantize(x).values - found) / quantizer._step()
    assert steps_apart.max() <= 1
    assert enclosed.admits(found).all()
    assert np.mean(enclosed.low != enclosed.high) < 2 * 14 * 2.0**-24 / quantizer._step()  # both sides of 14u·|y|


WIDE = {"bits": st.integers(9, 20), "integer": st.integers(0, 6), "qnoise_factor": st.sampled_from([1.0, 0.0, 0.37])}
numbers = st.floats(width=32) | st.floats(-100, 100, width=32)
LARGE = st.one_of(
    st.tuples(st.just(BITS), st.fixed_dictionaries({
        **WIDE, "symmetric": st.integers(0, 1), "keep_negative": st.booleans(), "use_ste": st.booleans(),
        "alpha": st.none() | st.floats(1e-3, 1e3),
    })),
    st.tuples(st.just(RELU), st.fixed_dictionaries({
        **WIDE, "negative_slope": st.sampled_from([0.0, 2.0**-5, 0.5]), "use_sigmoid": st.integers(0, 1),
        "relu_upper_bound": st.none() | st.floats(0.1, 50), "is_quantized_clip": st.booleans(),
        "use_ste": st.booleans(),
    })),
    st.tuples(st.just("quantized_hswish"), st.fixed_dictionaries({**WIDE, "relu_shift": st.integers(1, 5)})),
    *(st.tuples(st.just(name), st.fixed_dictionaries({"bits": WIDE["bits"], "symmetric": st.booleans()}))
      for name in ("quantized_tanh", "quantized_sigmoid")),
)  # fmt: skip


@given(case=LARGE, x=hnp.arrays(np.float32, (40,), elements=numbers))
def test_beyond_8_bits(qkeras, case, x):
    name, config = case
    assert compare(qkeras, name, [config], lambda config: x)[1:] == (0, 0)
