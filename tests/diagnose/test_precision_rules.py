"""Rules of precision: each accepts what was computed so, and nothing else fires."""

import numpy as np
import pytest
from support.asked import CONTEXT, ask, case, codes, conv, drawn, output, why

from refconv.compare.counterfactuals.base import Case
from refconv.compare.declared import NAMED, TF32S, mixed, operands
from refconv.diagnose.engine import diagnose
from refconv.diagnose.rules import rc401_tf32, rc402_bfloat16, rc403_float16, rc404_flushed
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


@pytest.mark.parametrize(
    "rule", [rc401_tf32.RULE, rc402_bfloat16.RULE, rc403_float16.RULE, rc404_flushed.RULE], ids=lambda rule: rule.code
)
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
