"""Every layer that the laws of `ops` draw can be asked for its power, and answers sensibly."""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from importlib import import_module

import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from support.laws import CONTEXT, Case, draw_inputs, run_row

from refconv.compare import power
from refconv.compare.counterfactuals.base import Case as Call
from refconv.graph import Node, Origin
from refconv.ops.slots import quantizers

CASES = {
    name: strategy
    for module in pkgutil.iter_modules(support.__path__)
    if module.name.startswith("cases")
    for name, strategy in import_module(f"support.{module.name}").CASES.items()
}
KERNEL, VALUE = "quantized_bits(4,0,1,alpha=1.0)", "quantized_bits(6,2,1,alpha=1.0)"
WEIGHTS = ("kernel_quantizer", "depthwise_quantizer", "bias_quantizer")
ACTIVATIONS = (VALUE, "quantized_relu(4)", None)


def quantized(name: str, *slots: str) -> st.SearchStrategy[Case]:
    """The float layer's cases with quantizers in the named places, or none, and another activation, or none."""
    places = st.fixed_dictionaries({slot: st.sampled_from([KERNEL, VALUE, None]) for slot in slots})

    def with_them(drawn: Case, given: dict[str, str | None], activation: str | None) -> Case:
        plain = {key: value for key, value in drawn.config.items() if key != "activation"}
        held = {"activation": activation} if activation and "Normalization" not in name else {}
        made = {slot.replace("quantizer", "initializer"): "zeros" for slot in given if slot in WEIGHTS}
        config = {**plain, **{slot: q for slot, q in given.items() if q}, **made, **held}
        return replace(drawn, config=config, majors=(2,), package="qkeras")

    return st.builds(
        with_them, CASES[name].filter(lambda drawn: 2 in drawn.majors), places, st.sampled_from(ACTIVATIONS)
    )


CASES |= {
    "QDense": quantized("Dense", "kernel_quantizer", "bias_quantizer"),
    "QConv2D": quantized("Conv2D", "kernel_quantizer", "bias_quantizer"),
    "QDepthwiseConv2D": quantized("DepthwiseConv2D", "depthwise_quantizer", "bias_quantizer"),
    "QActivation": st.builds(
        lambda drawn, activation: replace(drawn, config={"activation": activation}, majors=(2,), package="qkeras"),
        CASES["Activation"],
        st.sampled_from(ACTIVATIONS[:2]),
    ),
    "QAveragePooling2D": quantized("AveragePooling2D", "average_quantizer"),
    "QGlobalAveragePooling2D": quantized("GlobalAveragePooling2D", "average_quantizer"),
    "QBatchNormalization": quantized("BatchNormalization", "mean_quantizer", "variance_quantizer"),
}
WHOLE = sorted(name for name in CASES if not any(part in name for part in ("LSTM", "GRU", "RNN", "Bidirectional")))


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=5)
@given(data=st.data())
def test_any_layer_can_be_asked(name: str, data: st.DataObject) -> None:
    drawn = data.draw(CASES[name])
    seed, keras = data.draw(st.integers(0, 2**16)), data.draw(st.sampled_from(drawn.majors))
    run = run_row(name, drawn.config, draw_inputs(drawn, seed), keras, seed, drawn.package)
    if any(q.random for q in quantizers(run.attrs).values()):
        return
    found = run.row.slots(run.attrs, run.weights) if run.row.slots else {}
    applied = {n: slot.effective.mid.astype("float32") for n, slot in found.items()} or run.weights
    case = Call(Node(1, "layer", name, run.attrs, (), Origin(name, "keras3")), applied, run.inputs, run.weights)
    answer = power.measure(case, CONTEXT)
    if answer is not None:
        # A transposed convolution with an output padding of its own may have no length left without its dilation, and a
        # window larger than the image no position without SAME's padding.
        unknown = {m.name for m in answer.missed if "cannot be computed" in m.reason}
        padded = {"dilation ignored"} if getattr(run.attrs, "output_padding", None) else set()
        assert unknown <= padded | {"VALID instead of SAME"}
        assert set(answer.by_shape) <= set(answer.caught)
        assert all(not m.ratio > power.FACTOR for m in answer.missed)
        assert all(e is None or e >= CONTEXT.arithmetic.u for e in (answer.smallest_weight_error,))
