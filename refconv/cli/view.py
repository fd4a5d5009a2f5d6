"""refconv view: pictures of what is in a model, and of what it computes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refconv.cli import arguments
from refconv.cli.ending import Command
from refconv.cli.output import write
from refconv.cli.progress import progress

if TYPE_CHECKING:
    from refconv.inventory.pictures import Picture
    from refconv.pipeline import Options

WHAT = ("maps", "kernels", "error", "histogram", "history")

EPILOG = """\b
Examples:
  refconv view model.h5 --output pictures/
  refconv view model.h5 --layer 'conv1*' --input cat.png --what maps --output maps/
  refconv view before.h5 --compare after.h5 --what kernels --output both.html
  refconv view model.keras --layer conv --what error --output error/ --format svg
  refconv view run.h5 --what history --output history.html
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model")
@click.option("--layer", "layers", multiple=True, metavar="GLOB", help="Show only these layers; repeat it for more.")
@click.option(
    "--input",
    "given",
    multiple=True,
    metavar="[NAME=]FILE",
    help="As of check: an image, .npy …; its first sample is shown. One is drawn where none is given.",
)
@click.option(
    "--what",
    "what",
    multiple=True,
    type=click.Choice(WHAT),
    help="Feature maps, kernels, the errors of a check, histograms of weights and output, or what a recording of the "
    "training says; repeat it for more. maps and kernels, unless said; history of a recording.",
)
@click.option("--compare", metavar="OTHER", help="Show the same layers of another model beside, on the same scale.")
@click.option("--output", required=True, metavar="DIR|FILE.html", help="A folder for one file each, or one page.")
@click.option("--format", "kind", type=click.Choice(["png", "svg"]), default="png", show_default=True)
@click.option("--dark", is_flag=True, help="On a dark ground. A page holds both.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the sample drawn.")
@click.option("--shape", "shapes", multiple=True, metavar="[NAME=]H,W[,C]", help="Sizes of unknown dimensions.")
@click.option("--preprocess", type=click.Choice(["none", "unit", "caffe", "tf", "torch"]), default="none")
@click.option("--architecture", metavar="FILE.json", help="What model.to_json() gave, where MODEL holds weights alone.")
@click.option("--json", "json_file", metavar="FILE", help="Write a list of the pictures as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
@click.option("--no-progress", is_flag=True, help="Do not show what is being done.")
@click.pass_context
def command(ctx: click.Context, model: str, **given: Any) -> None:
    """Draw what is in MODEL and what it computes.

    Feature maps are those of refconv's own reference, and need no framework; only --what error runs one. A tile is a
    channel. White, or the foot of the scale, is 0; what is exactly 0 is grey, and what is not finite is magenta.
    """
    from refconv.formats.rehearsal import rehearse

    output = given["output"]
    page = output.lower().endswith((".html", ".htm"))
    _check_places(output, page, given["json_file"], model)
    for path in filter(None, (model, given["compare"])):
        rehearse(path)
    with progress(shown=not given["no_progress"]) as update:
        found = _pictures(ctx, model, given, update)
        files = _one_page(found, model, given) if page else _each(found, output, given["kind"], given["dark"])
    if given["json_file"] is not None:
        from refconv.report.files import write_text

        write_text(given["json_file"], json.dumps({"schema": 1, "files": files}, indent=1) + "\n")


def _check_places(output: str, page: bool, json_file: str | None, model: str) -> None:
    from refconv.report.files import check_folder, check_writable

    if page:
        check_writable(output, "--output", model)
    else:
        check_folder(output, "--output")
    if json_file is not None:
        check_writable(json_file, "--json", model)


def _pictures(
    ctx: click.Context, model: str, given: dict[str, Any], update: Callable[[str, float | None], None]
) -> Iterator[Picture]:
    from refconv.pipeline.viewing import view

    inputs = arguments.inputs(given["given"], 1)
    return view(model, inputs, what=given["what"], compare=given["compare"], options=_options(given), progress=update)


def _options(given: dict[str, Any]) -> Options:
    from refconv.pipeline import Options

    same = ("seed", "preprocess", "layers")
    shapes, architecture = arguments.shapes(given["shapes"]), given["architecture"] or ""
    return Options(**{name: given[name] for name in same}, samples=1, shapes=shapes, architecture=architecture)


def _each(found: Iterator[Picture], folder: str, kind: str, dark: bool) -> list[dict[str, str]]:
    """One file a picture, and a line as each is written."""
    from refconv.report import plots
    from refconv.report.files import file_name, make_folder, write_bytes

    files = []
    for number, picture in enumerate(found, 1):
        make_folder(folder)
        path = str(Path(folder) / file_name(number, picture.title, kind))
        write_bytes(path, plots.render(picture, kind, dark=dark))
        write(f"{path}\n")
        files.append({"path": path, "layer": picture.layer, "what": picture.what, "title": picture.title})
    return files


def _one_page(found: Iterator[Picture], model: str, given: dict[str, Any]) -> list[dict[str, str]]:
    from refconv.report import pictures_page
    from refconv.report.files import write_text

    drawn, listed = [], []
    for picture in found:
        drawn.append(pictures_page.draw(picture, given["kind"]))
        listed.append({"path": given["output"], "layer": picture.layer, "what": picture.what, "title": picture.title})
    title = " beside ".join(filter(None, (model, given["compare"])))
    write_text(given["output"], pictures_page.render(title, drawn))
    write(f"{given['output']}\n")
    return listed
