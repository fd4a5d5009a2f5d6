"""One worker does one job after another: also after one that failed, and with code that is imported only once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refconv.errors import FrameworkError
from refconv.frameworks import Worker

SAMPLE = Path(__file__).resolve().parents[2] / "refconv" / "samples" / "digits.h5"
CODE = """
import tf_keras

with open({mark!r}, "a") as file:
    print("imported", file=file)

@tf_keras.saving.register_keras_serializable("mine")
class Mine(tf_keras.layers.Layer):
    pass
"""


def test_a_worker_serves_on(tmp_path: Path) -> None:
    mark, code, bad = tmp_path / "mark.txt", tmp_path / "mine.py", tmp_path / "bad.h5"
    code.write_text(CODE.format(mark=str(mark)))
    bad.write_bytes(b"\x89HDF\r\n\x1a\nno more")
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)
    with Worker(2) as worker:
        first = worker.stream(SAMPLE, [x[:2]], code=[str(code)]).all()
        with pytest.raises(FrameworkError):
            worker.stream(bad, [x[:2]], code=[str(code)]).all()
        second = worker.stream(SAMPLE, [x[2:]], code=[str(code)]).all()
    assert mark.read_text().splitlines() == ["imported"]
    assert [call.layer for call in first.calls] == [call.layer for call in second.calls] != []
    assert not np.array_equal(first.plain[0], second.plain[0])
