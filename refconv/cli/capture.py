"""refconv capture: what a framework computes, kept in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from refconv.cli import arguments, options
from refconv.cli.early import framework_for
from refconv.cli.ending import Command
from refconv.cli.output import write
from refconv.cli.progress import progress

EPILOG = """\b
Examples:
  refconv capture model.h5
  refconv capture model.keras -o run.trace.h5 --device gpu --thorough
  refconv capture model.keras --input photos/ --preprocess caffe
  refconv check model.keras --trace run.trace.h5

\b
Exit codes:
  0  captured
  2  usage, or a file that cannot be read or is refused
  3  the framework failed: nothing is written, or what came before the layer that failed
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model")
@click.option("-o", "--output", metavar="FILE", help="The trace; else MODEL's name with .trace.h5, in this folder.")
@options.given
@options.samples
@options.seed
@options.shapes
@options.preprocess("For pixels in 0..255: unit is x/255, the others are Keras's.")
@options.mode
@options.keras("Which Keras loads the file; auto takes the one that wrote it.")
@options.backend
@options.device
@options.python
@options.tf32
@options.deterministic
@options.repeat
@options.architecture
@options.rebuild
@options.trust_code
@click.option("--thorough", is_flag=True, help="Also run a clone of each linear layer on integers, and all twice.")
@options.timeout
@options.memory
@options.sha256
@click.option("--json", "json_file", metavar="FILE", help="Write what was captured as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print the last line only.")
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
@click.option("--no-progress", is_flag=True, help="Do not show what is being done.")
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    output: str | None,
    json_file: str | None,
    quiet: bool,
    verbose: bool,
    no_progress: bool,
    **given: Any,
) -> None:
    """Run MODEL in its framework, and keep what every layer took and gave in one file.

    Nothing is verified: `refconv check MODEL --trace FILE` does that, later or on another machine, which needs no
    framework. The file holds the inputs too. It is written whole or not at all.
    """  # fmt: skip
    from refconv.report.files import check_writable
    from refconv.trace import ENDING

    target = output or Path(model).stem + ENDING
    check_writable(target, "--output", model)
    if json_file is not None:
        check_writable(json_file, "--json", model)
    inputs = arguments.inputs(given["given"], arguments.first(ctx))
    early = framework_for(model, given, backend=given["backend"])
    with early as source, progress(shown=not (quiet or no_progress)) as update:
        from refconv import pipeline

        found = pipeline.capture(
            model, inputs, output=target, options=arguments.options(given), progress=update, source=source
        )
    from refconv.report import captured
    from refconv.report.files import write_text

    write(captured.text(found, quiet=quiet))
    if json_file is not None:
        write_text(json_file, captured.json_text(found))
    ctx.exit(found.exit_code)
