"""Verdicts, precedence and exit codes."""

import pytest

from refconv.result import CheckResult, LayerResult, ModelInfo, PlainResult, Policy, Verdict

MODEL = ModelInfo("m.h5", "hdf5", "3.0", "tensorflow", "")


def result(*verdicts, plain=None, **policy):
    layers = tuple(LayerResult(i, f"l{i}", f"l{i}", "Dense", v) for i, v in enumerate(verdicts))
    return CheckResult(MODEL, layers, plain, {}, {}, policy=Policy(**policy))


W, V, U, S, D, M, E = (
    Verdict.WITHIN,
    Verdict.VACUOUS,
    Verdict.UNVERIFIED,
    Verdict.SUSPECT,
    Verdict.DEGRADED,
    Verdict.MISMATCH,
    Verdict.EXACT,
)


@pytest.mark.parametrize(
    ("verdicts", "policy", "code"),
    [
        ((E, W), {}, 0),
        ((W, M), {}, 1),
        ((W, D), {}, 1),
        ((W, S), {}, 1),
        ((W, S), {"lenient": True}, 0),
        ((S, M), {"lenient": True}, 1),
        ((W, U), {}, 3),
        ((W, U), {"allow_unverified": True}, 0),
        ((U, U), {"allow_unverified": True}, 3),  # zero comparisons is never a pass
        ((), {}, 3),
        ((W, V), {}, 0),
        ((W, V), {"strict": True}, 3),
        ((U, M), {}, 1),
    ],
)
def test_exit_codes(verdicts, policy, code):
    assert result(*verdicts, **policy).exit_code == code


def test_a_wrong_plain_run_fails():
    assert result(W, plain=PlainResult(1.0, 2.0, ok=False)).exit_code == 1
    assert result(W, plain=PlainResult(1.0, 0.5, ok=True)).exit_code == 0


def test_severity_follows_the_declared_precedence():
    assert sorted((W, U, S, E, M, V, D), key=lambda v: -v.severity) == [M, D, S, U, V, W, E]


def test_counts():
    counts = result(E, W, W, U, V).counts
    names = ("layers", "verified", "exact", "within", "unverified", "vacuous", "mismatch")
    assert [counts[name] for name in names] == [5, 4, 1, 2, 1, 1, 0]
