"""The README's section on performance: only what the results hold, and nothing outside the markers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import readme
from speed.section import BEGIN, END, rewritten, section

MACHINE = {"processor": "P", "cores": 2, "load": 0.5, "torch": "absent"}


def kernels() -> dict[str, Any]:
    def layer(kind: str, rate: float, **peers: float) -> dict[str, Any]:
        found = {name: {"gflops": 1.0, "times_refconv": value} for name, value in peers.items()}
        return {"kind": kind, "peers": {"refconv": {"gflops": rate, "times_refconv": 1.0}, **found}}

    layers = [layer("dense", 10.0, torch=2.0), layer("dense", 40.0, torch=8.0), layer("max pool", 3.0)]
    promised = {"dense values, times torch float64 (goal 1.0)": 4.0}
    return {"benchmark": "kernels", "machine": MACHINE, "batch": 1, "promised": promised, "layers": layers}


def check(exit_code: int = 0) -> dict[str, Any]:
    def row(batch: int, slower: float | None) -> dict[str, Any]:
        side = {"seconds": 10.0, "peak_bytes": 5e8, "exit_code": 0, "said": ""}
        checked = {"seconds": 12.0, "peak_bytes": 6e8, "exit_code": exit_code, "said": "FAIL  conv"}
        return {"model": "VGG16", "batch": batch, "plain": side, "check": checked, "slower": slower, "larger": 1.2}

    line = {"fixed": 9.0, "each": 1.5, "off": 0.04}
    return {
        "benchmark": "check",
        "machine": MACHINE,
        "memory": "PSS",
        "promised": {"VGG16, batch 1, times the plain script (goal 1.5)": 1.2, "weights (goal 1.0)": None},
        "rows": [row(1, 1.2), row(2, 1.3), row(4, None)],
        "growth": {"VGG16": {"check": line, "plain": line, "marginal": 2.5}, "other": None},
        "weights": {"cat": {"seconds": 0.2}, "weights": {"seconds": 0.6}},
    }


def framework() -> dict[str, Any]:
    model = {"layers": 3, "seconds": {"refconv": 0.25, "tensorflow CPU": 0.1}, "times": {"tensorflow CPU": 2.5}}
    untimed = {"model": "VGG16", "layer": "x", "type": "Operation", "reason": "no layer"}
    return {
        **{"benchmark": "framework", "machine": MACHINE, "gpu": "no GPU", "batch": 1},
        **{"models": {"VGG16": model}, "not_timed": [untimed]},
    }


def test_every_line_is_what_a_benchmark_measured() -> None:
    text = section([kernels(), check(), framework()])
    for expected in (
        "`benchmarks/kernels.py`, `benchmarks/check.py`, `benchmarks/framework.py`; no GPU: processor P, cores 2.",
        "| dense values, times torch float64 | ≥ 1.0 | 4.00 |",
        "| VGG16, batch 1, times the plain script | ≤ 1.5 | 1.20 |",
        "| weights | ≤ 1.0 | – |",
        "| dense | 2 | 20.00 | 4.00 |",  # geometric means of 10 and 40, of 2 and 8
        "| max pool | 1 | 3.00 | – |",
        "| VGG16 | 1 | 10.0 | 12.0 | 1.20 | 500 | 600 | 1.20 |",
        "| VGG16 | 4 | 10.0 | 12.0 | – | 500 | 600 | 1.20 |",
        "| VGG16 | 9.0 + 1.50·N | 4% | 2.50 |",
        "`refconv weights` on the VGG16 file takes 0.60 s, `cat` 0.20 s. Memory is PSS.",
        "| VGG16 | 3 | 250.00 | 100.00 | 2.5 |",
        "Not called alone: 1 layers (Operation).",
    ):
        assert expected in text.splitlines(), f"{expected}\n\n{text}"
    assert "| VGG16 | 2 | 10.0" not in text  # between the smallest and the largest batch
    assert "absent" not in text


def test_a_run_that_did_not_pass_is_told() -> None:
    assert "VGG16, batch 2: check ends with 1: FAIL  conv" in section([check(1)])


def test_other_machines_are_told_apart() -> None:
    other = {**framework(), "machine": {**MACHINE, "processor": "Q"}}
    assert section([check(), other]).splitlines()[:2] == [
        "`benchmarks/check.py`: processor P, cores 2.",
        "`benchmarks/framework.py`; no GPU: processor Q, cores 2.",
    ]


def test_only_what_lies_between_the_markers_is_written(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("kernels.json", "check.json", "framework.json", "README.md")]
    for path, told in zip(files, (kernels(), check(), framework()), strict=False):
        path.write_text(json.dumps(told))
    files[3].write_text(f"# before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):  # writing it again changes nothing
        readme.main([*map(str, files[:3]), "--readme", str(files[3])])
        text = files[3].read_text()
        assert text == f"# before\n{BEGIN}\n\n{section([kernels(), check(), framework()])}\n\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"])
def test_markers_that_are_not_there_once_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="needs one line"):
        rewritten(text, "new")


def test_the_readme_has_its_markers() -> None:
    text = (Path(readme.__file__).parents[1] / "README.md").read_text()
    assert rewritten(text, "new") != text
