"""Captures models on a GPU with TF32 on and off, in graph mode and with XLA, checks each trace, and prints one table.

    python scripts/gpu_table.py [MODEL ...] [--backend jax] [--device gpu:0] [-o gpu_check]

Without MODEL: the shipped samples; mlperf_tiny_resnet_keras3.h5 where the real models are (REFCONV_MODELS, or beside
the repository); VGG16 and MobileNetV2 with drawn weights, which scripts/make_zoo.py makes. The folder -o gets table.md,
table.json and the traces that are small enough to be kept with the tests (tests/data/gpu).

Exit codes: 0 all pass, 1 some fail, 2 no such device or a bad argument, 3 something could not be verified or run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SAMPLES = ("digits.keras", "digits.h5", "digits_qkeras.h5")
REAL = "float/mlperf_tiny_resnet_keras3.h5"
ZOO = ("VGG16", "MobileNetV2")
MODES = {"torch": ("graph",)}  # PyTorch has no XLA
LIMIT = 400  # kB of a trace that is kept
HEAD = ("model", "mode", "TF32", "verdict", "layers", "most of its bound", "capture s", "check s")


@dataclass(frozen=True)
class Row:
    """One model, captured and checked in one way; `reason` says why there is no verdict."""

    model: str
    mode: str
    tf32: str
    verdict: str
    layers: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    most: float | None = None  # the largest share of its probable bound that any layer used
    arithmetic: dict[str, int] = field(default_factory=dict)
    capture_seconds: float = 0.0
    check_seconds: float = 0.0
    trace: str = ""
    reason: str = ""
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[str, ...]:
        most = "–" if self.most is None else f"{100 * self.most:.0f}%"
        seconds = [f"{s:.1f}" if s else "–" for s in (self.capture_seconds, self.check_seconds)]
        return (self.model, self.mode, self.tf32, self.verdict, str(self.layers or "–"), most, *seconds)


def main(given: Sequence[str] | None = None) -> int:
    arguments = _arguments(given)
    from refconv.errors import RefconvError

    if problem := _no_device(arguments):
        print(f"gpu_check: {problem}", file=sys.stderr)
        return 2
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
        rows = _all(arguments)
    except (OSError, RefconvError) as error:
        print(f"gpu_check: {error}", file=sys.stderr)
        return 2
    _write(rows, arguments)
    found = {row.verdict for row in rows}
    return 1 if "fail" in found else 0 if found == {"pass"} else 3


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL")
    parser.add_argument("--backend", choices=["tensorflow", "jax", "torch"], default="tensorflow")
    parser.add_argument("--device", default="gpu", help="gpu, gpu:N or cpu")
    parser.add_argument("--modes", default="graph,xla")
    parser.add_argument("--tf32", default="on,off")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--limit", type=int, default=LIMIT, metavar="KB", help="size of a trace that is kept")
    parser.add_argument("--timeout", type=float, default=1200.0, metavar="SECONDS", help="for each capture")
    parser.add_argument("-o", "--output", type=Path, default=Path("gpu_check"))
    return parser.parse_args(given)


def _no_device(arguments: argparse.Namespace) -> str:
    """Why nothing can run: the framework or the device is missing; asked of the smallest sample."""
    from refconv.errors import RefconvError

    with tempfile.TemporaryDirectory() as folder:
        try:
            _capture(ROOT / "refconv" / "samples" / SAMPLES[0], Path(folder) / "asked.trace.h5", "eager", "", arguments)
        except RefconvError as error:
            return str(error)
    return ""


def _all(arguments: argparse.Namespace) -> list[Row]:
    rows = []
    modes = [mode for mode in arguments.modes.split(",") if mode in MODES.get(arguments.backend, (mode,))]
    with tempfile.TemporaryDirectory() as folder:
        for name, path, reason in _models(arguments, Path(folder)):
            if path is None:
                rows.append(Row(name, "–", "–", "not run", reason=reason))
                continue
            for mode, tf32 in product(modes, arguments.tf32.split(",")):
                rows.append(_row(name, path, mode, tf32, arguments, Path(folder)))
                print(_line(rows[-1].cells), file=sys.stderr)
    return rows


def _models(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Path | None, str]]:
    """Name, file and, where there is none, the reason."""
    if arguments.models:
        yield from ((path.name, path, "") for path in arguments.models)
        return
    for name in SAMPLES:
        if "qkeras" in name and arguments.backend != "tensorflow":
            yield name, None, f"QKeras runs on TensorFlow alone, not on {arguments.backend}"
        else:
            yield name, ROOT / "refconv" / "samples" / name, ""
    real = Path(os.environ.get("REFCONV_MODELS") or ROOT.parent / "shared" / "models") / REAL
    yield real.name, real if real.exists() else None, "" if real.exists() else "no folder of real models is here"
    for name in ZOO:
        yield name, *_made(name, folder)


def _made(name: str, folder: Path) -> tuple[Path | None, str]:
    """A model of keras.applications, made in a process of its own by whichever framework is there."""
    backend = next((b for b in ("tensorflow", "jax", "torch") if find_spec(b)), "tensorflow")
    command = [sys.executable, str(ROOT / "scripts" / "make_zoo.py"), name, "-o", str(folder)]
    hidden = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "KERAS_BACKEND": backend}
    done = subprocess.run(command, env={**os.environ, **hidden}, capture_output=True, text=True, check=False)
    if done.returncode:
        return None, f"it could not be made: {(done.stderr.strip() or '?').splitlines()[-1]}"
    return Path(done.stdout.strip().splitlines()[-1]), ""


def _capture(path: Path, trace: Path, mode: str, tf32: str, arguments: argparse.Namespace) -> Any:
    from refconv import pipeline
    from refconv.formats import accept

    rebuilt = arguments.backend != "tensorflow" and accept(path).keras == 2
    return pipeline.capture(
        path,
        output=trace,
        backend=arguments.backend,
        device=arguments.device,
        mode=mode,
        tf32=tf32,
        samples=arguments.samples,
        rebuild=rebuilt,
        timeout=arguments.timeout,
    )


def _row(name: str, path: Path, mode: str, tf32: str, arguments: argparse.Namespace, folder: Path) -> Row:
    from refconv import pipeline
    from refconv.errors import RefconvError

    trace = folder / f"{Path(name).name}-{arguments.backend}-{mode}-tf32-{tf32}.trace.h5"
    begun = time.perf_counter()
    try:
        _capture(path, trace, mode, tf32, arguments)
        captured = time.perf_counter()
        result = pipeline.check(path, trace=str(trace))
    except RefconvError as error:
        return Row(name, mode, tf32, "error", reason=str(error))
    shares = [o.bound_used for layer in result.layers for o in layer.outputs if not o.certified]
    row = Row(
        *(name, mode, tf32, result.verdict),
        layers=len(result.layers),
        counts=result.counts,
        most=max(shares, default=None),
        arithmetic=_arithmetic(result),
        capture_seconds=captured - begun,
        check_seconds=time.perf_counter() - captured,
        trace=_keep(trace, arguments),
        reason="; ".join(_reasons(result)),
        environment=dict(result.environment),
    )
    trace.unlink()
    return row


def _arithmetic(result: Any) -> dict[str, int]:
    names = [layer.arithmetic for layer in result.layers if layer.arithmetic]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def _reasons(result: Any) -> Iterator[str]:
    for layer in result.layers:
        if layer.verdict.value in ("mismatch", "degraded", "suspect", "unverified"):
            used = f", {layer.worst.bound_used:.3g} of its bound" if layer.worst else ""
            yield f"{layer.name} {layer.verdict.value}{used}" + (f": {layer.reason}" if layer.reason else "")
    if result.plain is not None and not result.plain.ok:
        yield f"predict differs by {result.plain.max_abs_difference:.3g}"


def _keep(trace: Path, arguments: argparse.Namespace) -> str:
    """The name under which a small trace is kept, "" for a large one."""
    if trace.stat().st_size > arguments.limit * 1000:
        return ""
    kept = arguments.output / "traces"
    kept.mkdir(exist_ok=True)
    shutil.copyfile(trace, kept / trace.name)
    return trace.name


def _write(rows: Sequence[Row], arguments: argparse.Namespace) -> None:
    from refconv.report.json_report import standard

    text = markdown(rows)
    (arguments.output / "table.md").write_text(text, encoding="utf-8")
    document = {"machine": machine(rows), "rows": [asdict(row) for row in rows]}
    (arguments.output / "table.json").write_text(json.dumps(standard(document), indent=1) + "\n", encoding="utf-8")
    print(text, end="")
    print(f"written to {arguments.output}: table.md, table.json, {sum(bool(row.trace) for row in rows)} traces")


def machine(rows: Sequence[Row]) -> str:
    """The device by name, and versions, of the first row that ran."""
    from refconv.report import summary

    ran = next((row.environment for row in rows if row.environment), None)
    without = {name: value for name, value in (ran or {}).items() if name not in ("tf32", "tf32_of")}
    return summary.environment(without) if ran else "nothing ran"


def markdown(rows: Sequence[Row]) -> str:
    """The table, the machine above it, and what went wrong beneath."""
    lines = [f"`scripts/gpu_check`: {machine(rows)}.", "", _line(HEAD), _line(["---"] * 4 + ["--:"] * 4)]
    lines += [_line(row.cells) for row in rows]
    said = [f"- {row.model}, {row.mode}, TF32 {row.tf32}: {row.reason}" for row in rows if row.reason]
    return "\n".join([*lines, *([""] if said else []), *said]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
