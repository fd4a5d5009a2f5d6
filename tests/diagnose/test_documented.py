"""Every rule is documented, by its own file, under its own name; and the table holds every file."""

from pathlib import Path

import pytest

from refconv.diagnose import rules
from refconv.diagnose.documented import documentation
from refconv.diagnose.rule import Rule
from refconv.diagnose.rules.table import RULES, rule

FILES = sorted(path.stem for path in Path(rules.__path__[0]).glob("rc*.py"))


@pytest.mark.parametrize("row", RULES, ids=lambda row: row.code)
def test_a_rule_says_what_why_an_example_and_the_fix(row: Rule) -> None:
    found = documentation(row)
    assert found.title and found.advice.endswith(".")
    assert row.doc.isascii() or all(len(line) <= 120 for line in row.doc.splitlines())


def test_files_and_rows_correspond() -> None:
    assert [name[:5].upper() for name in FILES] == [row.code for row in RULES]
    assert len({row.name for row in RULES}) == len(RULES)


@pytest.mark.parametrize("doc", ["", "Title.\n\n## What\nx\n", "T.\n## What\na\n## Why\nb\n## Fix\nc\n## Example\nd"])
def test_what_is_not_documented_is_refused(doc: str) -> None:
    with pytest.raises(ValueError, match="the sections What, Why, Example, Fix are wanted"):
        documentation(Rule("RC999", "nothing", doc, lambda question: ()))


def test_a_rule_is_found_by_its_code() -> None:
    found = rule("rc203")
    assert found is not None and found.name == "kernel flipped"
    assert rule("RC000") is None
