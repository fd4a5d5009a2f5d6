"""The one level of parallelism: Python threads over pieces of work that release the interpreter's lock.

Kernels are compiled for one thread each and no library below them starts threads of its own, so the number of threads
is the number of threads: nested pools fight for the same cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

WORTH = 3 << 21  # products: fewer are done before another thread has woken up, 60 µs, and has been waited for
GRAIN = WORTH // 8  # products of a piece: many more than it takes to hand it out
PIECES = 4  # a thread, so that none waits long for the last one

Call = Callable[[], object]


@dataclass(frozen=True)
class Task:
    """Pieces of work in any order, and how much they are.

    Attributes:
        cost: of all calls together, in products of float64 numbers at a core's full rate.
    """

    calls: Sequence[Call]
    cost: float


class Threads:
    """Runs tasks; the caller's thread does its share."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ThreadPoolExecutor | None = None
        os.register_at_fork(after_in_child=self._forget)  # a child has none of its parent's threads

    def _forget(self) -> None:
        self._pool = None

    def split(self, total: int, work: Callable[[int, int], object], each: float) -> Task:
        """`work(start, stop)` over equal pieces of 0 … total; `each`: cost of one."""
        pieces = max(min(PIECES * self.count, total, int(total * each / GRAIN)), 1) if self.count > 1 else 1
        return Task([partial(work, *span) for span in spans(total, -(-total // pieces))], total * each)

    def over(self, total: int, work: Callable[[int, int], object], each: float) -> None:
        """Run `work(start, stop)` over pieces of 0 … total; `each`: cost of one."""
        if total * each < WORTH:
            work(0, total)
        else:
            self.run(self.split(total, work, each))

    def run(self, *tasks: Task) -> None:
        """Run every call of the tasks, which do not depend on each other; an exception of any is raised."""
        calls = [call for task in tasks for call in task.calls]
        left = iter(calls)  # whoever is free takes the next one: a list's iterator gives each to one thread

        def share() -> None:
            for call in left:
                call()

        wanted = self.count if sum(task.cost for task in tasks) >= WORTH else 1
        helpers = [self._submit(share) for _ in range(min(wanted, len(calls)) - 1)]
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


def spans(total: int, step: int) -> Iterator[tuple[int, int]]:
    """(0, step), (step, 2·step) … up to `total`."""
    for start in range(0, total, max(step, 1)):
        yield start, min(start + step, total)


def available() -> int:
    """The cores this process may use, or fewer where OMP_NUM_THREADS or NUMBA_NUM_THREADS says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = [os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")]
    return max(1, min([cores, *(int(n) for n in said if n.isdigit())]))
