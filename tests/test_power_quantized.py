"""Quantized layers: faults of their quantizers, caught where they change an output and missed where they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compare.test_power import CONTEXT, case, draw, measured, missed
from support.laws import run_row
from support.one import floats

from refconv.compare import power
from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.table import applicable
from refconv.compare.layer import judge
from refconv.ops.table import TABLE
from refconv.reference.forward import NodeWeights
from refconv.result import FAILING, Verdict

pytest.importorskip("qkeras")

RAW, COARSE = "stored instead of quantized weights", "weights of one bit less"
TIES = "ties of weights rounded away from zero"


def dense(kernel: Any, quantizer: str, x: Any) -> Case:
    return case("QDense", x, {"kernel": kernel}, units=np.shape(kernel)[-1], use_bias=False, kernel_quantizer=quantizer)


def test_weights_on_the_grid_already_hide_that_they_are_not_quantized() -> None:
    """4 bits without integer bits: multiples of 1/8. Of 0.5 and 0.25 three bits are enough; not of 0.125."""
    coarse = measured(dense([[0.5], [0.25]], "quantized_bits(4,0,1,alpha=1.0)", [[0.7, 0.9]]))
    assert set(coarse.equivalent) == {RAW, COARSE, TIES}
    fine = measured(dense([[0.5], [0.125]], "quantized_bits(4,0,1,alpha=1.0)", [[0.7, 0.9]]))
    assert RAW in fine.equivalent and COARSE in fine.caught
    off = measured(dense([[0.51], [0.125]], "quantized_bits(4,0,1,alpha=1.0)", [[0.7, 0.9]]))
    assert {RAW, COARSE} <= set(off.caught)


def test_an_input_of_zeros_hides_the_quantizer() -> None:
    found = missed(measured(dense([[0.51], [0.125]], "quantized_bits(4,0,1,alpha=1.0)", [[0.0, 0.0]])))
    assert {RAW, COARSE} <= set(found)


def weighed(one: Case) -> NodeWeights:
    slots = TABLE[one.node.type].slots
    effective = {n: s.effective for n, s in slots(one.attrs, one.stored).items()} if slots else {}
    return NodeWeights(one.stored, effective)


def verdict(one: Case, got: np.ndarray) -> Verdict:
    return judge(one.node, weighed(one), {}, one.inputs, (got,), CONTEXT).verdict


def test_planted_faults_of_weights_fail() -> None:
    """The framework's float layer on the altered weights is the quantized layer with that fault."""
    one = dense(draw(40, 6), "quantized_bits(4,0,1,alpha=1.0)", draw(3, 40))
    found = measured(one)
    assert {RAW, COARSE} <= set(found.caught)
    assert verdict(one, computed(one)) not in FAILING
    for row in applicable(one):
        if row.name in found.caught:
            assert verdict(one, computed(row.alter(one))) in FAILING, row.name


def computed(one: Case) -> np.ndarray:
    import tensorflow as tf

    return np.asarray(tf.constant(one.inputs[0]) @ tf.constant(one.weights["kernel"]))


@pytest.mark.parametrize(
    "quantizer", ["quantized_relu({bits},{integer})", "quantized_bits({bits},{integer},1,alpha=1.0)"]
)
def test_planted_faults_of_an_activation_fail(quantizer: str) -> None:
    x = (6 * draw(2, 50)).astype(np.float32)
    texts = {shift: quantizer.format(bits=5, integer=2 + shift) for shift in (-1, 0, 1)}
    one = case("QActivation", x, activation=texts[0])
    found = measured(one)
    assert {"activation missing", "one integer bit less", "one integer bit more"} == set(found.caught)
    got = {
        shift: run_row("QActivation", {"activation": text}, (x,), 2, package="qkeras") for shift, text in texts.items()
    }
    verdicts = {shift: verdict(one, run.outputs[0]) for shift, run in got.items()}
    assert verdicts[0] not in FAILING
    assert verdicts[-1] in FAILING and verdicts[1] in FAILING
    assert verdict(one, floats(x)) in FAILING


def test_small_values_hide_the_range() -> None:
    """Values on the coarser grid and inside the smaller range come out alike, whatever the integer bits are."""
    x = np.asarray([[0.5, 1.0, 1.5]], np.float32)
    found = measured(case("QActivation", x, activation="quantized_relu(6,2)"))
    assert set(missed(found)) == {"activation missing", "one integer bit less", "one integer bit more"}
    assert power.hollow(found, replace(case("QActivation", x, activation="quantized_relu(6,2)"))) == power.NOTHING


def test_a_causal_convolution_is_told_from_a_centred_one() -> None:
    one = case(
        "QConv1D",
        draw(2, 20, 3),
        {"kernel": draw(3, 3, 4)},
        filters=4,
        kernel_size=3,
        strides=1,
        dilation_rate=1,
        padding="causal",
        use_bias=False,
        kernel_quantizer="quantized_bits(4,0,1,alpha=1.0)",
    )
    assert "SAME instead of causal" in measured(one).caught
