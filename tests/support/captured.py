"""Everything that a worker sends of one model, at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refconv.frameworks import Worker
from refconv.trace import Trace


def capture(
    path: str | Path, inputs: Sequence[np.ndarray], *, keras: int, python: str | None = None, **how: Any
) -> Trace:
    """The whole trace; a layer's failure is raised. `how` as `Worker.stream` takes it."""
    with Worker(keras, python=python) as worker:
        stream = worker.stream(path, inputs, **how)
        trace = stream.all()
    if stream.failure:
        raise stream.failure
    return trace
