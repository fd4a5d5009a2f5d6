"""refconv explain: why somebody's output of a layer is not what the model says."""

from __future__ import annotations

from typing import Any

import click

from refconv.cli import arguments, options
from refconv.cli.ending import Command
from refconv.cli.output import console, write
from refconv.cli.progress import progress

EPILOG = """\b
Examples:
  refconv explain model.h5 conv2d --input x.npy --output mine.npy
  refconv explain model.h5 conv2d --input x.npy --output patch.txt --at 0:3,0:3,0
  refconv explain model.h5 conv2d --layer-input x.npy --output mine.csv --channel 4
  refconv explain model.h5 dense --input x.npy --output sim.hex --codes --scale 0.0625 --bits 8
  refconv explain model.h5 dense --input x.npy --output mine.npy --also epoch3.h5

\b
Numbers in text (.txt, .csv, .hex …) may stand between blanks, commas, brackets, as NumPy prints them. A printed number
may be off by half a unit of its last digit, which is allowed for; 0x3f800000 is the bits of a float32.

\b
Exit codes:
  0  it agrees with the model
  1  it differs, explained or not
  2  usage, or a file that cannot be read or is refused
  3  it cannot be told
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model")
@click.argument("layer")
@click.option("--output", required=True, metavar="FILE", help="What was got: .npy, .npz (FILE:key), .csv(.gz), text.")
@click.option("--input", "given", multiple=True, metavar="[NAME=]FILE", help="The model's input, as of check.")
@options.layer_input("The layer's own input, instead; repeat it.")
@click.option("--at", default="", metavar="H,W[,C]", help="Which part of the output: numbers or slices (0:3,0:3,0).")
@click.option("--channel", type=int, default=None, metavar="C", help="Only this channel of the output was got.")
@click.option("--sample", type=click.IntRange(0), default=None, metavar="N", help="Only this sample was got.")
@click.option("--codes", is_flag=True, help="The output holds integers; one is worth --scale.")
@click.option("--scale", type=float, default=None, metavar="S", help="The value of one code.")
@click.option(
    "--bits", type=click.IntRange(1, 64), default=None, metavar="N", help="Hexadecimal codes are two's complement."
)
@click.option("--also", multiple=True, metavar="FILE", help="Another checkpoint, whose weights may have been used.")
@click.option(
    "--seconds",
    type=click.FloatRange(0),
    default=16.0,
    show_default=True,
    metavar="S",
    help="From when on no other input of the model, and no pair of changes, is tried.",
)
@options.shape("As of check.")
@options.preprocess("For pixels in 0..255, as of check.")
@click.option("--architecture", metavar="FILE.json", help="What model.to_json() gave, where MODEL holds weights alone.")
@click.option("--json", "json_file", metavar="FILE", help="Write it as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Add all that was excluded, and tracebacks to errors.")
@click.option("--no-progress", is_flag=True, help="Do not show what is being done.")
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    layer: str,
    json_file: str | None,
    verbose: bool,
    no_progress: bool,
    **given: Any,
) -> None:
    """Compare what you got from LAYER of MODEL with the reference, and say what explains the difference.

    No framework runs. refconv changes one convention at a time and computes the layer again: a finding means that the
    values are then right, within the same bound on rounding. `refconv rule CODE` tells more of it.
    """  # fmt: skip
    from refconv.formats.rehearsal import rehearse
    from refconv.report.files import check_writable, write_text

    if bool(given["given"]) == bool(given["layer_input"]):
        raise click.UsageError("say what it was fed: --input, the model's, or --layer-input, the layer's own")
    if json_file is not None:
        check_writable(json_file, "--json", model)
    rehearse(model)
    with progress(shown=not no_progress) as update:
        from refconv.pipeline import Options, explain
        from refconv.report import explanation as report

        options = Options(
            shapes=arguments.shapes(given["shapes"]),
            preprocess=given["preprocess"],
            architecture=given["architecture"] or "",
        )
        same = ("layer_input", "at", "channel", "sample", "codes", "scale", "bits", "also", "seconds")
        found = explain(
            model,
            layer,
            given["output"],
            arguments.inputs(given["given"], None),
            **{name: given[name] for name in same},
            options=options,
            progress=update,
        )
    write(report.render(found, console().width, verbose=verbose))
    if json_file is not None:
        write_text(json_file, report.as_json(found))
    ctx.exit(found.exit_code)
