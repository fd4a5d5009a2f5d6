"""Evaluations without a child process: the worker's own code runs in this one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from support.live import framework

from refconv import frameworks
from refconv.frameworks import Evaluation
from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.evaluating import evaluate
from refconv.job import Job
from refconv.trace import read_frames


class Inside:
    """In the place of `frameworks.Worker`; `change` may alter what the framework is said to have given."""

    folder: Path
    change: Any = staticmethod(lambda found: None)

    def __init__(self, keras: int) -> None:
        self._keras = keras

    def __enter__(self) -> Inside:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def evaluate(
        self,
        path: str,
        inputs: Sequence[np.ndarray],
        targets: Sequence[np.ndarray | None],
        weights: Sequence[np.ndarray | None],
        *,
        batch: int,
        compiled: Mapping[str, Any],
        stored: bool,
        **_: Any,
    ) -> Evaluation:
        text = json.dumps(dict(compiled))
        files = [
            [self._save(kind, n, x) for n, x in enumerate(xs)]
            for kind, xs in zip("xyw", (inputs, targets, weights), strict=True)
        ]
        job = Job(
            str(path),
            self._keras,
            files[0],
            targets=files[1],
            weights=files[2],
            batch=batch,
            compiled=text,
            stored=stored,
        )
        stream = io.BytesIO()
        evaluate(framework(self._keras), job, Channel(stream))
        found = Evaluation()
        for header, array in read_frames(io.BytesIO(stream.getvalue())):
            found.take(header, array)
        self.change(found)
        return found

    def _save(self, kind: str, number: int, x: np.ndarray | None) -> str:
        if x is None:
            return ""
        path = self.folder / f"{kind}{number}.npy"
        np.save(path, x)
        return str(path)


def inside(folder: Path, monkeypatch: Any, change: Any = None) -> None:
    """From now on `refconv.evaluate` runs the framework in this process."""
    monkeypatch.setattr(Inside, "folder", folder, raising=False)
    if change is not None:
        monkeypatch.setattr(Inside, "change", staticmethod(change))
    monkeypatch.setattr(frameworks, "Worker", Inside)
