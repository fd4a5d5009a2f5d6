"""Every way in which a command may end other than well: one line on stderr, and an exit code that says what it was."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import click

from refconv.errors import RefconvError

FAILED = 2  # usage, or a file that cannot be read or is refused
INTERRUPTED = 130  # as shells report SIGINT


class Command(click.Command):
    """A command whose errors become one line; its option `verbose`, if it has one, adds the traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except BrokenPipeError:
            silence_stdout()
            ctx.exit(0)
        except BaseException as error:
            ctx.exit(report(error, verbose=bool(ctx.params.get("verbose"))))


def report(error: BaseException, *, verbose: bool) -> int:
    """Print what went wrong, and return the exit code for it."""
    if isinstance(error, KeyboardInterrupt):
        click.echo("refconv: interrupted", err=True)
        return INTERRUPTED
    if not isinstance(error, Exception):
        raise error
    if verbose:
        traceback.print_exception(error)
    click.echo(f"refconv: {_line(error, verbose)}", err=True)
    if isinstance(error, RefconvError) and not verbose:
        for note in getattr(error, "__notes__", ()):
            click.echo("\n".join(f"  {escape(line)}" for line in note.splitlines()), err=True)
    return error.exit_code if isinstance(error, RefconvError) else FAILED


def _line(error: Exception, verbose: bool) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, RefconvError):
        return escape(text)
    if isinstance(error, MemoryError):
        return f"out of memory (fewer --samples need less) {text}".rstrip()
    advice = "please report it with the traceback" if verbose else "run again with -v to see where"
    return escape(f"{type(error).__name__}: {text} (this is a bug in refconv; {advice})")


def escape(text: str) -> str:
    from refconv.report.text import printable

    return printable(text)


def silence_stdout() -> None:
    """Let nobody complain that the reader of our output has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
