"""A limit on this process's memory, for the one thing in a file whose size nobody can know before it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USED = re.compile(r"^VmData:\s+(\d+) kB", re.MULTILINE)


@contextmanager
def at_most(more: int) -> Iterator[None]:
    """Within the context, `more` bytes beyond what is in use raise MemoryError; without limit where no Linux is."""
    try:
        import resource

        used = USED.search(Path("/proc/self/status").read_text())
    except (ImportError, OSError):
        used = None
    if used is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(used[1]) * 1024 + more
    lower = wanted if resource.RLIM_INFINITY in (soft, hard) else min(wanted, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (lower, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
