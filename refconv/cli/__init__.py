"""The program `refconv`. Each command is imported only when it is asked for, so that --help answers at once."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from refconv import __version__

COMMANDS = {"check": "Verify every layer of a model.", "env": "Tell which frameworks and devices are usable here."}


class Commands(click.Group):
    """One command per module of this package, which holds it under the name `command`."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        found: click.Command = import_module(f"refconv.cli.{name}").command
        return found

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="refconv", message="%(prog)s %(version)s")
def program() -> None:
    """Verify that what Keras computes, layer by layer, is what the model says.

    Example: refconv check model.h5
    """


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs the command line (None: the process's own) and exits with its status."""
    from refconv.cli.errors import INTERRUPTED

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show must not end the program
            stream.reconfigure(errors="backslashreplace")
    try:
        status = program.main(arguments, prog_name="refconv", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("refconv: interrupted", err=True)
        status = INTERRUPTED
    sys.exit(status)
