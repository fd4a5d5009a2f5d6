"""Cut and flipped files: read in processes that only read, so that a hang or a crash is seen and counted.

    python tests/security/fuzz.py --flips 20000 --results fuzz.jsonl [--models FOLDER] [--frameworks 200]

What may come of a damaged file is that it is refused in one line, that it is read as it was (the damage lies where
nothing is read), or that other values are read. Of the last, some are read by the framework too: both have to read the
same. Results are added to a file as they come, so that a long run may be stopped.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "refconv" / "samples"
REAL = ("float/tiny_mnist.h5", "float/tiny_mnist.keras", "float/eegnet_channels_first.h5")
SECONDS = 20.0
SIGNATURES = (
    b"\x89HDF", b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OHDR", b"OCHK", b"FRHP", b"FHDB", b"BTHD", b"BTLF", b"FSHD",
    b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06",
)  # fmt: skip
GOOD = ("same", "other values", "refused")
SUMMED = ".trace"  # has checksums: damage that is not refused changes nothing


@dataclass(frozen=True)
class Damage:
    """What was done to a file: cut at a byte, or bytes there replaced."""

    file: str
    kind: str
    places: tuple[tuple[int, int], ...]  # (offset, new byte); of a cut only the offset counts

    def done(self, data: bytes) -> bytes:
        if self.kind == "cut":
            return data[: self.places[0][0]]
        changed = bytearray(data)
        for offset, value in self.places:
            changed[offset] = value
        return bytes(changed)


@dataclass
class Reader:
    """A child that reads the files it is told of, started anew when it dies; `hangs` and `crashes` are told apart."""

    folder: Path
    name: str = "read"
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def ask(self, path: Path) -> dict[str, Any]:
        process = self._started()
        assert process.stdin and process.stdout
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], SECONDS if self.name == "read" else 10 * SECONDS)
        if not ready:
            self.close()
            return {"outcome": "hang", "what": f"no answer in {SECONDS:g} s"}
        line = process.stdout.readline()
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        process.communicate()
        self._process, status = None, process.returncode
        return {"outcome": "crash", "what": f"ended with {status}: {self._last_words()}"}

    def _last_words(self) -> str:
        return " | ".join((self.folder / f"{self.name}.err").read_text(errors="replace").splitlines()[:12])[:600]

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            with (self.folder / f"{self.name}.err").open("w") as log:
                self._process = subprocess.Popen(
                    [sys.executable, __file__, "--child", self.name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
                )
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def cuts(path: Path) -> Iterator[Damage]:
    """At every kilobyte and at every boundary of a structure, and one byte on either side of it."""
    data = path.read_bytes()
    places = set(range(0, len(data), 1024))
    for place in boundaries(path, data):
        places |= {place - 1, place, place + 1}
    yield from (Damage(path.name, "cut", ((place, 0),)) for place in sorted(places) if 0 <= place < len(data))


def boundaries(path: Path, data: bytes) -> set[int]:
    """Where headers, trees, heaps and values begin and end."""
    found: set[int] = set()
    for signature in SIGNATURES:
        at = data.find(signature)
        while at >= 0:
            found |= {at, at + len(signature)}
            at = data.find(signature, at + 1)
    return found | (_objects(path) if data.startswith(b"\x89HDF") else set())


def _objects(path: Path) -> set[int]:
    """Object headers and the values of datasets."""
    import h5py

    found: set[int] = set()

    def visit(name: str, item: Any) -> None:
        found.add(int(h5py.h5o.get_info(item.id).addr))
        if isinstance(item, h5py.Dataset) and item.id.get_offset():
            start = int(item.id.get_offset())
            found.update((start, start + item.id.get_storage_size()))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def flips(path: Path, count: int, seed: int) -> Iterator[Damage]:
    """Single bits, bytes, and runs of bytes; half of them where structures are, which are a small part of a file."""
    data, draw = path.read_bytes(), random.Random(f"{seed} {path.name}")
    near = sorted(boundaries(path, data))
    for _ in range(count):
        start = draw.randrange(len(data))
        if near and draw.random() < 0.5:
            start = min(max(draw.choice(near) + draw.randrange(-8, 64), 0), len(data) - 1)
        length = draw.choice((1, 1, 1, 1, 2, 4, 8, 32))
        offsets = [start + step for step in range(length) if start + step < len(data)]
        if length == 1 and draw.random() < 0.5:
            places = [(start, data[start] ^ (1 << draw.randrange(8)))]
        else:
            fill = draw.choice((None, 0, 0xFF))
            places = [(offset, draw.randrange(256) if fill is None else fill) for offset in offsets]
        yield Damage(path.name, "flip", tuple(places))


@dataclass
class Tally:
    """Outcomes by kind of file and of damage, and what must not be."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    bad: list[dict[str, Any]] = field(default_factory=list)
    changed: list[Damage] = field(default_factory=list)

    def add(self, damage: Damage, found: dict[str, Any]) -> None:
        self.counts[Path(damage.file).suffix, damage.kind, found["outcome"]] += 1
        summed = damage.file.endswith(SUMMED) and found["outcome"] == "other values"
        if found["outcome"] not in GOOD or summed:
            self.bad.append({"damage": [damage.file, damage.kind, damage.places], **found})
        elif found["outcome"] == "other values":
            self.changed.append(damage)


def run(damages: Sequence[tuple[Path, Damage]], results: Path | None = None) -> Tally:
    """Read every damaged file in a child."""
    tally, originals = Tally(), dict[Path, str]()
    with tempfile.TemporaryDirectory(prefix="refconv-fuzz-") as name:
        folder = Path(name)
        reader = Reader(folder)
        try:
            for path, damage in damages:
                if path not in originals:
                    originals[path] = reader.ask(path)["digest"]
                damaged = folder / f"damaged{path.suffix}"
                damaged.write_bytes(damage.done(path.read_bytes()))
                found = reader.ask(damaged)
                if found["outcome"] == "read":
                    found["outcome"] = "same" if found["digest"] == originals[path] else "other values"
                tally.add(damage, found)
                if results is not None:
                    with results.open("a") as file:
                        file.write(json.dumps({"file": damage.file, "kind": damage.kind, "places": damage.places[:4],
                                               **found}) + "\n")  # fmt: skip
        finally:
            reader.close()
    return tally


def beside_framework(paths: dict[str, Path], changed: Sequence[Damage]) -> Counter[str]:
    """Of files that refconv reads with other values: whether the framework reads the same ones."""
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="refconv-fuzz-") as name:
        folder = Path(name)
        reader, framework = Reader(folder), Reader(folder, "framework")
        try:
            for damage in changed:
                path = paths[damage.file]
                damaged = folder / f"damaged{path.suffix}"
                damaged.write_bytes(damage.done(path.read_bytes()))
                ours, theirs = reader.ask(damaged), framework.ask(damaged)
                if theirs["outcome"] != "read":
                    outcomes["the framework does not read it"] += 1
                elif ours["weights"] == theirs["weights"]:
                    outcomes["both read the same"] += 1
                else:
                    outcomes[f"differ: {damage}"] += 1
        finally:
            reader.close()
            framework.close()
    return outcomes


# The children.


def read(path: Path) -> dict[str, Any]:
    """What refconv reads: a digest of it, or why it is refused."""
    from refconv.errors import RefconvError

    _misbehave(path.name)
    try:
        weights, rest = {".npz": _npz, ".trace": _trace}.get(path.suffix, _model)(path)
    except RefconvError as error:
        line = str(error)
        return {"outcome": "refused" if "\n" not in line else "several lines", "what": line[-120:]}
    digest = hashlib.sha256(json.dumps([weights, rest]).encode()).hexdigest()
    return {"outcome": "read", "digest": digest, "weights": weights}


def _misbehave(name: str) -> None:
    """What test_fuzz.py asks for, to see that it is seen."""
    if name == "test-segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif name == "test-silence":
        time.sleep(60)
    elif name == "test-bug":
        raise ZeroDivisionError


def _npz(path: Path) -> tuple[Any, str]:
    from refconv.inputs.arrays import read_array

    return [[_digest(read_array(path, key)) for key in ("x", "y")]], ""


def _trace(path: Path) -> tuple[Any, str]:
    """All of a trace: what differs is no other value, it is damage that was not seen."""
    from refconv.formats.rehearsal import rehearse
    from refconv.formats.traced import open_trace

    rehearse(path, 3)
    with open_trace(path) as trace:
        told = [str(trace.about), [_digest(x) for x in trace.inputs]]
        told += [[str(header), "" if array is None else _digest(array)] for header, array in trace.frames]
    return told, ""


def _model(path: Path) -> tuple[Any, str]:
    from refconv import formats
    from refconv.formats.refusals import refuse
    from refconv.formats.rehearsal import rehearse

    rehearse(path, 3)
    source = formats.accept(path)
    refuse(source)
    graph = formats.load(source)
    weights: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.weights and not node.call:
            weights[node.layer] = sorted(_digest(weight.value) for weight in node.weights.values())
    rest = [[node.layer, node.type, str(node.attrs), node.dtype, str(node.inputs), node.reason] for node in graph.nodes]
    return weights, str(rest)


def _digest(array: Any) -> str:
    return f"{array.dtype}{array.shape}" + hashlib.sha256(array.tobytes()).hexdigest()[:24]


def framework_reads(path: Path) -> dict[str, Any]:
    """What Keras reads, by its own loader."""
    import numpy as np

    from refconv.frameworks.worker.loading import import_framework, load_model

    framework = _FRAMEWORKS.setdefault(path.suffix, None) or import_framework(3 if path.suffix == ".keras" else 2)
    _FRAMEWORKS[path.suffix] = framework
    try:
        framework.keras.backend.clear_session()
        model = load_model(framework, str(path), qkeras="qkeras" in path.name)
    except Exception as error:
        return {"outcome": "refused", "what": f"{type(error).__name__}"}
    weights = {layer.name: sorted(_digest(np.asarray(w)) for w in layer.get_weights()) for layer in model.layers}
    return {"outcome": "read", "weights": {name: found for name, found in weights.items() if found}}


_FRAMEWORKS: dict[str, Any] = {}


def serve(kind: str) -> None:
    """Answer for each path on stdin; whatever is no RefconvError is a bug."""
    faulthandler.enable()
    answer = read if kind == "read" else framework_reads
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            found = answer(Path(line.rstrip("\n")))
        except Exception as error:
            import traceback

            where = traceback.extract_tb(error.__traceback__)[-1]
            found = {"outcome": "bug", "what": f"{type(error).__name__}: {error} at {where.filename}:{where.lineno}"}
        out.write(json.dumps(found) + "\n")
        out.flush()


def subjects(folder: Path, models: Path | None) -> list[Path]:
    """The samples, an .npz file, a trace, and real models where there are some."""
    import numpy as np

    sys.path.append(str(ROOT / "tests"))
    from support import traces

    trace = traces.write(folder / "run.trace", traces.model(folder))
    draw = np.random.default_rng(0)
    np.savez(folder / "input.npz", x=draw.normal(size=(2, 8)).astype(np.float32), y=draw.integers(9, size=300))
    samples = [SAMPLES / name for name in ("digits.h5", "digits.keras", "digits_qkeras.h5")]
    real = [models / name for name in REAL] if models else []
    return [*samples, folder / "input.npz", trace, *real]


def damages(paths: Sequence[Path], count: int, seed: int, every: int = 1) -> list[tuple[Path, Damage]]:
    """Every `every`-th cut of each file (0 for none), and `count` flips over all."""
    share = -(-count // len(paths))
    cut = [(path, damage) for path in paths for damage in list(cuts(path))[::every]] if every else []
    return cut + [(path, damage) for path in paths for damage in flips(path, share, seed)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", choices=("read", "framework"), help=argparse.SUPPRESS)
    parser.add_argument("--flips", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-cuts", action="store_true", help="only flips: for a run in parts, each of its own seed")
    parser.add_argument("--models", type=Path, help="the folder of real models, of which some are damaged too")
    parser.add_argument(
        "--trace", type=Path, action="append", default=[], help="only this one, a FILE.trace; repeat it"
    )
    parser.add_argument("--frameworks", type=int, default=200, help="how many changed files the framework reads too")
    parser.add_argument("--results", type=Path, help="a file to which each outcome is added as one line of JSON")
    given = parser.parse_args()
    if given.child:
        return serve(given.child)
    started = time.monotonic()
    others = [path for path in given.trace if path.suffix == ".trace"]
    with tempfile.TemporaryDirectory(prefix="refconv-fuzz-") as name:
        paths = others or subjects(Path(name), given.models)
        tally = run(damages(paths, given.flips, given.seed, int(not given.no_cuts)), given.results)
        chosen = [damage for damage in tally.changed if not damage.file.endswith((".npz", ".trace"))]
        draw = random.Random(given.seed)
        draw.shuffle(chosen)
        beside = beside_framework({path.name: path for path in paths}, chosen[: given.frameworks])
    for (kind, damage, outcome), count in sorted(tally.counts.items()):
        print(f"{kind:8} {damage:5} {outcome:14} {count}")
    for outcome, count in beside.items():
        print(f"{outcome}: {count}")
    print(f"{sum(tally.counts.values())} files, {len(tally.bad)} that must not be, {time.monotonic() - started:.0f} s")
    for bad in tally.bad[:50]:
        print(bad)
    sys.exit(bool(tally.bad) or any(outcome.startswith("differ") for outcome in beside))


if __name__ == "__main__":
    main()
