"""refconv edit: change stored weights in a copy of a model."""

from __future__ import annotations

import click

from refconv.cli.ending import Command
from refconv.cli.output import write

EPILOG = """\b
Examples:
  refconv edit model.h5 --set '*=0' --output zero.h5
  refconv edit model.keras --set 'conv1/kernel[0,:,...]=0.5' --scale '*/bias=2' --output new.keras
  refconv edit model.h5 --from 'block1_*=other.h5' --output new.h5
  refconv edit model.h5 --from run.h5@3 --output epoch3.h5
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model")
@click.option(
    "--set",
    "settings",
    metavar="GLOB=NUMBER",
    multiple=True,
    help="Set all weights of layers of such a path or name, or weights: 'conv1/kernel', '*/bias', or a part of them: "
    "'conv1/kernel[0,:,...]'.",
)
@click.option("--scale", "scales", metavar="GLOB=FACTOR", multiple=True, help="Multiply; GLOB as of --set.")
@click.option(
    "--from",
    "others",
    metavar="[GLOB=]OTHER",
    multiple=True,
    help="Take the weights of the matching layers from another file, or from a recording at one time.",
)
@click.option("--output", metavar="NEW", required=True, help="The copy.")
@click.option("--architecture", metavar="FILE.json", help="What model.to_json() gave, where MODEL holds weights alone.")
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
def command(
    model: str,
    settings: tuple[str, ...],
    scales: tuple[str, ...],
    others: tuple[str, ...],
    output: str,
    architecture: str | None,
    verbose: bool,
) -> None:
    """Change stored weights of MODEL in a copy; everything else in it stays as it is, byte for byte.

    First --from, then --set, then --scale. Then `refconv check NEW` proves that the framework computes with them.
    """
    from refconv.formats.rehearsal import rehearse
    from refconv.inventory.edit import edit
    from refconv.report import edited as report
    from refconv.report.files import check_writable

    check_writable(output, "--output")
    rehearse(model)
    write(report.text(edit(model, output, set=settings, scale=scales, take=others, architecture=architecture)))
