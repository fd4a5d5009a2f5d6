"""The program `refconv`. Each command is imported only when it is asked for, so that --help answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

from refconv import __version__

COMMANDS = {
    "check": "Verify every layer of a model.",
    "capture": "Run a model's framework alone, and keep what it computes.",
    "worker": "Write the program that captures where refconv is not installed.",
    "explain": "Say why an output that you got from a layer differs.",
    "rule": "Tell what a finding means.",
    "pixel": "Compute one output element by hand.",
    "evaluate": "Recompute loss and metrics on labelled data.",
    "weights": "List stored and effective weights.",
    "diff": "Tell what changed between two models' weights.",
    "edit": "Change stored weights in a copy of a model.",
    "view": "Draw feature maps, kernels, errors and histograms.",
    "layers": "List the layers that have a reference.",
    "env": "Tell which frameworks and devices are usable here.",
}


class Commands(click.Group):
    """One command per module of this package, which holds it under the name `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"refconv.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="refconv", message="%(prog)s %(version)s")
def program() -> None:
    """Verify that what Keras computes, layer by layer, is what the model says.

    Example: refconv check model.h5
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status; `arguments` are the process's own by default."""
    from refconv.cli.ending import run

    raise SystemExit(run(program, arguments))
