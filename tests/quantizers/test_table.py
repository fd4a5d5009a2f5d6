"""Rows, files and QKeras's own classes correspond."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import refconv.quantizers
from refconv.quantizers.table import TABLE

FOLDER = Path(refconv.quantizers.__file__).parent
CLASSES = [name for name, row in TABLE.items() if (FOLDER / f"{name}.py").exists()]
EXPORTED = {
    "quantized_bits", "quantized_relu", "quantized_tanh", "quantized_sigmoid", "quantized_ulaw", "quantized_po2",
    "quantized_relu_po2", "quantized_hswish", "binary", "ternary", "stochastic_binary", "stochastic_ternary",
    "bernoulli",
}  # fmt: skip


def test_one_file_for_each_quantizer():
    assert set(CLASSES) == EXPORTED | {"quantized_linear"}
    assert set(TABLE) - set(CLASSES) == {f"{s}_{k}" for s in ("hard", "smooth", "binary") for k in ("sigmoid", "tanh")}


def test_every_released_row_is_in_qkeras_and_no_quantizer_is_missing(qkeras):
    assert set(qkeras.ask(exported=True)["quantizers"]) == EXPORTED
    assert {name for name in CLASSES if not TABLE[name].released} == {"quantized_linear"}


def read_from_files(quantizer):
    return [f for f in fields(quantizer) if "read" in f.metadata]


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_parameters_stand_in_qkeras_s_order_with_its_defaults(qkeras, name):
    theirs = qkeras.ask(describe=name)["parameters"]
    ours = {f.name: f.default for f in read_from_files(TABLE[name].quantizer)}
    assert list(ours) == list(theirs)
    assert ours == theirs


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_what_get_config_loses(qkeras, name):
    """TRAPS 1 and QKERAS's surprise 4, from the installed release."""
    kept = set(qkeras.ask(describe=name)["config"])
    matters = {f.name for f in read_from_files(TABLE[name].quantizer) if f.compare}
    assert matters - kept == set(TABLE[name].lost_on_save)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_quantizer_leaves_its_input_alone(name):
    x = np.linspace(-2, 2, 12).reshape(4, 3)
    x.flags.writeable = False
    quantizer = TABLE[name].quantizer()
    strided = quantizer.quantize(x[::2, ::-1]).values
    assert np.array_equal(strided, quantizer.quantize(np.ascontiguousarray(x[::2, ::-1])).values)
    assert quantizer.quantize(x).values.dtype == np.float32
