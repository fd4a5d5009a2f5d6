"""One table, on a terminal and in Markdown."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
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


def tell(tables: Sequence[Table], notes: Sequence[str], told: Mapping, options: argparse.Namespace) -> None:
    """Print tables and notes; write what was measured to `options.json`, and both to `options.markdown`, if named."""
    console = Console(width=None if sys.stdout.isatty() else 180)
    filled = [table for table in tables if table.rows]
    for part in [*(table.rich() for table in filled), *notes]:
        console.print(part, markup=False, highlight=False)
    if options.json:
        options.json.write_text(json.dumps(told, indent=2) + "\n")
    if options.markdown:
        options.markdown.write_text("\n\n".join([*(table.markdown() for table in filled), *notes]) + "\n")
