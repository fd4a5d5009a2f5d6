"""refconv layers: which layers have a reference."""

from __future__ import annotations

import click

from refconv.cli.ending import Command
from refconv.cli.output import write

EPILOG = """\b
Examples:
  refconv layers
  refconv layers pooling
  refconv layers 'Conv*' --json layers.json
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("pattern", default="*")
@click.option("--json", "json_file", metavar="FILE", help="Write the table as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
def command(pattern: str, json_file: str | None, verbose: bool) -> None:
    """List the layers that refconv computes, and those of Keras that it does not, with the reason.

    PATTERN is part of a class's name, or a whole one with * and ?. "exact" demands bit equality, "bounded" allows what
    rounding may do, "step by step" allows that at every step of a recurrent layer. A layer with an attribute, or an
    attribute's value, that the reference does not know is unverified, and the report names it.
    """
    from refconv.inventory.coverage import coverage
    from refconv.report import coverage as report
    from refconv.report.files import check_writable, write_text

    if json_file is not None:
        check_writable(json_file, "--json")
    found = coverage(pattern)
    write(report.listing(found))
    if json_file is not None:
        write_text(json_file, report.as_json(found))
