"""Values that others computed: the onnx package's node tests and PyTorch's layers, inside the reference's bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from support.onnx_recurrent import ADAPTERS as RECURRENT
from support.onnx_skipped import SKIPPED
from support.onnx_values import ADAPTERS as VALUES
from support.onnx_values import TOGETHER
from support.onnx_vectors import Vector, vectors
from support.onnx_windows import ADAPTERS as WINDOWS
from support.onnx_windows import Unfit, as_enclosure

from refconv.compare.stage1 import Deviation, deviate
from refconv.numerics.enclosure import Enclosure

ADAPTERS = {**VALUES, **WINDOWS, **RECURRENT}
RUN = 344
Results = Mapping[str, dict[str, Enclosure] | str]
# Four inputs and a mean of nine, all written with four digits: (1 + 4/9)·5e-5 apart at most.
FOUR_DIGITS = {"averagepool_2d_ceil_last_window_starts_on_pad": 7.3e-5}
SUBNORMAL = ["operator_add_size1_broadcast"]  # numbers below 1e-308: no error of theirs is one in float32


def computed(vector: Vector) -> dict[str, Enclosure]:
    """The vector's outputs; of a maximum not where it stands.

    Raises:
        Unfit: no row can express it.
    """
    values: dict[str, Any] = dict(vector.values)
    if whole := TOGETHER.get(tuple(step.op for step in vector.steps)):
        (name,) = vector.expected
        return {name: whole(vector.steps[0].attributes, next(iter(values.values())))}
    for step in vector.steps:
        if step.op not in ADAPTERS:
            raise Unfit(f"no row of its own: {step.op}")
        given = [values[name] if name else None for name in step.inputs]
        made = ADAPTERS[step.op](step.attributes, *given)
        values |= zip(step.outputs, made if isinstance(made, tuple) else (made,), strict=False)
    return {name: as_enclosure(values[name]) for name in vector.expected if name in values}


@pytest.fixture(scope="module")
def results() -> Results:
    """By name: the reference's enclosures, or why there are none."""
    found: dict[str, dict[str, Enclosure] | str] = {}
    for name, vector in vectors().items():
        try:
            found[name] = computed(vector)
        except Unfit as why:
            found[name] = str(why)
    return found


def deviations(results: Results, change: float = 0.0) -> Iterator[tuple[str, Deviation]]:
    """Of every output that was computed; its largest element moved by a share of it (0 to that), an integer by one."""
    for vector, outputs in results.items():
        for name, result in outputs.items() if isinstance(outputs, dict) else ():
            wanted = vectors()[vector].expected[name]
            assert result.mid.shape == wanted.shape, (vector, name)
            yield vector, deviate(result, moved(wanted, change) if change else wanted)


def moved(values: np.ndarray, share: float) -> np.ndarray:
    changed = values.copy()
    place = np.unravel_index(np.argmax(np.abs(changed.astype(np.float64))), changed.shape)
    if changed.dtype.kind == "f":
        changed[place] = changed[place] * changed.dtype.type(1 + share) or share
    else:
        changed[place] -= 1
    return changed


def test_every_value_lies_inside_its_bound(results: Results) -> None:
    outside = {name: float(d.error.max()) for name, d in deviations(results) if d.outside.any()}
    assert set(outside) == set(FOUR_DIGITS)
    assert all(outside[name] <= allowed for name, allowed in FOUR_DIGITS.items())


def test_every_value_off_by_a_thousandth_lies_outside(results: Results) -> None:
    unseen = [name for name, d in deviations(results, 1e-3) if not d.outside.any()]
    assert unseen == SUBNORMAL


def test_what_is_not_run_is_listed_and_why(results: Results) -> None:
    skipped = {name: reason for name, reason in results.items() if isinstance(reason, str)}
    listed = {name: reason for reason, names in SKIPPED.items() for name in names.split()}
    assert {n: r for n, r in skipped.items() if listed.get(n) != r} == {}, "skipped, and not listed so"
    assert set(listed) - set(skipped) == set(), "listed as skipped, and run"
    assert (len(results) - len(skipped), len(skipped)) == (RUN, sum(len(names.split()) for names in SKIPPED.values()))
