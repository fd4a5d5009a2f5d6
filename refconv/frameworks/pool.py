"""Workers that serve more than one check: importing a framework takes seconds, a model a fraction of one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock, Timer
from types import TracebackType

from refconv.frameworks.process import NO_SWITCHES, Child

IDLE = 300.0  # seconds after which a worker that nobody asks is ended
KEPT = 2  # workers that wait at once: one of Keras 2 and one of Keras 3 take some hundred MB each
LAST = 5.0  # seconds for what is left of an answer


@dataclass(frozen=True)
class Kind:
    """What is fixed when a worker starts, or with its first model: one of another kind cannot take its place."""

    keras: int
    python: str | None = None
    memory: int = 0
    switches: tuple[tuple[str, str], ...] = ()
    device: str = "auto"
    backend: str = "tensorflow"
    deterministic: bool = False

    def start(self) -> Child:
        return Child(
            self.keras, backend=self.backend, python=self.python, memory=self.memory, switches=dict(self.switches)
        )


def kind(
    keras: int,
    python: str | None,
    memory: int,
    switches: Mapping[str, str] = NO_SWITCHES,
    device: str = "auto",
    backend: str = "tensorflow",
    deterministic: bool = False,
) -> Kind:
    return Kind(keras, python, memory, tuple(sorted(switches.items())), device, backend, deterministic)


class Pool:
    """Keeps workers between checks, until it is closed or they have waited for `idle` seconds.

    Example:
        with refconv.Pool() as pool:
            for path in paths:
                result = refconv.check(path, pool=pool)

    A worker is kept only if it answered to the end, ran no code of the user's, and its process-wide settings are what
    they were before the model; any other is ended, and the next check starts a new one. It may be used from several
    threads: each check has a worker of its own.

    Args:
        idle: seconds.
        kept: workers that wait at once; the one that waited longest gives way.
    """

    def __init__(self, *, idle: float = IDLE, kept: int = KEPT) -> None:
        self._idle, self._kept = idle, kept
        self._waiting: list[tuple[Kind, Child, float]] = []  # the one that waited longest first
        self._lock, self._closed = Lock(), False
        self._timer: Timer | None = None

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        """Workers that wait for a check."""
        return len(self._waiting)

    def take(self, kind: Kind) -> Child:
        """A worker of that kind, which the caller gives back.

        Raises:
            FrameworkError: none waits, and a new one cannot be started.
        """
        with self._lock:
            if self._closed:
                raise ValueError("the pool has been closed")
            found = next((entry for entry in reversed(self._waiting) if entry[0] == kind), None)
            if found:
                self._waiting.remove(found)
        if found is None:
            return kind.start()
        if found[1].alive():
            return found[1]
        found[1].close()  # killed from outside while it waited
        return kind.start()

    def give_back(self, kind: Kind, child: Child, *, sound: bool) -> None:
        """Keep the worker if it can serve on, else end it.

        Args:
            sound: the check ended as it should, so that the rest of an answer may be read and forgotten.
        """
        if not (child.free or (sound and child.finish(LAST))):
            child.close()
            return
        with self._lock:
            if not self._closed:
                self._waiting.append((kind, child, time.monotonic()))
                surplus = [self._waiting.pop(0) for _ in range(len(self._waiting) - self._kept)]
            else:
                surplus = [(kind, child, 0.0)]
            self._watch()
        _end(surplus)

    def close(self) -> None:
        """End all workers that wait; one in use is ended when it is given back. Safe to call twice."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
            self._watch()
        _end(waiting)

    def _watch(self) -> None:
        """Wake up when the next worker has waited too long."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._timer = Timer(max(self._waiting[0][2] + self._idle - time.monotonic(), 0.0), self._expire)
            self._timer.daemon = True
            self._timer.start()

    def _expire(self) -> None:
        with self._lock:
            now = time.monotonic()
            old = [entry for entry in self._waiting if now - entry[2] >= self._idle]
            self._waiting = [entry for entry in self._waiting if entry not in old]
            self._watch()
        _end(old)


def _end(entries: list[tuple[Kind, Child, float]]) -> None:
    for _, child, _ in entries:
        child.close()
