"""Pictures as files: what must be seen can be seen, names are no mark-up, and the same picture gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from xml.etree import ElementTree as xml

import numpy as np
import pytest
from PIL import Image

from refconv.inventory.pictures import Chart, Heat, Panel, Picture, Series, bars, histogram, kernels, maps, tiled
from refconv.report import pictures_page, plots

HOSTILE = "$\\frac{<script>\x1b[31m\n层"
RNG = np.random.default_rng(0)


def errors() -> Picture:
    shares = np.array([[[0.0, 0.4], [3.0, np.inf]]])
    panel = Panel("", shares, 1, 1, "mismatch; worst at [0,1,1,0]", (1, 1), ("axis 1", "axis 2"))
    return Picture("conv", "error", "conv, error", (panel,), shares=True)


def heat() -> Picture:
    counts, names = np.array([[0, 1], [5, 900]]), ("start", "0")
    line = Series("kernel", np.array([np.nan, 0.0]), np.arange(2))
    chart = Chart("update", (line,), "end of epoch", "ratio", logarithmic=True, names=names)
    return Picture("", "history", "history", charts=(chart, Heat("kernel", counts, np.array([0.0, 1, 2]), names, "t")))


PICTURES: dict[str, Callable[[], Picture]] = {
    "maps": lambda: tiled("", "maps", "maps", [maps("a", np.maximum(RNG.normal(size=(6, 6, 9)), 0))]),
    "kernels": lambda: tiled("", "kernels", "kernels", [kernels("a", RNG.normal(size=(3, 3, 2, 4)))] * 2),
    "a matrix": lambda: tiled("", "kernels", "kernels", [kernels("a", RNG.normal(size=(200, 3)))]),
    "all zero": lambda: tiled("", "maps", "zeros", [maps("a", np.zeros((4, 4, 2)))]),
    "not finite": lambda: tiled("", "maps", "lost", [maps("a", np.full((4, 4, 2), np.nan))]),
    "errors": errors,
    "bars": lambda: Picture("", "maps", "bars", charts=(bars("", [("a", RNG.normal(size=5)), ("b", np.ones(5))]),)),
    "histogram": lambda: Picture("", "histogram", "h", charts=(histogram("k", [("s", RNG.normal(size=50))]),) * 3),
    "levels": lambda: Picture("", "histogram", "h", charts=(histogram("k", [("s", np.ones(5))], np.arange(4.0)),)),
    "nothing": lambda: Picture("", "histogram", "h", charts=(histogram("k", [("s", np.zeros(0))]),)),
    "history": heat,
    "long names": lambda: tiled("", "maps", "title " * 90, [maps("W" * 400, RNG.normal(size=(2, 2, 2)))] * 2),
    "long labels": lambda: Picture(
        "",
        "histogram",
        "t" * 300,
        charts=(histogram("k" * 300, [("s" * 300, np.ones(5)), ("r" * 300, np.ones(5))]),) * 2,
    ),
    "hostile": lambda: tiled(HOSTILE, "maps", HOSTILE, [maps(HOSTILE, RNG.normal(size=(2, 2, 2)))]),
}


def colours(data: bytes) -> set[tuple[int, ...]]:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return {colour for _, colour in image.getcolors(image.width * image.height) or ()}


def rgb(text: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(text[1:]))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_drawn(name: str, dark: bool) -> None:
    pixels = np.array(Image.open(io.BytesIO(plots.render(PICTURES[name](), dark=dark))).convert("RGB"))
    assert pixels.shape[0] >= 200 and pixels.shape[1] >= 400
    ground = [20, 24, 30] if dark else [255, 255, 255]
    assert np.any(pixels != ground)
    # nothing is drawn at the very edge, where it would have been cut off
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert np.all(edge == ground)


@pytest.mark.parametrize("name", ["maps", "hostile", "history"])
def test_svg(name: str) -> None:
    root = xml.fromstring(plots.render(PICTURES[name](), "svg"))
    assert root.tag.endswith("svg")


def test_the_same_picture_gives_the_same_bytes() -> None:
    for kind in ("png", "svg"):
        assert plots.render(errors(), kind) == plots.render(errors(), kind)


@pytest.mark.parametrize(
    ("values", "zero", "lost"),
    [([[1.0, -1e-30]], False, False), ([[1.0, 0.0]], True, False), ([[1, np.nan]], False, True)],
)
def test_true_zero_and_what_is_not_finite_have_their_own_colours(values: list, zero: bool, lost: bool) -> None:
    found = colours(plots.render(tiled("", "maps", "t", [maps("", np.array(values))])))
    assert (rgb(plots.ZERO) in found, rgb(plots.LOST) in found) == (zero, lost)


def test_two_panels_have_one_scale() -> None:
    panels = [maps("weak", np.full((2, 2, 1), 0.5)), maps("strong", np.full((2, 2, 1), 1.0))]
    both, alone = tiled("", "maps", "t", panels), tiled("", "maps", "t", panels[:1])
    assert both.limits == (0, 1) and alone.limits == (0, 0.5)
    assert plots.render(both) != plots.render(tiled("", "maps", "t", [panels[1], panels[1]]))


def test_the_worst_element_is_framed() -> None:
    marked = errors()
    bare = Picture("conv", "error", "conv, error", (Panel("", marked.panels[0].tiles, 1, 1),), shares=True)
    black = [plots.render(picture) for picture in (marked, bare)]
    assert black[0] != black[1]


def test_a_page_holds_both_schemes_and_escapes() -> None:
    drawn = [pictures_page.draw(PICTURES[name](), "png") for name in ("maps", "hostile")]
    text = pictures_page.render(HOSTILE, drawn)
    assert text.count("data:image/png;base64,") == 4 and drawn[0].light != drawn[0].dark
    assert "<script" not in text and "\x1b" not in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
