"""One element by hand, as text: every term of a small field, parts that come to the whole of a large one."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support.asked import CONTEXT, case, drawn

from refconv.compare.counterfactuals.base import Case
from refconv.pipeline.by_hand import NOT_ASKED, Pixel
from refconv.reference.by_hand import by_hand
from refconv.report.pixel import render


def pixel(of: Case, *index: int, **more: object) -> Pixel:
    e = of.enclose(CONTEXT)[0]
    shown = by_hand(of.node, of.weights, of.stored, of.inputs, index, float(e.mid[index]))
    radius = float(np.broadcast_to(e.probable, e.mid.shape)[index])
    return Pixel("m.h5", shown, radius, "given", shape=e.mid.shape, **{"reason": NOT_ASKED, **more})  # type: ignore[arg-type]


def conv(size: int = 3, channels: int = 1, padding: str = "same") -> Case:
    config = {"filters": 2, "kernel_size": [size] * 2, "strides": [1, 1], "dilation_rate": [1, 1], "padding": padding}
    return case("Conv2D", config, drawn(1, 6, 6, channels), kernel=drawn(size, size, channels, 2), bias=drawn(2))


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r": (-?[\d.e+-]+)", text)]


def test_padding_is_marked_and_multiplied_as_zero() -> None:
    text = render(pixel(conv(), 0, 0, 0, 1))
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("padding")]
    assert len(rows) == 5 and all(row[1] == "0" and row[-1] == "0" for row in rows)
    assert "5 of 9 taps on padding" in text


@pytest.mark.parametrize(
    ("of", "index"),
    [
        (conv(3, 20), (0, 2, 3, 1)),
        (conv(6, 1), (0, 2, 3, 1)),
        (case("Dense", {"units": 3}, drawn(2, 500), kernel=drawn(500, 3), bias=drawn(3)), (1, 2)),
        (case("GlobalAveragePooling2D", {}, drawn(1, 7, 7, 2)), (0, 1)),
    ],
    ids=["channels", "rows", "dense", "mean"],
)
def test_parts_of_a_large_field_come_to_its_sum(of: Case, index: tuple[int, ...]) -> None:
    found = pixel(of, *index)
    text = render(found)
    assert sum(numbers(text)) == pytest.approx(found.by_hand.total, rel=1e-6, abs=1e-6)
    assert len(text.splitlines()) < 40
    everything = render(found, everything=True)
    assert len(everything.splitlines()) > found.by_hand.products.size


def test_parts_of_a_large_maximum_come_to_it() -> None:
    found = pixel(case("GlobalMaxPooling2D", {}, drawn(1, 7, 7, 2)), 0, 1)
    assert max(numbers(render(found))) == pytest.approx(found.by_hand.total, rel=1e-8)


@pytest.mark.parametrize(
    ("framework", "used", "said", "code"),
    [(None, None, NOT_ASKED, 0), (0.5, 0.2, "20% of the bound", 0), (0.7, 40.0, "DIFFERS: 40x of the bound", 1)],
)
def test_the_framework_stands_beside(framework: float | None, used: float | None, said: str, code: int) -> None:
    found = pixel(conv(), 0, 1, 1, 0, framework=framework, used=used)
    assert said in render(found) and found.exit_code == code


def test_where_the_framework_has_nothing_it_says_so() -> None:
    assert pixel(conv(), 0, 1, 1, 0, reason="it gave another shape").exit_code == 3
