"""refconv rule: what a finding means."""

from __future__ import annotations

import click

from refconv.cli.ending import Command
from refconv.cli.output import console, write

EPILOG = """\b
Examples:
  refconv rule RC203
  refconv rule --list
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("code", required=False)
@click.option("--list", "listed", is_flag=True, help="List all rules, a line for each.")
def command(code: str | None, listed: bool) -> None:
    """Tell what the rule CODE says: what is altered, why it happens, an example, and how to put it right."""
    from refconv.report import rules as report

    if listed == bool(code):
        raise click.UsageError("give a CODE such as RC203, or --list")
    screen = console()
    with screen.capture() as captured:
        report.listing(screen) if listed else report.render(code or "", screen)
    write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
