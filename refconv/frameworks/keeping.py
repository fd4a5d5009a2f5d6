"""Frames kept in a file as they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from refconv.errors import BadInput
from refconv.frameworks.worker.trace_file import CannotWrite, Writer


@contextmanager
def keeping(path: str | Path, about: Mapping[str, Any], inputs: Sequence[np.ndarray]) -> Iterator[Writer]:
    """What writes the trace in `path`, which is there when the context ends well; else nothing is left.

    Args:
        about: the first line (formats/frame_types.py says what it holds).
        inputs: what the model is fed.

    Raises:
        BadInput: the system refuses.
    """
    try:
        with Writer(str(path), dict(about)) as writer:
            for index, x in enumerate(inputs):
                writer.take({"kind": "input", "index": index}, x)
            yield writer
    except CannotWrite as error:
        raise BadInput(str(error)) from None
