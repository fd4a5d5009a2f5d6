"""refconv pixel: one output element by hand."""

from __future__ import annotations

from typing import Any

import click

from refconv.cli import arguments, options
from refconv.cli.early import framework
from refconv.cli.ending import Command
from refconv.cli.output import write
from refconv.cli.progress import progress

EPILOG = """\b
Examples:
  refconv pixel model.h5 conv2d --at 1,1,0
  refconv pixel model.h5 conv2d --at 1,1,0 --input x.npy --sample 3
  refconv pixel model.h5 dense --at 5 --layer-input row.npy --all
  refconv pixel model.h5 conv2d --at 0,0,0 --no-framework --json pixel.json

\b
Exit codes:
  0  the framework agrees, or was not asked
  1  it differs
  2  usage, or a file that cannot be read or is refused
  3  the framework has no value
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model")
@click.argument("layer")
@click.option(
    "--at",
    required=True,
    metavar="H,W,C",
    help="The element: its position along each spatial axis, then its channel (C alone for Dense).",
)
@click.option(
    "--input", "given", multiple=True, metavar="[NAME=]FILE", help="The model's input, as of check; else one is drawn."
)
@options.layer_input("The layer's own input, instead.")
@click.option("--sample", type=click.IntRange(0), default=0, show_default=True, help="Which sample of the input.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the input drawn.")
@options.shape("As of check.")
@options.preprocess("For pixels in 0..255, as of check.")
@click.option("--architecture", metavar="FILE.json", help="What model.to_json() gave, where MODEL holds weights alone.")
@click.option("--no-framework", is_flag=True, help="Only by hand, without a framework's value beside it.")
@click.option("--all", "everything", is_flag=True, help="Show every term, however many there are.")
@options.timeout
@click.option("--json", "json_file", metavar="FILE", help="Write it as JSON, numbers in full.")
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
@click.option("--no-progress", is_flag=True, help="Do not show what is being done.")
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    layer: str,
    everything: bool,
    json_file: str | None,
    verbose: bool,
    no_progress: bool,
    **given: Any,
) -> None:
    """Compute one output element of LAYER by hand: receptive field, kernel, products, sum, bias, activation.

    Beside it stands the framework's value, and then the receptive field is the framework's own input to the layer. A
    quantized layer's stored weights stand beside the effective ones that it multiplies by.
    """  # fmt: skip
    from refconv.report.files import check_writable, write_text

    if given["given"] and given["layer_input"]:
        raise click.UsageError("--input and --layer-input exclude each other")
    if json_file is not None:
        check_writable(json_file, "--json", model)
    wanted = not (given["no_framework"] or given["layer_input"])
    with framework(model, wanted=wanted), progress(shown=not no_progress) as update:
        from refconv.pipeline import Options, pixel
        from refconv.report import pixel as report

        options = Options(
            samples=given["sample"] + 1,
            seed=given["seed"],
            shapes=arguments.shapes(given["shapes"]),
            preprocess=given["preprocess"],
            architecture=given["architecture"] or "",
            framework=not given["no_framework"],
            timeout=given["timeout"],
        )
        inputs = arguments.inputs(given["given"], None)
        found = pixel(
            model,
            layer,
            given["at"],
            inputs,
            layer_input=given["layer_input"],
            sample=given["sample"],
            options=options,
            progress=update,
        )
    write(report.render(found, everything=everything))
    if json_file is not None:
        write_text(json_file, report.as_json(found))
    ctx.exit(found.exit_code)
