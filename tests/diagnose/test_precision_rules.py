"""Rules of precision: each accepts what was computed so, and nothing else fires."""

import numpy as np
import pytest
from support.asked import CONTEXT, ask, case, codes, conv, drawn, output, why

from refconv.compare.counterfactuals.base import Case
from refconv.compare.declared import NAMED, TF32S, mixed, operands
from refconv.diagnose.engine import diagnose
from refconv.diagnose.rules import rc401_tf32, rc402_bfloat16, rc403_float16, rc404_flushed, rc405_float16_sums
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.formats import BFLOAT16, FLOAT16, Format
from refconv.ops.base import Context


def under(of: Case, arithmetic: Arithmetic) -> np.ndarray:
    """What an implementation of that arithmetic gives."""
    return of.enclose(Context(CONTEXT.engine, arithmetic))[0].mid.astype(np.float32)


@pytest.mark.parametrize("arithmetic", TF32S, ids=("even", "away", "cut"))
def test_tf32_is_found(arithmetic: Arithmetic) -> None:
    right = conv()
    found = why(right, under(right, arithmetic))
    assert "RC401" in codes(found) and set(codes(found)) <= {"RC401", "RC403"}  # of as many bits


@pytest.mark.parametrize(("fmt", "code"), [(BFLOAT16, "RC402"), (FLOAT16, "RC403")])
def test_operands_and_results_in_sixteen_bits_are_found(fmt: Format, code: str) -> None:
    right = conv()
    assert code in codes(why(right, under(right, operands(fmt))))
    found = diagnose(ask(right, under(right, mixed(fmt)[0])), CONTEXT)
    assert codes(found)[0] == code and found.found[0].last.label == "operands and results"


def test_weights_alone_in_float16_are_found() -> None:
    right = conv()
    exported = {name: w.astype(np.float16).astype(np.float32) for name, w in right.weights.items()}
    found = why(right, output(right.with_weights(**exported)))
    assert codes(found) == ["RC403"] and found.found[0].last.label == "weights alone"


def test_flushed_denormals_are_found() -> None:
    right = conv(drawn(2, 7, 7, 3) * 8)
    small = right.with_weights(kernel=(right.weights["kernel"] * np.float32(2e-5)))
    half = small.with_weights(
        kernel=np.where(np.abs(FLOAT16.round(k := small.weights["kernel"])) < 2.0**-14, 0, FLOAT16.round(k)).astype(
            np.float32
        ),
        bias=FLOAT16.round(small.weights["bias"]).astype(np.float32),
    ).with_input(FLOAT16.round(small.inputs[0]).astype(np.float32))
    assert "RC404" in codes(why(small, output(half)))
    moved = case("Flatten", {}, np.float32([[1e-40, 1.0], [2e-39, -3.0]]))
    assert why(moved, np.float32([[0, 1], [0, -3]])).before.good  # of float32, as frameworks do


RULES = tuple(module.RULE for module in (rc401_tf32, rc402_bfloat16, rc403_float16, rc404_flushed, rc405_float16_sums))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_no_rule_of_precision_explains_another_fault(rule: object) -> None:
    right = conv()
    wrong = right.with_weights(kernel=right.weights["kernel"] * np.float32(1 + 2.0**-12))
    assert not diagnose(ask(right, output(wrong)), CONTEXT, rules=(rule,)).found  # type: ignore[arg-type]


def test_what_is_declared_is_no_finding() -> None:
    right = conv()
    question = ask(right, under(right, TF32S[0]), candidates=NAMED["tf32"])
    assert diagnose(question, CONTEXT).before.good
    assert not list(rc401_tf32.RULE.propose(question))


def test_operands_that_the_format_holds_are_not_rounded() -> None:
    right = conv(np.rint(drawn(2, 7, 7, 3) * 4))
    whole = right.with_weights(kernel=np.rint(right.weights["kernel"] * 4))
    assert not list(rc401_tf32.RULE.propose(ask(whole, output(whole))))


def loop(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, *, channels_outside: bool) -> np.ndarray:
    """A VALID convolution in half precision, one number after the other."""
    half = np.float16
    out = np.zeros((len(x), x.shape[1] - 2, x.shape[2] - 2, kernel.shape[-1]), half)
    taps = [(i, j, c) for i in range(3) for j in range(3) for c in range(kernel.shape[2])]
    taps = sorted(taps, key=lambda t: t[2]) if channels_outside else taps
    for place in np.ndindex(out.shape):
        n, row, column, f = place
        total = half(0)
        for i, j, c in taps:
            total = half(total + half(half(x[n, row + i, column + j, c]) * half(kernel[i, j, c, f])))
        out[place] = half(total + half(bias[f]))
    return out.astype(np.float32)


@pytest.mark.parametrize("channels_outside", [False, True])
def test_sums_in_float16_are_found_with_the_order_of_their_loops(channels_outside: bool) -> None:
    right = conv(drawn(1, 5, 5, 3), padding="valid")
    wrong = loop(right.inputs[0], right.weights["kernel"], right.weights["bias"], channels_outside=channels_outside)
    found = why(right, wrong)
    assert codes(found)[0] == "RC405"
    assert found.found[0].last.label.startswith("channels" if channels_outside else "taps")


def test_a_product_summed_in_float16_is_found() -> None:
    x, kernel = drawn(3, 40), drawn(40, 4)
    right = case("Dense", {"units": 4, "use_bias": False, "activation": "relu"}, x, kernel=kernel)
    total = np.zeros((3, 4), np.float16)
    for i in range(40):
        total = total + (x[:, i, None].astype(np.float16) * kernel[i].astype(np.float16))
    assert codes(why(right, np.maximum(total, 0).astype(np.float32)))[0] == "RC405"


def test_layers_that_no_plain_loop_computes_are_not_simulated() -> None:
    for other in (conv(activation="sigmoid"), case("ReLU", {}, drawn(2, 3))):
        assert not list(rc405_float16_sums.RULE.propose(ask(other, output(other))))
