"""A trace that arrives call by call: a layer can be judged and its tensors forgotten before the next is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

from refconv.errors import FrameworkError
from refconv.frameworks.failure import LayerFailed
from refconv.frameworks.process import Frame
from refconv.frameworks.receive import Receiver
from refconv.trace import Call, Trace

AT_ONCE = 16 << 20  # bytes that are read before what has arrived is judged

Progress = Callable[[str, float], None]
AsError = Callable[[dict[str, Any], Trace], FrameworkError]


class Stream:
    """What a worker sends. Up to the first calls it is read by a thread, so that the parent may compute meanwhile.

    What follows is read when it is asked for: until then the worker waits, and nothing piles up.

    Args:
        frames: the worker's, up to `done` or `error`.
        as_error: the exception that an error frame stands for.
    """

    def __init__(self, frames: Iterator[Frame], as_error: AsError, progress: Progress) -> None:
        self.failure: LayerFailed | None = None  # where a layer could not run: what came before it is here
        self._frames, self._as_error, self._progress = frames, as_error, progress
        self._receiver, self._uses = Receiver(), Counter[str]()
        self._error: BaseException | None = None
        self._more, self._first, self._following = True, True, False
        self._reader = Thread(target=self._begin, name="frames", daemon=True)
        self._reader.start()

    @property
    def trace(self) -> Trace:
        """What has arrived and is not forgotten."""
        return self._receiver.trace

    def ready(self) -> bool:
        """Whether the first calls have arrived, or the worker has ended."""
        return not self._reader.is_alive()

    def more(self) -> bool:
        """Wait for the next calls, or the stream's end; False where it had ended.

        Raises:
            FrameworkError: the framework failed, otherwise than in a layer with calls before it.
        """
        if self._first:
            while not self.ready():
                self._reader.join(0.1)  # a thread that waits without end may sleep through Ctrl-C
            self._first = False
            if self._error:
                raise self._error
        elif not self._more:
            return False
        else:
            self._more = self._read()
        return True

    def following(self) -> bool:
        """Go on to the next slice of the samples, whose trace begins empty; False where there is none."""
        while self.more():
            self.trace.tensors.clear()
        if not self._following:
            return False
        self._receiver.next_slice()
        self._uses.clear()
        self._more, self._following = True, False
        return True

    def all(self) -> Trace:
        """Everything, to the end of the samples' slice."""
        while self.more():
            pass
        return self.trace

    def forget(self, call: Call) -> None:
        """Drop the tensors that no other call needs."""
        self._uses.subtract(call.keys)
        for key in call.keys:
            if self._uses[key] <= 0:
                self.trace.tensors.pop(key, None)

    def _begin(self) -> None:
        try:
            self._more = self._read()
        except BaseException as error:  # raised again in the thread that asks
            self._error = error

    def _read(self) -> bool:
        """Frames up to a pass's last one, or a call before which much was read; False at the end of a slice."""
        read = 0
        for header, array in self._frames:
            kind = header["kind"]
            if kind == "progress":
                self._progress(header["what"], header["done"] / header["total"])
            elif kind == "slice":
                self._following = True
                return False
            elif kind == "error":
                return self._fail(self._as_error(header, self.trace))
            else:
                self._receiver.take(header, array)
                read += 0 if array is None else array.nbytes
                if "uses" in header:  # a probe's tensors are kept
                    self._uses[header["key"]] = header["uses"]
                if kind == "passed" or (kind == "call" and read > AT_ONCE):
                    return True
        return False

    def _fail(self, error: FrameworkError) -> bool:
        if not (isinstance(error, LayerFailed) and self.trace.calls):
            raise error
        self.failure = error
        return False


class Whole:
    """A trace that is there already, in a `Stream`'s place."""

    failure = None

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def ready(self) -> bool:
        return True

    def more(self) -> bool:
        return False

    def following(self) -> bool:
        return False

    def all(self) -> Trace:
        return self.trace

    def forget(self, call: Call) -> None:
        return None
