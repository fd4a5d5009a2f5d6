"""One table, on a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table as RichTable


@dataclass(frozen=True)
class Table:
    """Heads, and rows of as many cells; the first `left` columns are words, the others numbers."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    title: str = ""

    def rich(self) -> RichTable:
        table = RichTable(*self.heads, title=self.title or None, title_justify="left")
        for column in table.columns[self.left :]:
            column.justify = "right"
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        marks = ["---" if number < self.left else "--:" for number in range(len(self.heads))]
        return "\n".join("| " + " | ".join(line) + " |" for line in [self.heads, marks, *self.rows])
