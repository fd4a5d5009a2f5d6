"""Every way in which the program may end: an exit code that says what happened and, where it went wrong, one line."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

import click

from refconv.cli.interrupt import interrupts
from refconv.cli.output import escape, flush, silence
from refconv.errors import RefconvError

FAILED = 2  # usage, or a file that cannot be read or is refused
WITHOUT_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
INTERRUPTED = 130  # as shells report SIGINT


class Command(click.Command):
    """A command whose errors become one line; its option `verbose`, if it has one, adds the traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:
            if interrupts.came:
                raise KeyboardInterrupt from error
            ctx.exit(report(error, verbose=bool(ctx.params.get("verbose"))))


class Configured(Command):
    """A command whose options have other defaults where a pyproject.toml says so (cli/settings.py)."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if "default_map" not in extra and not set(args) & {"-h", "--help"}:
            extra["default_map"] = self._defaults()
        return super().make_context(info_name, args, parent, **extra)

    def _defaults(self) -> dict[str, Any]:
        from refconv.cli import settings

        try:
            return settings.defaults(settings.find(), self)
        except RefconvError as error:
            raise click.exceptions.Exit(report(error, verbose=False)) from None


def run(program: click.Command, arguments: Sequence[str] | None) -> int:
    """Run the program and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show must not end the program
            stream.reconfigure(errors="backslashreplace")
    try:
        with interrupts.kept():
            status = program.main(arguments, prog_name="refconv", standalone_mode=False)
    except click.ClickException as error:
        status = _usage(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("refconv: interrupted", err=True)
        if arguments is None:
            _leave()
        status = INTERRUPTED
    return _flushed(status or 0)


def _leave() -> NoReturn:
    """End this process, which is the program's own, at once.

    An interrupt leaves what LLVM was compiling half built, and LLVM may crash where that is taken down.
    """
    with suppress(OSError):
        flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)


def _flushed(status: int) -> int:
    """What the last lines on stdout met: a disk that is full must not end in a traceback."""
    try:
        flush()
    except OSError as error:
        silence()
        return report(error, verbose=False)
    return status


def report(error: Exception, *, verbose: bool) -> int:
    """Print what went wrong, and return the exit code for it."""
    if verbose:
        lines = "".join(traceback.format_exception(error)).splitlines()
        click.echo("\n".join(map(escape, lines)), err=True)
    click.echo(f"refconv: {_line(error, verbose)}", err=True)
    if not isinstance(error, RefconvError):
        return FAILED
    # The last lines of a framework that failed; a traceback shows them already.
    for note in () if verbose else getattr(error, "__notes__", ()):
        click.echo("\n".join(f"  {escape(line)}" for line in note.splitlines()), err=True)
    return error.exit_code


def _line(error: Exception, verbose: bool) -> str:
    text = escape(" ".join(str(error).split()))
    if isinstance(error, RefconvError):
        return text
    if isinstance(error, MemoryError):
        return "out of memory (fewer --samples need less)"
    if isinstance(error, OSError) and error.errno in WITHOUT_ROOM:
        return escape(": ".join(filter(None, (str(error.filename or ""), f"cannot be written: {error.strerror}"))))
    advice = "please report it with the traceback above" if verbose else "run with -v to see where"
    return f"{type(error).__name__}: {text} (this is a bug in refconv, {advice})"


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 and later: the message is the help
        error.show()
        return FAILED
    command = context.command_path if context else "refconv"
    message = error.format_message().rstrip(".")
    click.echo(f"refconv: {escape(' '.join(message.split()))} (see {command} --help)", err=True)
    return FAILED
