"""refconv check: one model, verified."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from refconv.cli import arguments, options
from refconv.cli.early import framework_for
from refconv.cli.ending import Configured
from refconv.cli.output import console, write
from refconv.cli.progress import progress
from refconv.errors import BadInput
from refconv.primitives.memory import keep_freed

if TYPE_CHECKING:
    from refconv.pipeline import Options
    from refconv.result import BackendsResult, CheckResult

EPILOG = """\b
Examples:
  refconv check model.h5
  refconv check model.keras --input photos/ --preprocess caffe
  refconv check model.h5 --input image=x.npy --input tokens=y.npz:ids
  refconv check old.h5 --rebuild
  refconv check m.weights.h5 --architecture m.json
  refconv check model.h5 --layer 'block1*' --mode eager --json report.json
  refconv check model.keras --html report.html
  refconv check model.keras --backend tensorflow --backend jax
  refconv check model.h5 --device gpu:1 --tf32 off --repeat 3
  refconv check model.keras --trace run.trace.h5
  refconv check model.h5 --fail-fast --no-explain --quiet

\b
Defaults may stand in pyproject.toml, under the options' long names:
  [tool.refconv]
  samples = 4
  accepted = "refconv-accepted.toml"

\b
Exit codes:
  0  pass: every layer agrees
  1  fail: a layer differs from what the model says
  2  usage, or a file that cannot be read or is refused
  3  incomplete: something could not be verified
"""


@click.command(cls=Configured, epilog=EPILOG)
@click.argument("model")
@options.given
@options.samples
@options.seed
@options.shapes
@options.preprocess("For pixels in 0..255: unit is x/255, the others are Keras's.")
@click.option("--layer", "layers", multiple=True, metavar="GLOB", help="Compare only these layers; repeat it for more.")
@options.mode
@options.keras("Which Keras loads the file; auto takes the one that wrote it.")
@options.engine
@click.option(
    "--backend",
    "backends",
    type=options.BACKENDS,
    multiple=True,
    help="What Keras runs on: jax and torch for Keras 3. Repeat it to compare several.  [default: tensorflow]",
)
@options.device
@options.python
@options.tf32
@options.deterministic
@options.repeat
@options.arithmetic
@options.architecture
@options.rebuild
@click.option(
    "--no-framework", is_flag=True, help="Run the reference alone: its values are shown, and nothing is verified."
)
@click.option(
    "--trace",
    metavar="FILE",
    help="Check what `refconv capture` kept in this file, and run no framework: --input, --mode, --device and their "
    "like were said there.",
)
@options.trust_code
@options.references
@click.option("--power", is_flag=True, help="Tell for each layer which faults this input would have exposed.")
@click.option(
    "--thorough",
    is_flag=True,
    help="Also run a clone of each linear layer on small integers, and demand equality to the last bit; and run "
    "everything twice.",
)
@click.option(
    "--no-explain", is_flag=True, help="Do not look for the reason of a failure, which may run the framework again."
)
@click.option("--lenient", is_flag=True, help="Let suspect layers pass.")
@click.option("--strict", is_flag=True, help="Call the run incomplete if agreement proves nothing for some layer.")
@click.option("--allow-unverified", is_flag=True, help="Let layers without a reference pass.")
@click.option(
    "--accepted",
    metavar="FILE.toml",
    help="Findings that are known, each with a reason and the last day on which it passes.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first layer that fails.")
@options.timeout
@options.memory
@options.sha256
@click.option("--json", "json_file", metavar="FILE", help="Write the report as JSON.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write the report as JUnit XML.")
@click.option("--html", "html_file", metavar="FILE", help="Write the report as one page for a browser.")
@click.option("-q", "--quiet", is_flag=True, help="Print the last line only.")
@click.option("-v", "--verbose", is_flag=True, help="Add drift, time and evidence for each layer, and tracebacks.")
@click.option("--no-progress", is_flag=True, help="Do not show what is being done.")
@click.pass_context
def command(ctx: click.Context, model: str, quiet: bool, verbose: bool, no_progress: bool, **given: Any) -> None:
    """Verify every layer of MODEL (.h5, .hdf5 or .keras).

    The framework runs the model in a process of its own; refconv computes each layer itself, from the
    framework's own input to it, and compares element by element. One line per layer shows the largest error, and
    which share of the bound on rounding errors it used ("bits" where equality to the last bit is demanded).
    """  # fmt: skip
    if quiet and verbose:
        raise click.UsageError("-q and -v exclude each other")
    if given["rebuild"] and given["no_framework"]:
        raise click.UsageError("--rebuild and --no-framework exclude each other")
    if given["trace"] is not None:
        _demand_alone(ctx, given)
    several = len(given["backends"]) > 1
    if several and (given["junit_file"] or given["html_file"] or given["no_framework"]):
        raise click.UsageError("several backends are told on the screen and by --json")
    files = _files(given, model)
    inputs = arguments.inputs(given["given"], arguments.first(ctx))
    keep_freed()
    early = framework_for(
        model, given, backend=_first_backend(given), wanted=not given["no_framework"] and given["trace"] is None
    )
    with early as source, progress(shown=not (quiet or no_progress)) as update:
        from refconv import pipeline
        from refconv.formats.rehearsal import rehearse
        from refconv.pipeline.code import run_references

        if given["trace"] is not None:
            rehearse(given["trace"])
        run_references(given["references"])
        how: dict[str, Any] = {"options": asked(given), "progress": update, "source": source}
        if several:
            compared = pipeline.check_backends(model, inputs, backends=given["backends"], **how)
            _show_backends(compared, -1 if quiet else int(verbose), files)
            ctx.exit(compared.exit_code)
        result = pipeline.check(model, inputs, **how)
    if said := arguments.from_settings(ctx):
        result = replace(result, notes=(*result.notes, f"pyproject.toml says {said}"))
    _print(result, -1 if quiet else int(verbose))
    _save(result, files, arguments.command_line(ctx))
    ctx.exit(result.exit_code)


# What a capture decides, and what only a framework can be told.
CAPTURED = ("given", "samples", "seed", "shapes", "preprocess", "mode", "keras", "device", "python", "rebuild",
            "no_framework", "trust_code", "thorough", "timeout", "memory", "backends", "tf32", "deterministic",
            "repeat")  # fmt: skip


def _demand_alone(ctx: click.Context, given: dict[str, Any]) -> None:
    """Refuse what a trace has decided, or what is for a framework; what pyproject.toml says of it does not count."""
    plain = command.make_context("check", ["MODEL"], default_map={}).params
    for parameter in (p for p in ctx.command.params if p.name in CAPTURED):
        name = str(parameter.name)
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = max(parameter.opts, key=len)
            raise click.UsageError(f"{option} and --trace exclude each other: the trace holds what ran, and how")
        if ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP:
            given[name] = plain[name]
            ctx.set_parameter_source(name, ParameterSource.DEFAULT)


def _files(given: dict[str, Any], model: str) -> dict[str, str]:
    """Where to write what, once it is known that it can be written."""
    from refconv.report.files import check_writable

    files = {kind: given[f"{kind}_file"] for kind in ("json", "junit", "html") if given[f"{kind}_file"] is not None}
    for kind, path in files.items():
        check_writable(path, f"--{kind}", model, given["trace"] or model)
    if len(set(files.values())) < len(files):
        raise BadInput("two reports are to go to one file", where="--json, --junit, --html")
    return files


def _first_backend(given: dict[str, Any]) -> str:
    return str((given["backends"] or ("tensorflow",))[0])


def asked(given: dict[str, Any]) -> Options:
    """The options that a check is asked with, from this command's parameters by name."""
    from refconv.result import Policy

    return arguments.options(
        given,
        backend=_first_backend(given),
        framework=not given["no_framework"],
        explain=not given["no_explain"],
        spread=given["html_file"] is not None,
        policy=Policy(given["lenient"], given["strict"], given["allow_unverified"]),
    )


def _print(result: CheckResult, verbosity: int) -> None:
    from refconv.report import terminal

    screen = console()
    with screen.capture() as captured:
        terminal.render(result, screen, verbosity)
    write(captured.get())


def _show_backends(result: BackendsResult, verbosity: int, files: dict[str, str]) -> None:
    from refconv.report import backends
    from refconv.report.files import write_text

    screen = console()
    with screen.capture() as captured:
        backends.render(result, screen, verbosity)
    write(captured.get())
    if "json" in files:
        write_text(files["json"], backends.as_json(result))


def _save(result: CheckResult, files: dict[str, str], command: str) -> None:
    from refconv.report.files import write_text

    for kind, path in files.items():
        write_text(path, _rendered(kind, result, command))


def _rendered(kind: str, result: CheckResult, command: str) -> str:
    """The report of one kind; what makes it is imported only where it is wanted."""
    if kind == "html":
        from refconv.report import html_report

        return html_report.render(result, command)
    from refconv.report import json_report, junit

    return {"json": json_report.render, "junit": junit.render}[kind](result)
