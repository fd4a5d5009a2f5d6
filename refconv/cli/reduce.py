"""refconv reduce: the smallest failing case of a model, saved for an issue report."""

from __future__ import annotations

from typing import Any

import click

from refconv.cli import arguments, options
from refconv.cli.early import framework_for
from refconv.cli.ending import Command
from refconv.cli.output import console, write
from refconv.cli.progress import progress

EPILOG = """\b
Examples:
  refconv reduce model.h5 -o case/
  refconv reduce model.keras --layer 'block1*' --input photos/ -o case/
  refconv reduce model.keras --trust-code mine.py --reference mine_reference.py -o case/
  refconv reduce model.h5 --seconds 300 --mode xla -o case/ --json case.json
  python case/reproduce.py

\b
Exit codes:
  0  nothing fails, so there is nothing to reduce
  1  a layer fails, and a case of it was saved
  2  usage, or a file that cannot be read or is refused
  3  something could not be verified, or fails in no case that could be saved
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model")
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Where the case goes: an empty or a new folder.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
@options.given
@options.samples
@options.seed
@options.shapes
@options.preprocess("For pixels in 0..255: unit is x/255, the others are Keras's.")
@click.option("--layer", "layers", multiple=True, metavar="GLOB", help="Look only at these layers; repeat it for more.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="How long smaller cases are looked for.",
)
@options.mode
@options.keras("Which Keras loads the file; auto takes the one that wrote it.")
@options.engine
@options.backend
@options.device
@options.python
@options.tf32
@options.deterministic
@options.arithmetic
@options.architecture
@options.rebuild
@options.trust_code
@options.references
@options.timeout
@options.memory
@options.sha256
@click.option("--json", "json_file", metavar="FILE", help="Write what was found as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
@click.option("--no-progress", is_flag=True, help="Do not show what is being done.")
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    output: str,
    json_file: str | None,
    quiet: bool,
    verbose: bool,
    no_progress: bool,
    **given: Any,
) -> None:
    """Check MODEL, and make the first layer that fails as small as it can be while it fails in the same way.

    One layer is left, with the fewest samples, places, channels, filters and steps, and with small numbers where they
    do. The folder then holds that model, its input, what is expected, a README.md for an issue report, and
    reproduce.py, which needs the framework alone.
    """  # fmt: skip
    from refconv.report.files import check_writable, write_text
    from refconv.report.reduction.saving import check_folder

    if quiet and verbose:
        raise click.UsageError("-q and -v exclude each other")
    check_folder(output, force=given["force"])
    if json_file is not None:
        check_writable(json_file, "--json", model)
    inputs = arguments.inputs(given["given"], arguments.first(ctx))
    early = framework_for(model, given, backend=given["backend"])
    with early as source, progress(shown=not (quiet or no_progress)) as update:
        from refconv.pipeline.code import run_references
        from refconv.report import reduction
        from refconv.report.reduction import terminal

        run_references(given["references"])
        found = reduction.reduce(
            model,
            inputs,
            output=output,
            force=given["force"],
            seconds=given["seconds"],
            options=arguments.options(given),
            progress=update,
            source=source,
        )
    folder = output if found.case is not None else ""
    if not quiet:
        write(terminal.render(found, console().width, folder))
    if json_file is not None:
        write_text(json_file, terminal.as_json(found, folder))
    ctx.exit(found.exit_code)
