"""The figure of merit: false alarms on clean runs, and detections of injected faults, beside other tolerances.

    python benchmarks/faults.py all [--quick] [--out FOLDER] [MODEL…]    # the three that follow
    python benchmarks/faults.py clean [--quick | --seeds 20]             # nothing is planted: every alarm is false
    python benchmarks/faults.py faults [--fault-seeds 2] [--mode graph]  # one fault at a time, at every layer it fits
    python benchmarks/faults.py report                                   # FOLDER/faults.md and FOLDER/faults.json

Without MODEL: the shipped samples, every model of the folder that REFCONV_MODELS names (tests/support/models.py), and
two small ones that are made here, of what those lack (detection/made.py).

**Clean runs.** model × seed × {graph, eager, xla} × {oneDNN on, off} × {1, 2 threads}; oneDNN and threads are fixed
when TensorFlow is imported, so each combination runs in a process of its own. A verdict of `suspect`, `mismatch`,
`degraded` or `unverified` is a false alarm; `predict` away from the chained reference is counted apart. What the
framework itself cannot run here (channels-first kernels on a CPU without oneDNN) is named and is no check. `--quick`
takes one seed, and one mode per model and process: about three minutes. In full it is an hour or two on one core;
smaller `--seeds` first, then larger ones, do the same in parts.

**Faults.** A verdict is isolated: each layer is judged on the framework's own input to it. So a fault needs one layer
to run: it takes the inputs that a clean run of the whole model recorded, the live layer is changed (its weights, its
attributes, or what is computed before and after it), runs in the framework, and `refconv.compare.layer.judge` judges
its output; the other policies (detection/baselines.py) judge the same output against the reference's values in
float32. A mutant whose output is bit-identical to the clean layer's is equivalent, by that proof, and counted apart.
Operators: detection/operators/, one file per family.

Rows are written to FOLDER as they are found, and what is there is not run again: an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # tf.keras, which QKeras imports, is Keras 2; `import keras` is Keras 3 still
HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "tests"), str(HERE.parent)]

from detection import clean, report, summary  # noqa: E402
from detection.lines import read_all  # noqa: E402
from detection.made import made  # noqa: E402
from detection.models import Model, all_models, named  # noqa: E402
from detection.operators import table  # noqa: E402
from detection.planted import plant_all  # noqa: E402


def main() -> None:
    options = _arguments().parse_intermixed_args()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that functions are traced, model after model
    if options.environment:  # a child of `clean`
        environment = next(e for e in clean.ENVIRONMENTS if e.name == options.environment)
        clean.limit_threads(environment.threads)  # no longer to be had once TensorFlow has made a model
        clean.run_all(_models(options), environment, options.out, options)
        return
    if options.what in ("clean", "all"):
        for environment in clean.ENVIRONMENTS:
            if code := clean.start(environment, [*sys.argv, "--environment", environment.name]):
                sys.exit(code)
    if options.what in ("faults", "all"):
        _plant(options)
    if options.what in ("report", "all"):
        _report(options.out)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["all", "clean", "faults", "report"])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=Path("faults-out"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=20, help="of the clean runs")
    parser.add_argument("--fault-seeds", type=int, default=2)
    parser.add_argument("--mode", action="append", choices=["graph", "eager"], help="of the faults; alternates by seed")
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--layers", type=int, help="at most so many layers of one type in a model")
    parser.add_argument("--operator", action="append", default=[], help="only these operators")
    parser.add_argument("--environment", help=argparse.SUPPRESS)
    return parser


def _models(options: argparse.Namespace) -> list[Model]:
    return named(options.models) if options.models else [*all_models(), *named(made(options.out / "made"))]


def _plant(options: argparse.Namespace) -> None:
    plant_all(
        _models(options),
        table.named(options.operator),
        options.out,
        seeds=1 if options.quick else options.fault_seeds,
        modes=options.mode or ["graph", "eager"],
        samples=options.samples,
        layers=options.layers,
    )


def _report(folder: Path) -> None:
    faults = summary.Faults(read_all(folder.glob("faults-*.jsonl")))
    cleared = summary.clean_summary(read_all(folder.glob("clean-*.jsonl")))
    text = report.markdown(faults, cleared)
    (folder / "faults.md").write_text(text)
    (folder / "faults.json").write_text(json.dumps(_plain(report.as_json(faults, cleared)), indent=1))
    print(text)


def _plain(value: Any) -> Any:
    """Infinity and NaN as text, which JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and value - value != 0 else value


if __name__ == "__main__":
    main()
