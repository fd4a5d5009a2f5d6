"""refconv evaluate: loss and metrics recomputed, and what their names became."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from refconv.cli import options
from refconv.cli.ending import Command
from refconv.cli.output import console, write
from refconv.cli.progress import progress
from refconv.errors import BadInput

EPILOG = """\b
Examples:
  refconv evaluate model.keras --data test.npz
  refconv evaluate model.h5 --data mnist.csv.gz --preprocess unit --metrics accuracy,binary_accuracy
  refconv evaluate model.h5 --data test.npz --loss left=mse --loss right=binary_crossentropy
  refconv evaluate model.keras --data test.npz --batch 128 --json scores.json
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model")
@click.option(
    "--data",
    required=True,
    metavar="FILE",
    help="An .npz with x, y and, where there are, sample_weight (one per sample) and class_weight (one per class); for "
    "several inputs or outputs x/NAME, y/NAME. Or a .csv or .csv.gz whose last column is the label.",
)
@click.option("--loss", multiple=True, metavar="[OUTPUT=]NAME", help="Instead of what the file was compiled with.")
@click.option(
    "--metrics",
    multiple=True,
    metavar="[OUTPUT=]NAME[,NAME…]",
    help="The same for metrics: accuracy, top_k_categorical_accuracy, Precision …",
)
@click.option("--batch", type=click.IntRange(min=1), default=32, show_default=True, help="Samples per batch.")
@click.option("--samples", "first", type=click.IntRange(min=1), help="Take only the first so many.  [default: all]")
@options.preprocess("What is done to pixels in 0…255 first; unit is x/255.")
@options.keras("Which Keras runs the file; auto takes the one that wrote it.")
@options.engine
@options.device
@click.option(
    "--trust-code",
    "trust_code",
    multiple=True,
    metavar="FILE.py",
    help="Run this file in the framework's process, for losses, metrics and layers of your own.",
)
@click.option("--allow-unverified", is_flag=True, help="Let values without a reference pass.")
@options.timeout
@click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print the last line only.")
@click.option("-v", "--verbose", is_flag=True, help="Add tracebacks to errors.")
@click.option("--no-progress", is_flag=True, help="Do not show what is being done.")
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    data: str,
    loss: Sequence[str],
    metrics: Sequence[str],
    json_file: str | None,
    quiet: bool,
    verbose: bool,
    no_progress: bool,
    **given: Any,
) -> None:
    """Recompute loss and metrics of MODEL on labelled data, beside the framework's own evaluate.

    The predictions, the loss and the metrics are refconv's own, in NumPy; how far the framework may be from them
    follows from how far its predictions may be. Each name is shown with what Keras makes of it: accuracy is binary,
    categorical or sparse by the shapes of targets and output.
    """  # fmt: skip
    from refconv.formats.rehearsal import rehearse
    from refconv.report.files import check_writable, write_text

    if json_file is not None:
        check_writable(json_file, "--json", model)
    asked = {"loss": _named(loss, "--loss"), "metrics": _named(metrics, "--metrics", several=True)}
    rehearse(model)
    with progress(shown=not (quiet or no_progress)) as update:
        from refconv import pipeline

        options, rest = _options(given)
        result = pipeline.evaluate(model, data, **asked, **rest, options=options, progress=update)
    from refconv.report import evaluation

    screen = console()
    with screen.capture() as captured:
        evaluation.render(result, screen, quiet=quiet)
    write(captured.get())
    if json_file is not None:
        write_text(json_file, evaluation.as_json(result))
    ctx.exit(result.exit_code)


def _options(given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from refconv.pipeline import Options
    from refconv.result import Policy

    policy = Policy(allow_unverified=given["allow_unverified"])
    same = ("preprocess", "keras", "engine", "device", "trust_code", "timeout")
    return Options(policy=policy, **{k: given[k] for k in same}), {k: given[k] for k in ("batch", "first")}


def _named(given: Sequence[str], option: str, *, several: bool = False) -> Any:
    """["mse"] → "mse", or ["mse"] where several may stand; ["a=mse", "b=mae"] → {"a": …, "b": …}; None of nothing.

    Raises:
        BadInput: some have names and some not, or one output has two losses.
    """
    pairs = [(name, value) for text in given for name, _, value in [text.rpartition("=")]]
    if not pairs:
        return None
    names = {name for name, _ in pairs}
    if "" in names and len(names) > 1:
        raise BadInput("some say for which output they are and some do not", where=option)
    if several:
        found = {n: [v for name, text in pairs if name == n for v in text.split(",")] for n in names}
    else:
        if len(names) < len(pairs):
            raise BadInput("two losses for one output", where=option)
        found = dict(pairs)  # type: ignore[arg-type]
    return found[""] if "" in names else found
