"""A damaged HDF5 file read first by a copy of this process, which may hang or die of it.

libhdf5 has loops that damage makes endless (a free object of size 0 in a global heap), and no Python signal reaches
into them. What a copy has come through, this process will.
"""

from __future__ import annotations

import os
import select
import signal
import warnings
from importlib import import_module
from pathlib import Path

from refconv.errors import RefconvError, UnreadableModel

SECONDS = 8  # of the processor: real models take one hundredth of it
PATIENCE = 300.0  # for a disk that is slow


def rehearse(path: str | Path, seconds: int = SECONDS) -> None:
    """Read every link and attribute of the file in a fork; only for a process of one thread, such as the program's.

    Raises:
        UnreadableModel: the copy did not come to an end, or died. Whatever else is wrong is left to be found again.
    """
    if not hasattr(os, "pidfd_open"):  # no Linux
        return
    import_module("refconv.formats.source")  # once, and not in every copy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 counts the threads of libraries, which wait
        pid = os.fork()
    if not pid:
        _copy(path, seconds)
    handle = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([handle], [], [], PATIENCE)
    finally:
        os.close(handle)
        os.kill(pid, signal.SIGKILL)  # still a child of ours, ended or not
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not ended or status == -signal.SIGXCPU:
        raise UnreadableModel("damaged HDF5: the library that reads it comes to no end", where=str(path))
    if status < 0:
        name = signal.Signals(-status).name
        raise UnreadableModel(f"damaged HDF5: the library that reads it dies of {name}", where=str(path))


def _copy(path: str | Path, seconds: int) -> None:
    """What the copy does; it never returns."""
    import resource

    try:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        soft = seconds if hard == resource.RLIM_INFINITY else min(seconds, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.setsid()
        for number in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        _read(Path(path))
    except (RefconvError, OSError, ValueError, KeyError, RuntimeError, TypeError, MemoryError):
        pass
    finally:
        os._exit(0)


def _read(path: Path) -> None:
    from refconv.formats.source import weights_of

    with weights_of(path).open() as root:
        for _ in root.attributes():
            pass
