"""Values that no layer gives and a made-up trace may hold: text and complex numbers are judged, and never compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import traces

import refconv
from refconv.report import json_report
from refconv.result import CheckResult, Verdict


def judged(tmp_path: Path, kind: str, dtype: str, number: int = 0) -> CheckResult:
    """The right trace, but for the dtype of the array of one frame: the `number`-th of its kind."""
    model = traces.model(tmp_path)
    sent = traces.frames()
    at = [i for i, (header, _) in enumerate(sent) if header["kind"] == kind][number]
    header, array = sent[at]
    assert array is not None
    sent[at] = (header, array.astype(dtype))
    trace = traces.write(tmp_path / "strange.trace.h5", model, sent)
    result = refconv.check(model, trace=str(trace))
    json_report.render(result)
    return result


@pytest.mark.parametrize("dtype", ["S9", "U9", "complex64", "complex128"])
def test_an_output_that_is_no_number_is_wrong(tmp_path: Path, dtype: str) -> None:
    result = judged(tmp_path, "tensor", dtype, 1)
    layer = result.layers[-1]
    assert (result.verdict, layer.verdict, layer.chained) == ("fail", Verdict.MISMATCH, None)
    assert layer.reason == f"the framework gave {np.dtype(dtype)}, and the reference numbers"


@pytest.mark.parametrize("dtype", ["S9", "complex64"])
def test_an_input_that_is_no_number_proves_nothing(tmp_path: Path, dtype: str) -> None:
    result = judged(tmp_path, "tensor", dtype, 0)
    assert result.layers[-1].verdict is Verdict.UNVERIFIED
    assert "only real numbers have bounds" in result.layers[-1].reason


@pytest.mark.parametrize("dtype", ["S9", "complex64"])
def test_a_prediction_that_is_no_number_is_wrong(tmp_path: Path, dtype: str) -> None:
    result = judged(tmp_path, "plain", dtype)
    assert result.plain is not None and not result.plain.ok
    assert f"predict gave {np.dtype(dtype).name}" in result.plain.reason
    assert result.verdict == "fail"
