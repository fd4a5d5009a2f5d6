"""`refconv check` beside a plain script that predicts the same batch, in turn, each in processes of its own."""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refconv.pipeline import Options, draw_inputs
from speed.files import ROOT, File
from speed.processes import Ran, read_away, run
from speed.timing import Measured, spread

SCRIPT = Path(__file__).with_name("plain.py")
PROGRAM = [sys.executable, "-c", "from refconv.cli import main; main()"]  # what the console script of refconv does
HERE = {"PYTHONPATH": str(ROOT)}  # this tree's refconv, whichever is installed
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}  # as refconv starts its own worker
FINISHED = (0, 1, 3)  # check judged all layers: it passed, failed, or is incomplete

Told = Callable[[str], None]


@dataclass(frozen=True)
class Side:
    """All rounds of one command: seconds, the median of the peaks in bytes, and the worst exit."""

    seconds: Measured
    peak: float
    exit_code: int
    said: str

    @classmethod
    def of(cls, rounds: Sequence[Ran]) -> Side:
        worst = max(rounds, key=lambda ran: abs(ran.exit_code))
        peak = float(np.median([ran.peak for ran in rounds]))
        return cls(spread([ran.seconds for ran in rounds]), peak, worst.exit_code, worst.said)


@dataclass(frozen=True)
class Row:
    """One model at one batch."""

    model: str
    batch: int
    rounds: int
    plain: Side
    check: Side

    @property
    def passes(self) -> bool:
        return self.plain.exit_code == self.check.exit_code == 0

    @property
    def comparable(self) -> bool:
        """Both did all of their work, whatever the verdict."""
        return self.plain.exit_code == 0 and self.check.exit_code in FINISHED

    @property
    def slower(self) -> float | None:
        return self.check.seconds.median / self.plain.seconds.median if self.comparable else None

    @property
    def larger(self) -> float | None:
        return self.check.peak / self.plain.peak if self.comparable else None


def beside(file: File, batches: Sequence[int], rounds: int, growth_rounds: int, told: Told) -> list[Row]:
    """`rounds` at the first batch and `growth_rounds` at the others, after a warm-up of both at the first.

    A round goes through all its batches, so that what slows the machine down for a while bends no line.
    """
    with tempfile.TemporaryDirectory() as folder:
        inputs = dict(_drawn(file, batches, Path(folder)))
        plain, check = defaultdict[int, list[Ran]](list), defaultdict[int, list[Ran]](list)
        first = next(iter(inputs))
        _plain(file, inputs[first]), _check(file, first)
        for number in range(max(rounds, growth_rounds)):
            for batch, arrays in inputs.items():
                if number < (rounds if batch == first else growth_rounds):
                    told(f"{file.name}, batch {batch}, round {number + 1}")
                    plain[batch].append(_plain(file, arrays))
                    check[batch].append(_check(file, batch))
    return [Row(file.name, b, len(plain[b]), Side.of(plain[b]), Side.of(check[b])) for b in inputs]


def weights_beside_cat(path: Path, rounds: int) -> tuple[Side, Side]:
    """`refconv weights FILE` and `cat FILE`, both `> /dev/null`, after a warm-up of both."""
    cat, weights = ["cat", path], [*PROGRAM, "weights", path]
    read_away(cat), read_away(weights, HERE)
    both = [(read_away(cat), read_away(weights, HERE)) for _ in range(rounds)]
    return Side.of([pair[0] for pair in both]), Side.of([pair[1] for pair in both])


def _drawn(file: File, batches: Sequence[int], folder: Path) -> Iterator[tuple[int, list[Path]]]:
    """The batch that the model takes (its own where it fixes one), and the files of what `check` draws for it."""
    for samples in batches:
        arrays = draw_inputs(file.graph, None, Options(samples=samples))
        paths = [folder / f"{samples}-{number}.npy" for number in range(len(arrays))]
        for path, array in zip(paths, arrays, strict=True):
            np.save(path, array)
        yield len(arrays[0]), paths


def _plain(file: File, inputs: Sequence[Path]) -> Ran:
    layers = "qkeras" if file.graph.qkeras else "keras"
    return run([sys.executable, SCRIPT, file.path, str(file.graph.keras), layers, *inputs], QUIET)


def _check(file: File, batch: int) -> Ran:
    return run([*PROGRAM, "check", file.path, "--samples", str(batch)], HERE)
