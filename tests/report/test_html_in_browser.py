"""The page in a real browser: nothing is fetched, nothing complained of; sorting and filtering work; all is legible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chromium import MISSING, Page, browser, executable
from support.pages import SCRIPT, hostile, model

from refconv.report.html_report import render

pytestmark = pytest.mark.skipif(executable() is None, reason=MISSING)
COUNT, MANY, WRONG = 60, 400, (20, 41)

# Every text that is shown, with the contrast of its colour to what is behind it (WCAG 2.1, 1.4.3).
CONTRAST = """
(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const worst = { ratio: 99, text: "" };
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || ["SCRIPT", "STYLE", "title"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const colour = parse(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(colour), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) Object.assign(worst, { ratio, text: element.textContent.slice(0, 40) });
  }
  return worst;
})()
"""
SHOWN = "[...document.querySelectorAll('#layers tbody')].filter((b) => b.checkVisibility()).map((b) => b.id)"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def written(path: Path, count: int) -> str:
    path.write_text(render(model(count, WRONG), "refconv check model.h5"), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def some(folder: Path) -> str:
    return written(folder / "some.html", COUNT)


@pytest.fixture(scope="module")
def many(folder: Path) -> str:
    return written(folder / "many.html", MANY)


def fetched(page: Page) -> list[str]:
    """What was asked for, but for what the page itself holds."""
    return [url for url in page.requests if not url.startswith("data:")]


def column(page: Page, key: str) -> list[Any]:
    cells = f"[...document.querySelectorAll('#layers tbody .c-{key}')]"
    return list(
        page.value(f"{cells}.filter((c) => c.checkVisibility()).map((c) => c.dataset.v ?? c.textContent.trim())")
    )


def click(page: Page, selector: str) -> None:
    page.value(f"document.querySelector({selector!r}).click()")


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("dark", [False, True])
def test_loads_alone_and_without_complaint(page: Page, many: str, javascript: bool, dark: bool) -> None:
    page.open(many, javascript=javascript, dark=dark)
    assert page.problems == []
    assert fetched(page) == [many]
    assert len(page.value(SHOWN)) == MANY


def test_complaints_and_requests_would_be_seen(page: Page, some: str, tmp_path: Path) -> None:
    text = render(model(3))
    path = tmp_path / "page.html"
    path.write_text(text.replace("</body>", "<script>console.error('no')</script></body>"), encoding="utf-8")
    page.open(path.as_uri())
    assert any("Content Security Policy" in problem for problem in page.problems)  # it is not run
    path.write_text(text.replace('"use strict";', "missing();"), encoding="utf-8")
    page.open(path.as_uri())
    assert page.problems
    open_door = text.replace("default-src", "img-src http: data:; x-src")
    path.write_text(open_door.replace("</body>", "<img src='http://127.0.0.1:9/x.png'></body>"), encoding="utf-8")
    page.open(path.as_uri())
    assert "http://127.0.0.1:9/x.png" in fetched(page)


def test_sorts_by_numbers_and_back(page: Page, some: str) -> None:
    page.open(some)
    before = page.value(SHOWN)
    click(page, "th[data-key=error] button")
    errors = [float(v) for v in column(page, "error")]
    assert errors == sorted(errors, reverse=True) and errors[0] > errors[-1]
    assert page.value("document.querySelector('th[data-key=error]').ariaSort") == "descending"
    click(page, "th[data-key=error] button")
    errors = [float(v) for v in column(page, "error")]
    assert errors == sorted(errors)
    click(page, "th[data-key=number] button")
    assert page.value(SHOWN) == before


def test_sorts_names_as_people_count(page: Page, some: str) -> None:
    page.open(some + "#sort=name&q=stage0")
    assert column(page, "name")[:3] == ["stage0/conv_0", "stage0/conv_1", "stage0/conv_2"]
    click(page, "th[data-key=name] button")
    assert column(page, "name")[0] == "stage0/conv_39"


def test_filters_by_name_type_and_verdict(page: Page, some: str) -> None:
    page.open(some)
    page.value(
        "const text = document.getElementById('text'); text.value = 'conv_2*'; text.dispatchEvent(new Event('input'))"
    )
    found = column(page, "name")
    assert found == [f"stage0/conv_{n}" for n in (2, *range(20, 30))]
    assert page.value("document.getElementById('count').textContent") == f"{len(found)} of {COUNT} shown"
    page.value("verdict.value = 'failing'; verdict.dispatchEvent(new Event('change'))")
    assert column(page, "name") == ["stage0/conv_20"]
    assert "verdict=failing" in page.value("location.hash")
    page.value("text.value = 'batchnorm('; text.dispatchEvent(new Event('input'))")  # no pattern, and no error
    assert column(page, "name") == [] and page.problems == []


def test_an_address_says_what_is_shown(page: Page, some: str) -> None:
    page.open(some + "#verdict=failing&sort=error&down=1")
    assert page.value(SHOWN) == ["l42", "l21"]
    page.open(some + "#l7")
    assert page.value("document.getElementById('l7').querySelector('.more').checkVisibility()")
    assert not page.value("document.getElementById('l8').querySelector('.more').checkVisibility()")


def test_keyboard(page: Page, some: str) -> None:
    page.open(some)
    page.value("document.querySelector('th[data-key=error] button').focus()")
    for kind in ("keyDown", "keyUp"):
        page.ask("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13)
    assert page.value("document.querySelector('th[data-key=error]').ariaSort") == "descending"
    # from the search box to the first row there are the controls and the heads, not a link for every point of a chart
    assert page.value("[...document.querySelectorAll('.chart a')].every((a) => a.tabIndex === -1)")


def test_what_fails_is_open_and_all_can_be_opened(page: Page, some: str) -> None:
    opened = "[...document.querySelectorAll('.more')].filter((r) => r.checkVisibility()).length"
    page.open(some)
    assert page.value(opened) == len(WRONG)
    click(page, "#open")
    assert page.value(opened) == COUNT
    click(page, "#open")
    assert page.value(opened) == 0


def test_without_javascript_everything_can_be_read(page: Page, some: str) -> None:
    page.open(some, javascript=False)
    assert not page.value("document.querySelector('.controls').checkVisibility()")
    assert page.value("[...document.querySelectorAll('.more summary')].every((s) => s.checkVisibility())")
    assert page.value("document.querySelectorAll('.more details[open]').length") == len(WRONG)


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out(page: Page, some: str, dark: bool) -> None:
    page.open(some, dark=dark)
    click(page, "#open")
    found = page.value(CONTRAST)
    assert found["ratio"] >= 4.5, found


def test_dark_is_dark(page: Page, some: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.open(some)
    light = page.value(ground)
    page.open(some, dark=True)
    assert (light, page.value(ground)) == ("rgb(255, 255, 255)", "rgb(20, 24, 30)")


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_nothing_is_cut_off(page: Page, many: str, width: int) -> None:
    page.open(many, width=width)
    click(page, "#open")
    assert page.value("document.documentElement.scrollWidth") <= width
    beyond = "[...document.querySelectorAll('body *')].filter((e) => !e.closest('.chart') && e.checkVisibility()"
    assert (
        page.value(f"{beyond} && e.getBoundingClientRect().right > {width} + 1).map((e) => e.outerHTML.slice(0, 90))")
        == []
    )


@pytest.mark.parametrize("javascript", [True, False])
def test_hostile_names_are_text(page: Page, tmp_path: Path, javascript: bool) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(render(hostile(), SCRIPT), encoding="utf-8")
    page.open(path.as_uri(), javascript=javascript)
    assert page.problems == [] and fetched(page) == [path.as_uri()]
    assert page.value("document.scripts.length") == 1
    assert page.value("document.querySelector('tbody .c-name').textContent").strip() == SCRIPT
    assert page.value("document.images.length") == 0
