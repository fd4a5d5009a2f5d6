"""What goes to stdout: to a terminal, a log or a pipe whose reader may leave early."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def escape(text: str) -> str:
    from refconv.report.text import printable

    return printable(text)


def console() -> Console:
    """A console for stdout; at 80 columns where that is no terminal and COLUMNS is not set."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def write(text: str) -> None:
    """Write to stdout, quietly if its reader has gone (`| head`)."""
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        silence()
    flush()


def flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence()


def silence() -> None:
    """Send what is still buffered nowhere, or the interpreter complains about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
