"""Traces that somebody made up: every checksum right, and the frames not what any worker sends.

    python tests/security/forge.py --count 5000 [--model MODEL --trace TRACE]

What may come of one is that it is refused in one line, or that it is judged, whatever the verdict. Who makes up a trace
may have any verdict anyway: it says what the numbers in it are worth, not where they are from.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support import traces  # noqa: E402

import refconv  # noqa: E402
from refconv.errors import RefconvError  # noqa: E402

Frame = tuple[dict[str, Any], "np.ndarray | None"]
VALUES = (0, 1, 2, -1, 2**31, 2**40, 1.5, "", "x", "0:0", "0:1", "dense", [], {}, None, True, [1], ["a", "b"], {"a": 1},
          "\x1b[2J", "GPU", float("nan"))  # fmt: skip
DTYPES = ("float16", "float64", "int32", "bool", "complex64", "S3", "U2", "uint8")


def forge(frames: list[Frame], draw: random.Random) -> list[Frame]:
    """One to three changes of headers, arrays, or the order."""
    found = [(json.loads(json.dumps(header)), array) for header, array in frames]
    for _ in range(draw.choice((1, 1, 2, 3))):
        change: Callable[[list[Frame], random.Random], None] = draw.choice((_header, _header, _header, _array, _order))
        change(found, draw)
    return found


def _header(found: list[Frame], draw: random.Random) -> None:
    """Some value anywhere in a header becomes another, or one of the same type."""
    holder: Any = draw.choice(found)[0]
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = draw.choice(keys)
        if isinstance(holder[key], (dict, list)) and holder[key] and draw.random() < 0.8:
            holder = holder[key]
            continue
        alike = [value for value in VALUES if type(value) is type(holder[key])]
        holder[key] = draw.choice(alike if alike and draw.random() < 0.6 else VALUES)
        return


def _array(found: list[Frame], draw: random.Random) -> None:
    with_array = [i for i, (_, array) in enumerate(found) if array is not None]
    if not with_array:
        return
    at = draw.choice(with_array)
    header, array = found[at]
    assert array is not None
    kind = draw.randrange(6)
    with np.errstate(all="ignore"):
        if kind == 0:
            array = np.asarray(array).astype(draw.choice(DTYPES))
        elif kind == 1:
            array = array.reshape(-1)
        elif kind == 2:
            array = array[..., :-1] if array.ndim else array
        elif kind == 3:
            array = array[None]
        elif kind == 4:
            array = np.zeros((0,), array.dtype)
        else:
            array = np.full(array.shape, draw.choice((np.nan, np.inf, 1e30, -1.0))).astype(array.dtype)
    found[at] = (header, array)


def _order(found: list[Frame], draw: random.Random) -> None:
    at, other = draw.randrange(len(found)), draw.randrange(len(found))
    kind = draw.randrange(4)
    if kind == 0:
        found.pop(at)
    elif kind == 1:
        found.insert(other, (json.loads(json.dumps(found[at][0])), found[at][1]))
    elif kind == 2:
        found[at], found[other] = found[other], found[at]
    else:
        found.insert(other, ({"kind": draw.choice(("slice", "done", "pass", "passed", "probe")), "index": 0,
                              "inputs": ["0:0"]}, None))  # fmt: skip
    if not found:
        found.append(({"kind": "done"}, None))


Trace = tuple[list[Frame], dict[str, Any], list[np.ndarray]]


def run(model: Path, right: Trace, count: int, seed: int) -> Any:
    """Outcomes by kind, and what must not be."""
    from refconv.frameworks.keeping import keeping

    frames, about, inputs = right
    outcomes: Counter[str] = Counter()
    bad: list[str] = []
    with tempfile.TemporaryDirectory(prefix="refconv-forge-") as name:
        path = Path(name) / "forged.h5"
        for number in range(count):
            draw = random.Random(f"{seed} {number}")
            sent = forge([(about, None), *frames], draw)
            first = sent[0][0] if sent[0][1] is None else about
            try:
                with keeping(path, first, inputs) as writer:
                    for header, array in sent[1:]:
                        writer.take({**header, "kind": header.get("kind")}, array)
                result = refconv.check(model, trace=str(path), engine="numpy", power=number % 4 == 0)
                _printed(result)
                outcomes[result.verdict] += 1
            except RefconvError as error:
                outcomes["refused" if "\n" not in str(error) else "several lines"] += 1
                if "\n" in str(error):
                    bad.append(f"{number}: {error}")
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                bad.append(f"{number}: {type(error).__name__}: {error} at {where.filename}:{where.lineno}")
                outcomes["bug"] += 1
    return outcomes, bad


def _printed(result: Any) -> None:
    """All that is printed of it, which must not raise."""
    from rich.console import Console

    from refconv.report import json_report, junit, terminal

    json_report.render(result)
    junit.render(result)
    with open("/dev/null", "w") as nowhere:
        terminal.render(result, Console(file=nowhere), 1)


def of_file(trace: Path) -> Trace:
    """The frames of a trace that was captured."""
    import h5py

    with h5py.File(trace) as file:
        about = json.loads(file["frames"][()].tobytes().splitlines()[0])
    _, inputs, found = traces.read(trace)
    extra = ("dtype", "shape", "crc32")
    frames = [({k: v for k, v in h.items() if k not in extra or h["kind"] == "probe"}, a) for h, a in found]
    return frames, about, inputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--trace", type=Path, help="a right trace of the model, whose frames are changed")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="refconv-forge-") as name:
        model = given.model or traces.model(Path(name))
        right = of_file(given.trace) if given.trace else (traces.frames(), traces.about(model), [traces.X])
        outcomes, bad = run(model, right, given.count, given.seed)
    for outcome, number in sorted(outcomes.items()):
        print(f"{outcome:12} {number}")
    print(f"{given.count} traces, {len(bad)} that must not be, {time.monotonic() - started:.0f} s")
    for line in bad[:60]:
        print(line)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
