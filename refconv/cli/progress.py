"""What is being done, on stderr: one moving line on a terminal, else a line whenever the stage changes."""

from __future__ import annotations

import sys
from types import TracebackType

import click

from refconv.report.text import printable, shorten

WIDTH = 60


class Progress:
    """Callable as `refconv.pipeline.check` wants it; leaves the terminal clean."""

    def __init__(self, *, silent: bool) -> None:
        self._silent, self._moving = silent, sys.stderr.isatty()
        self._stage = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._moving and not self._silent:
            click.echo("\r" + " " * (WIDTH + 8) + "\r", err=True, nl=False)

    def __call__(self, what: str, share: float | None) -> None:
        if self._silent:
            return
        if self._moving:
            percent = "" if share is None else f"{share:4.0%} "
            click.echo(f"\r{percent}{shorten(printable(what), WIDTH):{WIDTH}}", err=True, nl=False)
        elif (stage := what.split()[0]) != self._stage:
            self._stage = stage
            click.echo(f"refconv: {'verifying the layers' if stage == 'verifying' else printable(what)} …", err=True)
