"""What is being done, on stderr: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from refconv.cli.output import escape

Progress = Callable[[str, "float | None"], None]

SECONDS_BETWEEN_LINES = 10.0
WIDEST = 40


@contextmanager
def progress(*, shown: bool) -> Iterator[Progress]:
    """A function to call with what is being done, and the share of it that is done (None: unknown)."""
    if not shown:
        yield lambda what, share: None
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield bar
    else:
        yield Lines()


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from refconv.report.text import shorten

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def update(what: str, share: float | None) -> None:
            total = None if share is None else 1.0
            bar.update(task, description=shorten(escape(what), WIDEST), total=total, completed=share or 0.0)

        yield update


class Lines:
    """Prints a line when another kind of work begins, told by its first word, and otherwise every ten seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last, self._kind = -SECONDS_BETWEEN_LINES, ""

    def __call__(self, what: str, share: float | None) -> None:
        kind, now = what.split(" ")[0], self._clock()
        if kind == self._kind and now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last, self._kind = now, kind
        done = "" if share is None else f" ({share:.0%})"
        print(f"refconv: {escape(what)}{done}", file=sys.stderr, flush=True)
