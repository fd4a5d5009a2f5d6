"""refconv weights: what is stored, and what the layers multiply by."""

from __future__ import annotations

import click

from refconv.cli.ending import Command
from refconv.cli.output import write

EPILOG = """\b
Examples:
  refconv weights model.h5
  refconv weights model.h5 conv2d --codes
  refconv weights model.h5 --output weights.npz
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model")
@click.argument("layer", required=False)
@click.option("--codes", is_flag=True, help="Add the integers behind the effective values, and their scale.")
@click.option(
    "--output", "npz_file", metavar="FILE.npz", help="Save stored, effective, codes and scale of all weights."
)
@click.option("--architecture", metavar="FILE.json", help="What model.to_json() gave, where MODEL holds weights alone.")
@click.option("--sha256", metavar="HASH", help="Refuse the file if its SHA-256 is another.")
@click.option("--json", "json_file", metavar="FILE", help="Write the listing as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
def command(
    model: str,
    layer: str | None,
    codes: bool,
    npz_file: str | None,
    architecture: str | None,
    sha256: str | None,
    json_file: str | None,
    verbose: bool,
) -> None:
    """List the weights of MODEL, stored and effective, without any framework.

    With LAYER, one channel of its kernel is printed, stored beside effective: a QKeras layer multiplies by quantized
    weights, which `get_weights()` does not give.
    """
    from refconv import formats
    from refconv.formats.rehearsal import rehearse
    from refconv.report.files import check_writable, write_arrays, write_text

    for option, file in (("--output", npz_file), ("--json", json_file)):
        if file is not None:
            check_writable(file, option, model)
    rehearse(model)
    graph = formats.load(model, architecture, sha256=sha256 or "")
    from refconv.inventory.weights import choose, of_graph  # while the file's checksum is being computed
    from refconv.report import weights as report

    found = of_graph(graph)
    if layer is not None:
        chosen = choose(found, layer)
        found = {chosen.layer: chosen}
    write(report.channel(chosen, codes=codes) if layer is not None else report.listing(found))
    if npz_file is not None:
        write_arrays(npz_file, report.arrays(found))
    if json_file is not None:
        write_text(json_file, report.as_json(found))
