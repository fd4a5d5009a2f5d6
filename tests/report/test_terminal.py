"""The terminal report: what a person reads, at any width, without colour, and with hostile names."""

import io

import pytest
from rich.console import Console
from support.results import RESULTS

from refconv.report.terminal import NORMAL, QUIET, VERBOSE, render


def text(name: str, width: int = 80, verbosity: int = NORMAL, **options: bool) -> str:
    stream = io.StringIO()
    render(RESULTS[name], Console(file=stream, width=width, **options), verbosity)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("pass", "PASS  2 layers"),
        ("fail", "FAIL  1 layer"),
        ("incomplete", "INCOMPLETE  2 layers"),
        ("selection", "PASS OF SELECTION  1 layer"),
        ("nothing", "INCOMPLETE"),
        ("plain wrong", "FAIL"),
        ("vacuous", "INCOMPLETE"),
    ],
)
def test_the_verdict_stands_at_the_end(name: str, ending: str) -> None:
    assert ending in text(name)
    assert text(name, verbosity=QUIET).startswith(ending)
    assert len(text(name, verbosity=QUIET, width=200).splitlines()) == 1


def test_a_failing_layer_shows_its_worst_element() -> None:
    found = text("fail")
    assert "at [0,2,1] expected 1.5 got 1.75 allowed ±2.0e-06" in found
    assert "3 of 16 elements are outside the bound" in found
    assert "expected" not in text("pass")


def test_a_wrong_effective_weight_is_named() -> None:
    assert "effective kernel: at [0,2,1]" in text("weights")


def test_a_wrong_step_is_named() -> None:
    assert "after a step, c: at [0,2,1]" in text("a step")


def test_power_has_a_column_only_where_it_was_measured() -> None:
    lines = text("power", width=120).splitlines()
    assert any(line.split()[-2:] == ["power", "verdict"] for line in lines)
    assert any(line.split()[-2:] == ["2/3", "within"] for line in lines)
    assert "would not have shown: bias doubled (50% of the bound)" in text("power", width=120)
    assert "one weight off by 1.5e-05, all weights off by inf" in text("power", width=120, verbosity=VERBOSE)
    assert "tried on 1 of 2 samples" in text("power", verbosity=VERBOSE)
    assert "power" not in text("pass")


def test_reasons_and_drift() -> None:
    assert "no reference for Own" in text("incomplete")
    assert "50.0 dB" in text("degraded", verbosity=VERBOSE)
    assert "50.0 dB" not in text("degraded")


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("verbosity", [NORMAL, VERBOSE])
def test_fits_the_width_without_control_characters(name: str, width: int, verbosity: int) -> None:
    found = text(name, width, verbosity)
    assert all(len(line) <= width for line in found.splitlines())
    assert not any(c < " " and c != "\n" for c in found)


def test_colour_is_only_for_terminals_that_have_it() -> None:
    assert "\x1b[" in text("fail", force_terminal=True, color_system="standard")  # type: ignore[arg-type]
    assert "\x1b[" not in text("fail")


def test_the_declared_arithmetic_is_named_where_it_is_not_float32() -> None:
    assert "declared arithmetic: mixed_bfloat16 (1), float32 (1)" in text("mixed")
    assert "declared arithmetic" not in text("pass")
