"""refconv diff: what changed between two models' weights."""

from __future__ import annotations

import click

from refconv.cli.ending import Command
from refconv.cli.output import write

EPILOG = """\b
Examples:
  refconv diff before.h5 after.keras
  refconv diff before.h5 after.h5 --expect-frozen 'block[1-4]_*'
  refconv diff run.h5@start run.h5@9 --all
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("a")
@click.argument("b")
@click.option(
    "--expect-frozen",
    "frozen",
    metavar="GLOB",
    multiple=True,
    help="Fail only if a layer of such a path or name changed; may be given several times.",
)
@click.option("--all", "every", is_flag=True, help="List every weight, not only those that differ.")
@click.option(
    "--architecture", metavar="FILE.json", help="What model.to_json() gave, where a file holds weights alone."
)
@click.option("--json", "json_file", metavar="FILE", help="Write the whole comparison as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
def command(
    a: str,
    b: str,
    frozen: tuple[str, ...],
    every: bool,
    architecture: str | None,
    json_file: str | None,
    verbose: bool,
) -> None:
    """Tell what changed from model A to model B, weight by weight, without any framework.

    A and B are model files, or states of a recording (refconv.keras.WeightRecorder): run.h5@start, run.h5@9 (the end of
    epoch 9, counted from 0), run.h5@3:200 (after 200 batches of epoch 3), run.h5@last.

    Exit codes: 0 nothing differs, 1 something does; with --expect-frozen, 1 if one of those layers does.
    """
    from refconv.formats.rehearsal import rehearse
    from refconv.inventory.difference import diff
    from refconv.inventory.sides import file_of
    from refconv.report import difference as report
    from refconv.report.files import check_writable, write_text

    if json_file is not None:
        check_writable(json_file, "--json", file_of(a), file_of(b))
    for side in (a, b):
        rehearse(file_of(side))
    found = diff(a, b, expect_frozen=frozen, architecture=architecture)
    write(report.text(found, every=every))
    if json_file is not None:
        write_text(json_file, report.as_json(found))
    click.get_current_context().exit(int(found.failed))
