"""A trace that arrives pass by pass: a layer can be judged and its tensors forgotten before the next pass is sent."""

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

Progress = Callable[[str, float], None]
AsError = Callable[[dict[str, Any], Trace], FrameworkError]


class Stream:
    """What a worker sends. Up to the first pass it is read by a thread, so that the parent may compute meanwhile.

    Further passes are read when they are asked for: until then the worker waits, and nothing piles up.

    Args:
        frames: the worker's, up to `done` or `error`.
        as_error: the exception that an error frame stands for.
    """

    def __init__(self, frames: Iterator[Frame], as_error: AsError, progress: Progress) -> None:
        self.failure: LayerFailed | None = None  # where a layer could not run: what came before it is here
        self._frames, self._as_error, self._progress = frames, as_error, progress
        self._receiver, self._uses, self._counted = Receiver(), Counter[str](), 0
        self._error: BaseException | None = None
        self._more, self._first, self._following = True, True, False
        self._reader = Thread(target=self._begin, name="frames", daemon=True)
        self._reader.start()

    @property
    def trace(self) -> Trace:
        """What has arrived and is not forgotten."""
        return self._receiver.trace

    def ready(self) -> bool:
        """Whether the first pass has arrived, or the worker has ended."""
        return not self._reader.is_alive()

    def more(self) -> bool:
        """Wait for the next pass, or the stream's end; False where it had ended.

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
        self._count()
        return True

    def following(self) -> bool:
        """Go on to the next slice of the samples, whose trace begins empty; False where there is none."""
        while self.more():
            self.trace.tensors.clear()
        if not self._following:
            return False
        self._receiver.next_slice()
        self._uses.clear()
        self._counted, self._more, self._following = 0, True, False
        return True

    def all(self) -> Trace:
        """Everything, to the end of the samples' slice."""
        while self.more():
            pass
        return self.trace

    def forget(self, call: Call) -> None:
        """Drop the tensors that no other call needs."""
        self._uses.subtract(_keys(call))
        self._drop(_keys(call))

    def _begin(self) -> None:
        try:
            self._more = self._read()
        except BaseException as error:  # raised again in the thread that asks
            self._error = error

    def _read(self) -> bool:
        """Frames up to a pass's last one; False at the end, be it that of a slice."""
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
                if kind == "passed":
                    return True
        return False

    def _fail(self, error: FrameworkError) -> bool:
        if not (isinstance(error, LayerFailed) and self.trace.calls):
            raise error
        self.failure = error
        return False

    def _count(self) -> None:
        for call in self.trace.calls[self._counted :]:
            self._uses.update(_keys(call))
        self._counted = len(self.trace.calls)
        self._drop({key for keys in self.trace.model_inputs[-1:] for key in keys})  # every pass brings them again

    def _drop(self, keys: set[str]) -> None:
        for key in keys:
            if self._uses[key] <= 0:
                self.trace.tensors.pop(key, None)


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


def _keys(call: Call) -> set[str]:
    named = [key for _, key in (*call.weights, *call.steps)]
    return {*call.inputs, *call.outputs, *named}
