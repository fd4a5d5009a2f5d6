"""refconv env: what is usable here."""

from __future__ import annotations

import json

import click

from refconv.cli import options
from refconv.cli.ending import Command
from refconv.cli.output import write
from refconv.cli.progress import progress

NOTHING_USABLE = 3


@click.command(cls=Command)
@click.option("--json", "json_file", metavar="FILE", help="Write all that is known as JSON.")
@options.python
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
@click.option("--no-progress", is_flag=True, help="Do not show what is being done.")
@click.pass_context
def command(ctx: click.Context, json_file: str | None, python: str | None, verbose: bool, no_progress: bool) -> None:
    """Tell which frameworks and devices are usable here, in which versions, and why not.

    With --python, in the environment of that interpreter.

    Exit code 0 if any framework is usable, 3 if none is.
    """
    from refconv import frameworks
    from refconv.report import environment
    from refconv.report.files import check_writable, write_text

    if json_file is not None:
        check_writable(json_file, "--json")
    with progress(shown=not no_progress) as update:
        update("starting each framework", None)
        found = frameworks.probe(python=python)
    write(environment.render(found))
    if json_file is not None:
        write_text(json_file, json.dumps(found, indent=1) + "\n")
    ctx.exit(0 if any(framework["usable"] for framework in found.values()) else NOTHING_USABLE)
