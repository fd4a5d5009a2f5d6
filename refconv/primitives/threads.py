"""The one level of parallelism: Python threads over pieces of work that release the interpreter's lock.

Kernels are compiled for one thread each and no library below them starts threads of its own, so the number of threads
is the number of threads: nested pools fight for the same cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

PIECE = 1 << 20  # elements or products: fewer are done before another thread has woken up


class Threads:
    """Runs `work(start, stop)` over pieces of a range; the caller's thread does its share."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ThreadPoolExecutor | None = None
        os.register_at_fork(after_in_child=self._forget)  # a child has none of its parent's threads

    def _forget(self) -> None:
        self._pool = None

    def over(self, total: int, work: Callable[[int, int], object], *, least: int = 1) -> None:
        """Split 0 … total into a few equal pieces a thread, of at least `least` each."""
        pieces = max(min(total // max(least, 1), 4 * self.count if self.count > 1 else 1), 1)
        self.each(work, spans(total, -(-total // pieces)))

    def each(self, work: Callable[..., object], pieces: Iterable[tuple[int, ...]]) -> None:
        """Run `work(*piece)` on every piece; an exception of any is raised."""
        todo = list(pieces)
        left = iter(todo)  # whoever is free takes the next one: a list's iterator gives each to one thread

        def share() -> None:
            for piece in left:
                work(*piece)

        helpers = [self._submit(share) for _ in range(min(self.count, len(todo)) - 1)]
        try:
            share()
        finally:
            late = [helper for helper in helpers if not helper.cancel()]  # who has not begun would find nothing to do
            if late:
                wait(late)
        for helper in late:
            helper.result()

    def _submit(self, share: Callable[[], None]) -> Future[None]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.count - 1, thread_name_prefix="refconv")
        return self._pool.submit(share)


def worth(each: int) -> int:
    """How many pieces of so many elements or products are worth a thread."""
    return max(PIECE // max(each, 1), 1)


def spans(total: int, step: int) -> Iterator[tuple[int, int]]:
    """(0, step), (step, 2·step) … up to `total`."""
    for start in range(0, total, max(step, 1)):
        yield start, min(start + step, total)


def available() -> int:
    """The cores this process may use, or fewer where OMP_NUM_THREADS or NUMBA_NUM_THREADS says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = [os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")]
    return max(1, min([cores, *(int(n) for n in said if n.isdigit())]))
