"""The worker as a program of its own: it writes a trace, and nothing of refconv is installed beside it."""

import argparse
import os
import sys
import time
import traceback
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from refconv import __version__
from refconv.frameworks.worker import given as files
from refconv.frameworks.worker.backends import BACKENDS
from refconv.frameworks.worker.given import Usage
from refconv.job import MODES, Job

DESCRIPTION = """Run a Keras model in the framework that is installed here, and keep what every layer took and gave.

The file is for `refconv check MODEL --trace OUT`, on any machine. Without --input, samples are drawn from what the
model declares. This reads the model with the framework's own loader: use it on files that you trust, or that refconv
accepted (--sha256). A Lambda's code, and what else in a file may do more than compute, is refused."""
EXAMPLES = """examples:
  python refconv-worker.pyz capture model.h5 run.trace.h5
  python refconv-worker.pyz capture model.keras run.trace.h5 --device gpu --samples 4 --seed 1
  python refconv-worker.pyz capture model.h5 run.trace.h5 --input image=x.npy --input tokens=y.npy
  python refconv-worker.pyz capture model.keras run.trace.h5 --shape 224,224 --mode xla --thorough
  python refconv-worker.pyz capture model.keras run.trace.h5 --backend jax --device gpu:1 --tf32 off --repeat 3

exit codes: 0 captured; 2 usage, or a file that cannot be read or is refused; 3 the framework failed"""
DRAWN = "the worker ran alone, and drew the samples from what the loaded model declares"
GIVEN = "the worker ran alone"
SHOWN = 10.0  # seconds between two lines that tell of the same work


class Missing(Exception):
    """The framework that the file needs is not here, in one line."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; the exit code."""
    given = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        return _capture(given)
    except KeyboardInterrupt:
        return _ended("interrupted", 130)
    except Exception as error:  # whatever it is, one line tells of it
        if given.verbose:
            traceback.print_exc()
        return _ended(*_told(error, given))


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "refconv-worker.pyz", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=raw
    )
    parser.add_argument("--version", action="version", version="refconv worker " + __version__)
    commands = parser.add_subparsers(dest="command", metavar="capture", required=True)
    capture = commands.add_parser("capture", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=raw)
    add = capture.add_argument
    add("model", metavar="MODEL", help="a .h5, .hdf5 or .keras file")
    add("out", metavar="OUT", help="the trace; run.trace.h5, say")
    add("--input", dest="inputs", action="append", default=[], metavar="[NAME=]FILE.npy", help="repeat it for several")
    add("--samples", type=_least(1), default=2, help="how many to draw, 2 by default")
    add("--seed", type=_least(0), default=0, help="of the samples drawn, 0 by default")
    add("--shape", action="append", default=[], metavar="[NAME=]H,W[,C]", help="unknown dimensions, without the batch")
    add("--range", action="append", default=[], metavar="[NAME=]N", help="draw integers from 0 to N-1")
    add("--slice", type=_least(1), default=0, metavar="N", help="samples whose layers are recorded together; else all")
    add("--mode", choices=MODES, default="graph", help="how the framework runs the model")
    add("--device", default="auto", metavar="DEVICE", help="auto, cpu, gpu or gpu:N")
    add("--backend", choices=BACKENDS, default="", help="what Keras 3 runs on; else KERAS_BACKEND, or tensorflow")
    add("--tf32", choices=("on", "off"), default="", help="whether a GPU may round operands to TF32")
    add("--deterministic", action="store_true", help="ask the framework for operations that repeat their bits")
    add("--repeat", type=_least(1), default=1, metavar="N", help="run every pass N times, and keep what differs")
    add("--keras", choices=("auto", "2", "3"), default="auto", help="auto takes the one that wrote the file")
    add("--architecture", default="", metavar="FILE.json", help="model.to_json(), where MODEL holds weights alone")
    add("--trust-code", action="append", default=[], metavar="FILE.py", help="run this file first, for its layers")
    add("--thorough", action="store_true", help="also run a clone of each linear layer on small integers")
    add("--sha256", default="", metavar="HASH", help="refuse MODEL if its SHA-256 is another")
    add("-q", "--quiet", action="store_true", help="say nothing but what went wrong")
    add("-v", "--verbose", action="store_true", help="add tracebacks to errors")
    return parser


def _least(lowest: int) -> Callable[[str], int]:
    """What reads an integer from `lowest` on."""

    def read(text: str) -> int:
        if not text.strip().isdigit() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text!r} is no integer from {lowest} on")
        return int(text)

    return read


def _capture(given: argparse.Namespace) -> int:
    from refconv.frameworks.worker.loading import import_framework
    from refconv.frameworks.worker.refusing import Config
    from refconv.frameworks.worker.work import work

    named = _named_files(given)
    config = Config(given.model, given.architecture)
    foreign = config.foreign()
    if (foreign or config.whole) and not given.trust_code:
        raise Usage(", ".join(foreign or [config.whole]) + " is none of Keras's own (--trust-code names its file)")
    keras = _keras(given, config)
    if given.arrays:
        files.in_order(given.arrays, config.inputs)
    try:
        framework = import_framework(keras, given.backend)
    except ImportError as error:
        raise Missing(f"Keras {keras} cannot be imported: {error}") from error
    kept = Kept(given, named, keras, config.whole)
    job = Job(
        os.path.abspath(given.model),
        keras,
        [],
        mode=given.mode,
        device=given.device,
        qkeras=config.qkeras,
        architecture=given.architecture,
        probes=given.thorough,
        slice=given.slice,
        code=[os.path.abspath(file) for file in given.trust_code],
        foreign=foreign,
        whole=config.whole,
        tf32=given.tf32,
        deterministic=given.deterministic,
        repeat=_runs(given),
    )
    with kept:
        work(framework, job, kept, kept.fed)
        kept.send("done")
    return kept.end()


def _named_files(given: argparse.Namespace) -> Dict[str, str]:
    """Look at all that the command names, before anything is started. SHA-256 of the model and of its architecture."""
    for path in [given.model, *([given.architecture] if given.architecture else []), *given.trust_code]:
        files.demand_file(path)
    files.demand_place(given.out, given.model, *filter(None, [given.architecture]))
    given.arrays = files.fed(given.inputs)
    given.shapes = files.named(given.shape, files.sizes, "--shape")
    given.ranges = files.named(given.range, files.size, "--range")
    return {
        "sha256": files.checksum(given.model, given.sha256),
        "architecture": files.checksum(given.architecture),
    }


def _keras(given: argparse.Namespace, config: Any) -> int:
    """The major version that loads the file: only the third runs on another backend than TensorFlow."""
    given.backend = given.backend or os.environ.get("KERAS_BACKEND") or "tensorflow"
    if given.backend not in BACKENDS:
        raise Usage("KERAS_BACKEND: Keras runs on {} here, not on {}".format(", ".join(BACKENDS), given.backend))
    if given.backend == "tensorflow":
        return int(config.keras if given.keras == "auto" else given.keras)
    if given.keras == "2" or config.qkeras:
        raise Usage(f"--backend {given.backend}: {'QKeras' if config.qkeras else 'Keras 2'} runs on TensorFlow alone")
    return 3


def _runs(given: argparse.Namespace) -> int:
    """How often each pass runs; --thorough looks for nondeterminism too, as refconv's does."""
    return max(given.repeat, 2 if given.thorough else 1)


class Kept:
    """A channel into a file, which is begun once it is known what the model is fed."""

    def __init__(self, given: argparse.Namespace, model: Dict[str, str], keras: int, whole: str) -> None:
        self._given, self._model, self._keras, self._whole = given, model, keras, whole
        self._writer: Any = None
        self._calls, self._layers, self._failure = 0, 0, ""
        self._said: Tuple[str, float] = ("", 0.0)

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Optional[bool]:
        """The file, also where a layer could not run and others did; nothing where anything else went wrong."""
        from refconv.frameworks.worker.capture import LayerFailure
        from refconv.frameworks.worker.failure import explain

        if self._writer is None:
            return None
        if isinstance(error, LayerFailure) and self._calls:
            fields = explain(error)
            self._failure = "cannot run {}: {}".format(fields["layer"] or "the model", fields["what"])
            self.send("error", **fields)
        elif error is not None:
            self._writer.discard()
            return None
        self._writer.finish()
        return True

    def fed(self, model: Any) -> List[np.ndarray]:
        """What the loaded model is fed: the files given, or samples drawn. The file begins with it."""
        from refconv.frameworks.worker.capture import conforming
        from refconv.frameworks.worker.drawing import draw, names
        from refconv.frameworks.worker.trace_file import Writer

        given, called, declared = self._given, names(model), getattr(model, "inputs", None)
        if given.arrays:
            given.arrays = files.in_order(given.arrays, called)
            loaded = [x for _, _, x in given.arrays]
            with np.errstate(over="ignore", invalid="ignore"):  # looked for below
                arrays = conforming(model, loaded) if declared else [x.astype("float32") for x in loaded]
            for name, x, taken, each in zip(called, loaded, arrays, declared or ()):
                files.demand_fit(name, x, taken, tuple(each.shape))
        else:
            arrays = conforming(model, draw(model, given.samples, given.seed, given.shapes, given.ranges))
        self._writer = Writer(given.out, self._about(called, arrays))
        for index, x in enumerate(arrays):
            self._writer.take({"kind": "input", "index": index}, x)
        return arrays

    def send(self, kind: str, array: Optional[np.ndarray] = None, **fields: Any) -> None:
        self._calls += kind == "call"
        if kind == "planned":
            self._layers = len(fields["calls"])
        self._writer.take(dict(fields, kind=kind), array)

    def progress(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if not self._given.quiet and (what != self._said[0] or now - self._said[1] > SHOWN):
            self._said = (what, now)
            print(f"refconv-worker: {what} ({done}/{total})", file=sys.stderr, flush=True)

    def end(self) -> int:
        """Say what was captured, and return the exit code."""
        if self._failure:
            print(f"refconv-worker: {self._given.model}: {self._failure}", file=sys.stderr)
        if not self._given.quiet:
            size = os.path.getsize(self._given.out)
            print(f"captured: {self._given.out}, {self._layers} layers, {size:,} bytes")
        return 3 if self._failure else 0

    def _about(self, names: List[str], arrays: List[np.ndarray]) -> Dict[str, Any]:
        """The first line of the file, as refconv's own `capture` writes it."""
        given, drawn = self._given, not self._given.arrays
        sources = ["seeded" for _ in arrays] if drawn else [path for _, path, _ in given.arrays]
        tensors = [
            {"name": name, "dtype": str(x.dtype), "shape": list(x.shape), "source": source}
            for name, x, source in zip(names, arrays, sources)
        ]
        return {
            "refconv": __version__,
            "model": self._model,
            "keras": self._keras,
            "options": {
                "keras": given.keras,
                "backend": given.backend,
                "repeat": _runs(given),
                "mode": given.mode,
                "device": given.device,
                "samples": given.samples if drawn else len(arrays[0]),
                "seed": given.seed,
                "preprocess": "none",
                "shapes": {name: list(shape) for name, shape in given.shapes.items()},
                "thorough": given.thorough,
                "rebuild": False,
            },
            "seeded": drawn,
            "input": {
                "source": "seeded" if drawn else "given",
                "samples": len(arrays[0]),
                "seed": given.seed if drawn else None,
                "preprocess": "none",
                "tensors": tensors,
                "notes": [DRAWN if drawn else GIVEN],
            },
            "slice": given.slice or len(arrays[0]),
            "whole": self._whole,
            "alone": True,
        }


def _told(error: Exception, given: argparse.Namespace) -> Tuple[str, int]:
    """One line, and the exit code."""
    from refconv.frameworks.worker.drawing import Undrawable
    from refconv.frameworks.worker.failure import explain
    from refconv.frameworks.worker.naming import Refused
    from refconv.frameworks.worker.trace_file import CannotWrite

    if isinstance(error, (Usage, CannotWrite, Undrawable)):
        return str(error), 2
    if isinstance(error, Refused):
        return f"{given.model}: {error}", 2
    if isinstance(error, Missing):
        return str(error), 3
    fields = explain(error)
    layer = "cannot run layer {}: ".format(fields["layer"]) if fields["layer"] else ""
    hint = " ({})".format(fields["hint"]) if fields["hint"] else ""
    return f"{given.model}: {layer}{fields['what']}{hint}", 3


def _ended(line: str, status: int) -> int:
    print("refconv-worker: " + " ".join(line.split()), file=sys.stderr)
    return status
