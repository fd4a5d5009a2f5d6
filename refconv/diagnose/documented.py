"""A rule's documentation, read from the docstring of its file: a title, then What, Why, Example and Fix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import cleandoc

from refconv.diagnose.rule import Rule

SECTIONS = ("What", "Why", "Example", "Fix")


@dataclass(frozen=True)
class Documentation:
    """The title, without its full stop; what the altered convention is, why it happens, an example, how to fix it."""

    title: str
    what: str
    why: str
    example: str
    fix: str

    @property
    def advice(self) -> str:
        """The fix's first sentence, on one line."""
        return " ".join(re.split(r"(?<=\.)\s", self.fix, maxsplit=1)[0].split())


def documentation(rule: Rule) -> Documentation:
    """The rule's docstring in its sections.

    Raises:
        ValueError: a section is missing, empty, or not in this order.
    """
    title, *rest = re.split(r"^## (.+)$", cleandoc(rule.doc), flags=re.MULTILINE)
    found = {name.strip(): text.strip("\n").rstrip() for name, text in zip(rest[::2], rest[1::2], strict=True)}
    if tuple(found) != SECTIONS or not all(text.strip() for text in found.values()) or not title.strip():
        raise ValueError(f"{rule.code}: the sections {', '.join(SECTIONS)} are wanted, there are {', '.join(found)}")
    return Documentation(title.strip().rstrip("."), *(found[name] for name in SECTIONS))
