"""What is said about the run as a whole."""

from __future__ import annotations

from pathlib import Path

from support.crafted import write_h5

from refconv.compare.remarks import notes
from refconv.formats import load


def test_a_file_that_changes_the_framework_is_told(tmp_path: Path) -> None:
    graph = load(write_h5(tmp_path / "m.h5"))
    before = {"floatx": "float32", "dtype_policy": "float32"}
    assert not list(notes(graph, (), {})) and not list(
        notes(graph, (), {"state_before": before, "state_after": before})
    )
    (note,) = notes(graph, (), {"state_before": before, "state_after": {**before, "floatx": "float16"}})
    assert note == "loading the file changed the framework's global state: floatx from float32 to float16"
