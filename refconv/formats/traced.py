"""A trace file read with suspicion: the frames that a worker sent, one by one (written by worker/trace_file.py).

Whoever hands on a trace may have changed it. So every header is looked at before anything believes it: its fields and
their types, the dtype and size of an array before a byte of it is read, and that no call names a tensor that is not
there. The lines have a SHA-256 and each array a CRC-32, which show damage; they do not show who wrote the file.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
from isal import isal_zlib

from refconv.errors import UnreadableModel, UnreadableTrace
from refconv.formats import safe_json
from refconv.formats.container import HDF5_SIGNATURE
from refconv.formats.frame_types import count, fits, frame_problem
from refconv.formats.hdf5 import Group, Hdf5File, boundary
from refconv.trace import ARRAYS, FORMAT, FRAMES, VERSION, storage

Frame = tuple[dict[str, Any], "np.ndarray | None"]

MAX_TEXT = 256 << 20  # bytes of all headers
MAX_INPUTS = 1000
MAX_RANK = 32
AGAIN = "capture it again with this version"
NUMBERS = ("bool", "complex64", "complex128", "float16", "float32", "float64",
           *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))  # fmt: skip
SMALL = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4")  # of ml_dtypes
TEXT = re.compile(r"\|S[1-9]\d{0,8}|<U[1-9]\d{0,8}")


@dataclass(frozen=True)
class About:
    """What was captured, and how.

    Attributes:
        sha256: of the model file.
        architecture: SHA-256 of the file that held the model's JSON; "" where the model file does.
        keras: major version of the Keras that ran it.
        chosen: what the user said: auto, 2 or 3.
        seeded: the inputs were drawn at random.
        input: what the report says of the inputs.
        slice: samples whose layers were recorded together.
        shapes: what the user said of unknown dimensions.
        rebuilt: the framework ran a file that refconv wrote.
        whole: name of the one layer that a subclassed model was recorded as; "" for its layers.
        alone: the worker ran without refconv, which had not read the model first.
        backend: what Keras ran on.
        repeat: how often each pass ran.
    """

    sha256: str
    architecture: str
    keras: int
    chosen: str
    mode: str
    device: str
    samples: int
    seed: int
    preprocess: str
    thorough: bool
    seeded: bool
    input: Mapping[str, Any]
    slice: int
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    rebuilt: bool = False
    whole: str = ""
    alone: bool = False
    backend: str = "tensorflow"
    repeat: int = 1


@dataclass(frozen=True)
class TraceFile:
    """An open trace: `inputs` are what the model was fed, `frames` what the worker sent, to be read once."""

    about: About
    inputs: tuple[np.ndarray, ...]
    frames: Iterator[Frame]


@contextmanager
def open_trace(path: str | Path) -> Iterator[TraceFile]:
    """The trace in `path`, for as long as the context lasts; arrays are read when their frame is.

    Raises:
        UnreadableTrace: see the class; also while the frames are read.
    """
    where = str(path)
    _demand_hdf5(Path(path), where)
    with _told(where), Hdf5File(where).open() as root:
        reader = _Reader(root, where, Path(path).stat().st_size)
        about = reader.about()
        yield TraceFile(about, reader.inputs(), reader.frames())


def _demand_hdf5(path: Path, where: str) -> None:
    try:
        if not path.is_file():
            what = "this is a folder" if path.is_dir() else "there is no such file"
            raise UnreadableTrace(f"{what}, and a trace is wanted", where=where)
        with path.open("rb") as file:
            start = file.read(len(HDF5_SIGNATURE))
    except OSError as error:
        raise UnreadableTrace(f"cannot be read: {error.strerror}", where=where) from None
    if start != HDF5_SIGNATURE:
        what = "the file is empty" if not start else "this is no HDF5 file"
        raise UnreadableTrace(f"{what}, so no trace (`refconv capture` writes one)", where=where)


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except UnreadableModel as error:
        raise UnreadableTrace(error.what, where=error.where or where, hint=error.hint) from error


class _Reader:
    """Lines and arrays of one open file."""

    def __init__(self, root: Group, where: str, size: int) -> None:
        self._root, self._where, self._left = root, where, size
        self._demand_version()
        self._lines = self._text().splitlines()
        self._next = 0

    def about(self) -> About:
        header, _ = self._frame()
        if header["kind"] != "trace":
            raise self._bad("the first line does not say what was captured")
        if problem := frame_problem(header):
            raise self._bad(problem)
        return _about(header, self._where)

    def inputs(self) -> tuple[np.ndarray, ...]:
        """The arrays at the beginning."""
        found: list[np.ndarray] = []
        while self._next < len(self._lines) and self._header(self._next)["kind"] == "input":
            if len(found) == MAX_INPUTS:
                raise self._bad(f"more than {MAX_INPUTS} inputs")
            header, array = self._frame()
            if array is None:
                raise self._bad(f"line {self._next}: an input without an array")
            found.append(array)
        if not found or len({len(x) if x.ndim else -1 for x in found}) > 1 or not found[0].ndim or not len(found[0]):
            raise self._bad("it holds no inputs of one number of samples")
        return tuple(found)

    def frames(self) -> Iterator[Frame]:
        """What the worker sent, up to `done` or `error`."""
        tensors = _Tensors(self._where)
        with _told(self._where):
            while self._next < len(self._lines):
                header, array = self._frame()
                if problem := frame_problem(header):
                    raise self._bad(f"line {self._next}: {problem}")
                tensors.see(header, array)
                yield header, array
                if header["kind"] in ("done", "error"):
                    return
        raise self._bad("its frames have no end")

    def _demand_version(self) -> None:
        if self._root.text("format") != FORMAT:
            named = "it holds a model" if self._root.text("model_config") is not None else "it says nothing of one"
            raise UnreadableTrace(f"this HDF5 file is no trace: {named}", where=self._where)
        version = self._root.number("version")
        if version != VERSION:
            shown = "?" if version is None or not math.isfinite(version) else f"{version:g}"
            newer = version is not None and version > VERSION
            hint = "it needs a newer refconv" if newer else AGAIN
            what = f"version {shown} of the format; this one reads {VERSION}"
            raise UnreadableTrace(what, where=self._where, hint=hint)
        if self._root.text("sha256") is None:
            raise UnreadableTrace("it is not complete: the capture did not come to its end", where=self._where)

    def _text(self) -> bytes:
        dataset = self._dataset(FRAMES, np.dtype("u1"))
        if dataset.ndim != 1 or dataset.size > MAX_TEXT:
            raise self._bad("its lines have another shape, or more bytes than any trace has")
        text = dataset[()].tobytes()
        if hashlib.sha256(text).hexdigest() != self._root.text("sha256"):
            raise UnreadableTrace("it is damaged: its lines do not have their SHA-256", where=self._where)
        return text

    def _header(self, number: int) -> dict[str, Any]:
        header = safe_json.parse(self._lines[number], f"{self._where}: line {number}")
        if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
            raise self._bad(f"line {number} is no frame")
        return header

    def _frame(self) -> Frame:
        number = self._next
        if number >= len(self._lines):
            raise self._bad("it holds no frames")
        header, self._next = self._header(number), number + 1
        return header, self._array(number, header) if "dtype" in header else None

    def _array(self, number: int, header: Mapping[str, Any]) -> np.ndarray:
        """The array of one line, once its declared size is known to be in the file."""
        if not fits(header.get("shape"), [count]) or len(header["shape"]) > MAX_RANK:
            raise self._bad(f"line {number}: no shape of an array")
        dtype, shape = self._dtype(number, header["dtype"]), tuple(header["shape"])
        self._left -= dtype.itemsize * math.prod(shape)
        if self._left < 0:
            raise self._bad("its arrays are declared larger than the file is")
        stored, extents = storage(dtype, shape)
        dataset = self._dataset(f"{ARRAYS}/{number}", stored)
        if tuple(dataset.shape) != extents:
            raise self._bad(f"the array of line {number} has the shape {tuple(dataset.shape)}, not {extents}")
        data = np.ascontiguousarray(self._values(dataset)).reshape(-1).view(np.uint8)
        if isal_zlib.crc32(data.data) != header.get("crc32"):
            what = f"it is damaged: the array of line {number} does not have its checksum"
            raise UnreadableTrace(what, where=self._where)
        return np.frombuffer(data.tobytes() if dtype.kind == "V" else data, dtype).reshape(shape)

    def _dtype(self, number: int, name: Any) -> np.dtype:
        if name in NUMBERS or (isinstance(name, str) and TEXT.fullmatch(name)):
            return np.dtype(name)
        if name in SMALL:
            return np.dtype(getattr(ml_dtypes, name))
        raise self._bad(f"line {number}: an array of {str(name)[:40]!r}, which no trace holds")

    def _dataset(self, path: str, dtype: np.dtype) -> h5py.Dataset:
        """A dataset of this dtype that lies in the file as it is: neither packed nor declared without being there."""
        dataset = self._root.dataset(path)
        with boundary(f"{self._where}:/{path}"):  # a damaged type is met when it is asked for
            creation, found, size = dataset.id.get_create_plist(), dataset.dtype, dataset.size
            stored = dataset.id.get_storage_size()
        packed = creation.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT) or creation.get_nfilters()
        if packed or found != dtype:
            raise self._bad(f"{path} is packed, or holds {found} in place of {dtype}")
        if size and stored != size * dtype.itemsize:
            raise self._bad(f"{path} declares more than it stores")
        return dataset

    def _values(self, dataset: h5py.Dataset) -> np.ndarray:
        try:
            return np.asarray(dataset[()])
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            raise self._bad(str(error).splitlines()[0]) from error

    def _bad(self, what: str) -> UnreadableTrace:
        return UnreadableTrace(f"no trace that refconv wrote, or a damaged one: {what}", where=self._where)


class _Tensors:
    """Follows which tensors are there when a call names them, as `frameworks.Stream` keeps and forgets them."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._uses: dict[str, int] = {}
        self._kept: set[str] = set()  # those of probes
        self._passes = 0
        self._again = False

    def see(self, header: Mapping[str, Any], array: np.ndarray | None) -> None:
        kind = header["kind"]
        if (array is not None) != (kind in ("tensor", "plain", "output")):
            raise self._bad(f"a frame {kind!r} {'without' if array is None else 'with'} an array")
        if kind == "slice":
            self._passes, self._again = 0, False
            self._uses.clear()
        elif kind == "pass":
            self._again = header["index"] < self._passes
            self._passes += not self._again
        elif kind == "tensor" and not self._again:
            self._sent(header)
        elif kind in ("call", "again") and not self._again:
            self._called(header)
        elif kind == "probe":
            self._probed(header)

    def _sent(self, header: Mapping[str, Any]) -> None:
        key = header["key"]
        if key in self._uses or key in self._kept:
            raise self._bad(f"two tensors are called {key!r}")
        if "uses" not in header:
            self._kept.add(key)
        elif header["uses"] is None:
            raise self._bad(f"the tensor {key!r} is used by no number of calls")
        else:
            self._uses[key] = header["uses"]

    def _called(self, header: Mapping[str, Any]) -> None:
        named = [key for name in ("weights", "steps") for _, key in header[name]]
        for key in {*header["inputs"], *header["outputs"], *named}:
            if self._uses.get(key, 0) < 1:
                raise self._bad(f"a call of {header['layer']!r} names the tensor {key!r}, which is not there")
            self._uses[key] -= 1

    def _probed(self, header: Mapping[str, Any]) -> None:
        for key in (*header["inputs"], *header["outputs"], *(key for _, key in header["weights"])):
            if key not in self._kept:
                raise self._bad(f"the probe of {header['layer']!r} names the tensor {key!r}, which is not there")

    def _bad(self, what: str) -> UnreadableTrace:
        return UnreadableTrace(f"no trace that refconv wrote, or a damaged one: {what}", where=self._where)


def _about(header: Mapping[str, Any], where: str) -> About:
    options = header["options"]
    return About(
        sha256=header["model"]["sha256"],
        architecture=header["model"]["architecture"],
        keras=header["keras"],
        chosen=options["keras"],
        mode=options["mode"],
        device=options["device"],
        samples=options["samples"],
        seed=options["seed"],
        preprocess=options["preprocess"],
        thorough=options["thorough"],
        seeded=header["seeded"],
        input=header["input"],
        slice=header["slice"],
        shapes={name: tuple(shape) for name, shape in options["shapes"].items()},
        rebuilt=options["rebuild"],
        whole=header["whole"],
        alone=header["alone"],
        backend=options.get("backend") or "tensorflow",
        repeat=options.get("repeat") or 1,
    )
