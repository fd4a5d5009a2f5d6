"""Pieces of work: each is done once, by whoever is free, and what fails is told."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from refconv.primitives.threads import WORTH, Task, Threads, spans


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("total", [0, 1, 7, 1000])
@pytest.mark.parametrize("each", [1, WORTH // 50, WORTH])
def test_each_piece_is_done_once(count: int, total: int, each: float) -> None:
    done: list[tuple[int, int]] = []
    Threads(count).over(total, lambda *piece: done.append(piece), each)
    assert [i for start, stop in sorted(done) for i in range(start, stop)] == list(range(total))


def test_two_threads_work_at_once() -> None:
    """Each of two pieces waits for the other to begin."""
    both = threading.Barrier(2, timeout=60)
    Threads(2).run(Task([both.wait], 0), Task([both.wait], WORTH))


def test_threads_that_are_busy_elsewhere_are_not_waited_for() -> None:
    """Two callers share the helpers: one that finds them taken does all its pieces itself."""
    pool, done = Threads(2), []
    begun, leave = threading.Event(), threading.Event()

    def hold(i: int) -> None:
        if threading.current_thread() is not caller:
            begun.set()
            leave.wait(60)
        else:
            begun.wait(60)

    caller = threading.Thread(target=lambda: pool.over(2, lambda i, _: hold(i), WORTH))
    caller.start()
    assert begun.wait(60)
    pool.over(5, lambda *piece: done.append(piece), WORTH)
    leave.set()
    caller.join()
    assert sorted(done) == list(spans(5, 1))


@pytest.mark.parametrize("bad", [0, 5, 19])
def test_an_exception_of_any_piece_is_raised(bad: int) -> None:
    def work(i: int) -> None:
        if i == bad:
            raise ValueError(f"piece {i}")

    with pytest.raises(ValueError, match=f"piece {bad}"):
        Threads(3).run(Task([partial(work, i) for i in range(20)], WORTH))


def test_little_work_wakes_nobody() -> None:
    """Another thread would be a second one."""
    found: list[int] = []
    calls = [lambda: found.append(threading.get_ident())] * 50
    Threads(4).run(Task(calls, WORTH / 3), Task(calls, WORTH / 3))
    assert len(found) == 100 and set(found) == {threading.get_ident()}
