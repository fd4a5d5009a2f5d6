"""refconv check MODEL."""

from __future__ import annotations

from typing import Any

import click

from refconv.cli.errors import Command

EXAMPLES = """\b
Examples:
  refconv check model.h5
  refconv check model.keras --input images/ --preprocess unit
  refconv check model.h5 --input x=a.npy --input y=b.npz:second
  refconv check model.h5 --layer 'conv*' --mode xla --json report.json

\b
Exit codes: 0 passes, 1 fails, 2 usage or a file that cannot be read or is refused, 3 incomplete.
"""


@click.command(cls=Command, epilog=EXAMPLES, context_settings={"max_content_width": 100})
@click.argument("model")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]FILE",
    help="What to feed the model: .npy, .npz (FILE:key), .csv(.gz), an image or a folder of images.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    metavar="N",
    help="Samples to draw (default 2), or to take of a file (default all).",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="S", help="Of the samples drawn.")
@click.option("--shape", "shapes", multiple=True, metavar="[NAME=]D,D…", help="Unknown dimensions of an input: H,W.")
@click.option(
    "--preprocess",
    type=click.Choice(["none", "unit", "caffe", "tf", "torch"]),
    default="none",
    show_default=True,
    help="What to do with pixels 0…255, as keras.applications does it.",
)
@click.option("--layer", "layers", multiple=True, metavar="GLOB", help="Check only the layers of these names.")
@click.option(
    "--mode",
    type=click.Choice(["graph", "eager", "xla"]),
    default="graph",
    show_default=True,
    help="How TensorFlow runs the model.",
)
@click.option(
    "--keras",
    type=click.Choice(["auto", "2", "3"]),
    default="auto",
    show_default=True,
    help="Which Keras loads the file; auto is the one that wrote it.",
)
@click.option("--engine", type=click.Choice(["numpy"]), default="numpy", show_default=True, help="The reference's.")
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Time limit of the framework.",
)
@click.option("--lenient", is_flag=True, help="Let `suspect` pass.")
@click.option("--strict", is_flag=True, help="`vacuous` leaves the check incomplete.")
@click.option("--allow-unverified", is_flag=True, help="Let `unverified` pass.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first layer that fails.")
@click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write the result as JUnit XML.")
@click.option("-q", "--quiet", is_flag=True, help="Print the last line only.")
@click.option("-v", "--verbose", is_flag=True, help="Print drift, times and evidence; tracebacks of errors.")
@click.option("--no-progress", is_flag=True)
@click.pass_context
def command(context: click.Context, model: str, quiet: bool, verbose: bool, no_progress: bool, **given: Any) -> None:
    """Verify every layer of a Keras MODEL (.h5, .hdf5, .keras) against an independent NumPy reference.

    Each layer's reference is fed the framework's own input to it; the difference must stay inside a bound that is
    derived from the layer's arithmetic.
    """
    from rich.console import Console

    from refconv.cli.options import options, sources
    from refconv.cli.progress import Progress
    from refconv.pipeline import check
    from refconv.report import files, terminal

    for option, file in (("--json", given["json_file"]), ("--junit", given["junit_file"])):
        if file:
            files.check_writable(file, option)
    with Progress(silent=quiet or no_progress) as progress:
        result = check(model, sources(given["inputs"], given["samples"]), options=options(given), progress=progress)
    _write(result, given)
    verbosity = terminal.QUIET if quiet else terminal.VERBOSE if verbose else terminal.NORMAL
    terminal.render(result, Console(), verbosity)
    context.exit(result.exit_code)


def _write(result: Any, given: dict[str, Any]) -> None:
    from refconv.report import files, json_report, junit

    for file, renderer in ((given["json_file"], json_report), (given["junit_file"], junit)):
        if file:
            files.write_text(file, renderer.render(result))
