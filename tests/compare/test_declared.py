"""What an environment declares: every set, and what is unknown."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from refconv.compare.declared import NAMED, SINGLE, TF32S, declare, half_sums, mixed, unrounded
from refconv.numerics.arithmetic import FFT
from refconv.numerics.formats import BFLOAT16, FLOAT16

CPU = {"devices": [{"type": "CPU"}], "onednn": {"enabled": True}, "cpu": {"instruction_sets": ["avx512f"]}}
GPU = {"devices": [{"type": "CPU"}, {"type": "GPU", "name": "A100", "compute_capability": "8.0"}], "tf32": True}


def node(kind="Conv2D", dtype="float32", **geometry):
    given = {"kernel_size": (3, 3), "strides": (1, 1), "dilation_rate": (1, 1), "groups": 1, **geometry}
    return SimpleNamespace(type=kind, dtype=dtype, attrs=SimpleNamespace(**given))


def candidates(kind, dtype, environment, mode="graph", override=""):
    return declare(node(kind, dtype), environment, mode, override).candidates


def test_float32_on_a_cpu():
    for environment in ({}, CPU):
        assert candidates("Conv2D", "float32", environment) == (SINGLE,)


def test_tf32_where_the_hardware_and_the_switch_allow_it():
    assert set(TF32S) < set(candidates("Conv2D", "float32", GPU))
    assert declare(node(), GPU, "graph").name == "tf32"
    old = {**GPU, "devices": [{"type": "GPU", "compute_capability": "7.5"}]}
    for environment in ({**GPU, "tf32": False}, old):
        assert not set(TF32S) & set(candidates("Conv2D", "float32", environment))
        assert declare(node(), environment, "graph").name == "float32"
    assert candidates("BatchNormalization", "float32", GPU) == (SINGLE,)  # multiplies no operands


def test_algorithms_are_declared_for_convolutions_on_a_gpu_alone():
    def algorithms(kind, environment):
        return {a.algorithm for a in candidates(kind, "float32", environment)}

    assert len(algorithms("Conv2D", GPU)) == 4
    for kind in ("QConv2D", "QConv2DBatchnorm"):
        assert algorithms(kind, GPU) == algorithms("Conv2D", GPU)
    assert algorithms("Dense", GPU) == algorithms("Conv2D", CPU) == {"direct"}


@pytest.mark.parametrize("geometry", [{"strides": (3, 3)}, {"dilation_rate": (2, 2)}, {"kernel_size": (1, 1)}])
def test_algorithms_are_declared_where_the_geometry_allows_them(geometry):
    older = {**GPU, "tf32": False}
    assert len(declare(node(), older, "graph").candidates) == 4
    assert declare(node(**geometry), older, "graph").candidates == (SINGLE,)
    assert declare(node(strides=(2, 2)), older, "graph").candidates == (SINGLE, replace(SINGLE, algorithm=FFT))


@pytest.mark.parametrize(
    "environment",
    [{"devices": [{"type": "GPU", "name": "x"}], "tf32": True}, {"devices": [{"type": "TPU"}]}, {**GPU, "tf32": None}],
)
def test_an_unknown_device_is_unknown(environment):
    found = declare(node(), environment, "graph")
    assert (found.name, found.candidates) == ("", ())
    assert "not known" in found.reason


@pytest.mark.parametrize("dtype", ["float64", "mixed_float8", "int8", "float8_e4m3fn"])
def test_a_policy_without_a_bound_is_unknown(dtype):
    assert dtype in declare(node(dtype=dtype), CPU, "graph").reason


def test_float64_is_known_where_nothing_is_rounded():
    assert declare(node("Flatten", "float64"), CPU, "graph").name == "float64"


def test_quantized_layers_have_no_bound_in_sixteen_bits():
    assert declare(node("QConv2D", "mixed_float16"), CPU, "graph").reason
    assert declare(node("QConv2D"), CPU, "graph").name == "float32"


def test_which_kernels_may_sum_in_sixteen_bits():
    def halves(kind, fmt, environment, mode="graph"):
        return half_sums(fmt) in candidates(kind, f"mixed_{fmt.name}", environment, mode)

    assert halves("DepthwiseConv2D", FLOAT16, CPU)
    assert not halves("DepthwiseConv2D", FLOAT16, CPU, "xla")
    assert not halves("Conv2D", FLOAT16, CPU)
    assert not halves("Dense", FLOAT16, CPU)
    assert not halves("DepthwiseConv2D", BFLOAT16, CPU)
    without = {**CPU, "onednn": {"enabled": False}}
    for environment in (without, {**CPU, "cpu": {"instruction_sets": ["avx2"]}}, {}):
        assert halves("DepthwiseConv2D", BFLOAT16, environment)
        assert halves("Dense", BFLOAT16, environment)
        assert not halves("Conv2D", BFLOAT16, environment)
    assert halves("Conv2D", FLOAT16, GPU)


def test_xla_may_keep_what_it_hands_on():
    assert unrounded(BFLOAT16) in candidates("Conv2D", "mixed_bfloat16", CPU, "xla")
    assert unrounded(BFLOAT16) not in candidates("Conv2D", "mixed_bfloat16", CPU, "eager")
    assert unrounded(BFLOAT16) == replace(mixed(BFLOAT16)[1], fused=True)


def test_plain_and_mixed_policies_compute_alike():
    assert candidates("Conv2D", "bfloat16", CPU) == candidates("Conv2D", "mixed_bfloat16", CPU) == mixed(BFLOAT16)


def test_an_override_is_taken_whatever_the_rest_says():
    for name, wanted in NAMED.items():
        assert candidates("Conv2D", "float64", {"devices": [{"type": "TPU"}]}, override=name) == wanted
