"""Frames that were kept, received as if a worker sent them now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from refconv.errors import FrameworkError
from refconv.frameworks.failure import as_error
from refconv.frameworks.process import Frame
from refconv.frameworks.stream import Progress, Stream
from refconv.trace import Trace


class Replay(Stream):
    """A stream for which nobody waits: the reference goes as far ahead of it as it may of a framework that is slow.

    So its own values are computed in the same way, to the last bit, as beside such a framework.
    """

    def ready(self) -> bool:
        return False


def replay(
    frames: Iterator[Frame], path: str, keras: int, progress: Progress | None = None, backend: str = "tensorflow"
) -> Replay:
    """What `Worker.stream` gave when the frames were kept.

    Args:
        path: of the model, for the message where a layer could not run.
        keras, backend: major version of the Keras that sent them, and what it ran on.
    """

    def error(header: dict[str, Any], trace: Trace) -> FrameworkError:
        return as_error(header, path, keras, trace, backend)

    return Replay(frames, error, progress or (lambda what, share: None))
