"""The worker as a program of its own: it writes a trace, and nothing of refconv is installed beside it."""

import argparse
import hashlib
import os
import sys
import time
import traceback
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from refconv import __version__
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

exit codes: 0 captured; 2 usage, or a file that cannot be read or is refused; 3 the framework failed"""
DRAWN = "the worker ran alone, and drew the samples from what the loaded model declares"
GIVEN = "the worker ran alone"
SHOWN = 10.0  # seconds between two lines that tell of the same work


class Missing(Exception):
    """The framework that the file needs is not here, in one line."""


class Usage(Exception):
    """What is wrong with the command, or with a file, in one line."""


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
    add("--samples", type=_count, default=2, help="how many to draw, 2 by default")
    add("--seed", type=int, default=0, help="of the samples drawn, 0 by default")
    add("--shape", action="append", default=[], metavar="[NAME=]H,W[,C]", help="unknown dimensions, without the batch")
    add("--range", action="append", default=[], metavar="[NAME=]N", help="draw integers from 0 to N-1")
    add("--slice", type=_count, default=0, metavar="N", help="samples whose layers are recorded together; else all")
    add("--mode", choices=MODES, default="graph", help="how the framework runs the model")
    add("--device", default="auto", help="auto, cpu or gpu")
    add("--keras", choices=("auto", "2", "3"), default="auto", help="auto takes the one that wrote the file")
    add("--architecture", default="", metavar="FILE.json", help="model.to_json(), where MODEL holds weights alone")
    add("--trust-code", action="append", default=[], metavar="FILE.py", help="run this file first, for its layers")
    add("--thorough", action="store_true", help="also run a clone of each linear layer on small integers")
    add("--sha256", default="", metavar="HASH", help="refuse MODEL if its SHA-256 is another")
    add("-q", "--quiet", action="store_true", help="say nothing but what went wrong")
    add("-v", "--verbose", action="store_true", help="add tracebacks to errors")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(text + " is no number of samples")
    return number


def _capture(given: argparse.Namespace) -> int:
    from refconv.frameworks.worker.loading import import_framework
    from refconv.frameworks.worker.refusing import Config
    from refconv.frameworks.worker.work import work

    digest = _demand_file(given.model, given.sha256)
    config = Config(given.model, given.architecture)
    foreign = config.foreign()
    if (foreign or config.whole) and not given.trust_code:
        raise Usage(", ".join(foreign or [config.whole]) + " is none of Keras's own (--trust-code names its file)")
    keras = config.keras if given.keras == "auto" else int(given.keras)
    try:
        framework = import_framework(keras)
    except ImportError as error:
        raise Missing(f"Keras {keras} cannot be imported: {error}") from error
    kept = Kept(given, {"sha256": digest, "architecture": _digest(given.architecture)}, keras, config.whole)
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
    )
    with kept:
        work(framework, job, kept, kept.fed)
        kept.send("done")
    return kept.end()


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

        given = self._given
        if given.inputs:
            arrays = _given(given.inputs, names(model))
        else:
            shapes = _named(given.shape, lambda text: tuple(int(size) for size in text.split(",")), "--shape")
            arrays = draw(model, given.samples, given.seed, shapes, _named(given.range, int, "--range"))
        arrays = conforming(model, arrays)
        self._writer = Writer(given.out, self._about(names(model), arrays))
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
        given, drawn = self._given, not self._given.inputs
        sources = ["seeded" for _ in arrays] if drawn else [text.rpartition("=")[2] for text in given.inputs]
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
                "mode": given.mode,
                "device": given.device,
                "samples": given.samples if drawn else len(arrays[0]),
                "seed": given.seed,
                "preprocess": "none",
                "shapes": {},
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


def _given(texts: Sequence[str], names: List[str]) -> List[np.ndarray]:
    """The files' arrays, in the model's order."""
    pairs = [text.rpartition("=")[::2] for text in texts]
    named = dict(pairs)
    if any(name for name, _ in pairs):
        if sorted(named) != sorted(names) or len(pairs) != len(names):
            raise Usage("--input: the inputs are called " + ", ".join(names))
        paths = [named[name] for name in names]
    else:
        paths = [path for _, path in pairs]
    if len(paths) != len(names):
        raise Usage(f"--input: {len(paths)} given, and the model has {len(names)}: " + ", ".join(names))
    arrays = [_loaded(path) for path in paths]
    if len({len(x) for x in arrays}) > 1:
        raise Usage("--input: the files hold different numbers of samples")
    return arrays


def _loaded(path: str) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise Usage(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or str(error).splitlines()[0]}"
        ) from None
    if not isinstance(array, np.ndarray) or not array.ndim or not array.size:
        raise Usage(path + ": this is no .npy file with samples")
    return array


def _named(texts: Sequence[str], read: Any, option: str) -> Dict[str, Any]:
    found = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            found[name] = read(value)
        except ValueError:
            raise Usage(f"{option}: {text!r} is none") from None
    return found


def _demand_file(path: str, expected: str) -> str:
    """The file's SHA-256."""
    if not os.path.isfile(path):
        raise Usage(path + ": there is no such file")
    found = _digest(path)
    if expected and expected.lower().replace("sha256:", "") != found:
        raise Usage(f"{path}: its SHA-256 is {found}, and {expected} was demanded")
    return found


def _digest(path: str) -> str:
    """SHA-256 of a file; "" of none."""
    if not path:
        return ""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                digest.update(piece)
    except OSError as error:
        raise Usage(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def _told(error: Exception, given: argparse.Namespace) -> Tuple[str, int]:
    """One line, and the exit code."""
    from refconv.frameworks.worker.drawing import Undrawable
    from refconv.frameworks.worker.failure import explain
    from refconv.frameworks.worker.refusing import Refused
    from refconv.frameworks.worker.trace_file import CannotWrite

    if isinstance(error, (Usage, CannotWrite, Undrawable)):
        return str(error), 2
    if isinstance(error, Refused):
        return f"{given.model}: {error}", 2
    if isinstance(error, Missing):
        return str(error), 3
    fields = explain(error)
    layer = "cannot run layer {}: ".format(fields["layer"]) if fields["layer"] else ""
    return f"{given.model}: {layer}{fields['what']}", 3


def _ended(line: str, status: int) -> int:
    print("refconv-worker: " + " ".join(line.split()), file=sys.stderr)
    return status
