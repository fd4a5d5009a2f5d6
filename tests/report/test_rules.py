"""The rules' docstrings are what `refconv rule` prints, and what the README's table is made of."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from refconv.diagnose.documented import documentation
from refconv.diagnose.rule import Rule
from refconv.diagnose.rules.table import RULES
from refconv.errors import BadInput
from refconv.report import rules as report

README = Path(__file__).resolve().parents[2] / "README.md"


def printed(code: str, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width)
    report.render(code, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("row", RULES, ids=lambda row: row.code)
def test_all_of_a_rule_is_printed(row: Rule) -> None:
    text = " ".join(printed(row.code.lower()).split())
    assert text.startswith(f"{row.code} {row.name}")
    for heading in ("What", "Why", "Example", "Fix"):
        assert f" {heading} " in text
    first = documentation(row).what.split()[:4]
    assert " ".join(first).replace("`", "") in text


def test_the_list_holds_every_rule_once_by_family() -> None:
    console = Console(file=StringIO(), width=80)
    report.listing(console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split()[0] for line in lines if line.startswith("  ")] == [row.code for row in RULES]
    assert {row.code[:3] for row in RULES} <= set(report.FAMILIES)


@pytest.mark.parametrize(("code", "said"), [("RC299", "RC203"), ("X", "--list")])
def test_an_unknown_code_is_refused_with_those_there_are(code: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        printed(code)


def test_the_readme_is_not_stale() -> None:
    """Else: python scripts/readme_rules.py."""
    text = README.read_text(encoding="utf-8")
    assert report.in_text(text) == text


def test_a_stale_table_is_seen_and_marks_are_wanted() -> None:
    text = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    made = report.in_text(text)
    assert made != text and made.startswith("before\n") and made.endswith("\nafter\n") and RULES[0].name in made
    assert report.in_text(made) == made
    with pytest.raises(ValueError, match="not there once"):
        report.in_text("no marks")
