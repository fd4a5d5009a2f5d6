"""refconv worker: the program that captures by itself."""

from __future__ import annotations

import click

from refconv.cli.ending import Command
from refconv.cli.output import escape, write

EPILOG = """\b
Examples:
  refconv worker
  scp refconv-worker.pyz model.h5 other:
  ssh other python3 refconv-worker.pyz capture model.h5 run.trace.h5
  refconv check model.h5 --trace run.trace.h5
"""


@click.command(cls=Command, epilog=EPILOG)
@click.option(
    "-o", "--output", metavar="FILE", default="refconv-worker.pyz", show_default=True, help="Where to write it."
)
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
def command(output: str, verbose: bool) -> None:
    """Write the worker as one file, which runs in any Python from 3.8 on with TensorFlow from 2.8 on, NumPy and h5py.

    Nothing of refconv has to be installed there. `python refconv-worker.pyz --help` tells the rest.
    """  # fmt: skip
    from refconv.formats.replacing import replacing
    from refconv.frameworks.bundle import write_bundle
    from refconv.report.files import check_writable

    check_writable(output, "--output")
    with replacing(output) as temporary:
        write_bundle(temporary)
    write(f"written: {escape(output)}\n")
