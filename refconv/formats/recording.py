"""A recording: every weight of a model at several times of its training, in one HDF5 file.

    /               attributes `refconv_recording` (1), `model` (its name), `framework` ("keras 3.15.1")
    /architecture   uint8 (n,): what `model.to_json()` gave, UTF-8; empty where the model cannot say
    /epoch          int64 (T,): Keras's epoch, from 0; -1 is the state before the training
    /batch          int64 (T,): batches done in that epoch; -1 is its end
    /trainable      uint8 (T, W): whether an optimizer might change the weight at that time
    /weights/N      group, N = 0 … W−1 in the model's order; attributes `layer` (path, "/" between nested models) and
                    `name` (as in the framework, below its layer: "kernel", "forward_lstm/lstm_cell/kernel")
    /weights/N/values   (T′, *shape), T′ ≥ T, cut into chunks of one time, shuffled and deflated; bfloat16 as float32

`epoch` is written last and says how many times T are whole. The file is written in HDF5's single-writer mode (SWMR),
so that it can be read at any moment, while the training runs and after it was killed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from refconv.errors import BadInput, UnreadableModel
from refconv.formats.container import identify
from refconv.formats.hdf5 import Group, Hdf5File

if TYPE_CHECKING:
    from refconv.formats.leaves import Leaf
    from refconv.formats.leaves import Path as LayerPath
    from refconv.formats.matching import Variable
    from refconv.formats.model import Model

MARK = "refconv_recording"
VERSION = 1
START, END = -1, -1  # the epoch before the first; the batch that ends an epoch
CHUNK = 1 << 18  # bytes
TIMES = 1024  # per chunk of what has one number per time


@dataclass(frozen=True)
class Key:
    """One weight: the path of its layer, its name below that, its shape and dtype."""

    layer: str
    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Time:
    """One state of all weights: `index` in the file, Keras's `epoch`, and the batches done in it (END at its end)."""

    index: int
    epoch: int
    batch: int

    @property
    def label(self) -> str:
        """As written behind "@": start, 3, 3:200."""
        if self.epoch == START:
            return "start"
        return str(self.epoch) if self.batch == END else f"{self.epoch}:{self.batch}"

    @property
    def whole(self) -> bool:
        """Whether it is the start, or the end of an epoch."""
        return self.batch == END


@dataclass(frozen=True)
class Recorded:
    """One weight of a recording, at all its times."""

    layer: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    number: int
    file: Hdf5File = field(repr=False, compare=False)

    def read(self, time: Time) -> np.ndarray:
        """Its values then.

        Raises:
            UnreadableModel: the file is gone or damaged.
        """
        return self.at(time).read()

    def at(self, time: Time) -> Then:
        return Then(f"weights/{self.number}/values", self.shape, self.dtype, time.index, self.file)

    def history(self, times: Sequence[Time]) -> Iterator[np.ndarray]:
        """Its values at each time, one in memory at once."""
        with self.file.open() as root:
            for time in times:
                yield root.part(f"weights/{self.number}/values", time.index)


@dataclass(frozen=True)
class Then:
    """One weight at one time: what a dataset of a model file is."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    index: int
    file: Hdf5File = field(repr=False)

    def read(self) -> np.ndarray:
        with self.file.open() as root:
            return root.part(self.path, self.index)

    def slabs(self) -> Iterator[np.ndarray]:
        """Its values as flat arrays, one after the other."""
        with self.file.open() as root:
            yield from root.slabs(self.path, (self.index,))

    def extent(self) -> None:
        """They are packed."""


@dataclass(frozen=True)
class Log:
    """What a recording holds; the values stay in the file.

    Attributes:
        times: in the order in which they were recorded.
        weights: in the model's order.
        trainable: bool (times, weights).
        architecture: the model's JSON text, "" where it could not say.
    """

    path: str
    model: str
    framework: str
    architecture: str
    times: tuple[Time, ...]
    weights: tuple[Recorded, ...]
    trainable: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Moment(Hdf5File):
    """A recording at one time, where a model's weights are looked for."""

    log: Log | None = None
    time: Time | None = None


def find_variables(file: Hdf5File, model: Model, leaves: Sequence[Leaf]) -> dict[LayerPath, list[Variable]]:
    """The recorded variables of each leaf, as the readers of the other containers give them."""
    from refconv.formats.matching import Variable  # which imports every layer: only who reads weights needs that

    assert isinstance(file, Moment) and file.log is not None and file.time is not None
    found: dict[str, list[Variable]] = {}
    for weight in file.log.weights:
        found.setdefault(weight.layer, []).append(Variable(weight.name, weight.at(file.time)))
    return {leaf.path: found[leaf.name] for leaf in leaves if leaf.name in found}


def is_recording(path: Path) -> bool:
    """Whether an HDF5 file says that it is one; False for any other file."""
    try:
        with h5py.File(path, "r", swmr=True) as file:
            return MARK in file.attrs
    except OSError:
        return False


def read_log(path: Path) -> Log:
    """What is in a recording; also of one that is being written.

    Raises:
        UnreadableModel: no recording, of another version, or damaged.
    """
    if identify(path) != "hdf5":
        raise UnreadableModel("this is no recording of refconv.keras.WeightRecorder", where=str(path))
    file = Hdf5File(str(path), swmr=True)
    with file.open() as root:
        _expect(root.number(MARK), path)
        times = _times(root.array("epoch"), root.array("batch"))
        weights = tuple(_weights(root, file))
        flags = root.array("trainable")[: len(times)].astype(bool)
        text = root.array("architecture").astype(np.uint8).tobytes().decode("utf-8", "replace")
        about = root.text("model") or "", root.text("framework") or ""
    if flags.shape != (len(times), len(weights)):
        raise UnreadableModel(f"trainable has shape {flags.shape}", where=str(path))
    return Log(str(path), *about, text, times, weights, flags)


def _expect(version: float | None, path: Path) -> None:
    if version is None:
        raise UnreadableModel("this is no recording of refconv.keras.WeightRecorder", where=str(path))
    if version != VERSION:
        raise UnreadableModel(f"a recording of version {version:g}; {VERSION} is read", where=str(path))


def _times(epochs: np.ndarray, batches: np.ndarray) -> tuple[Time, ...]:
    pairs = zip(epochs.tolist(), batches.tolist(), strict=False)  # a killed writer may have left one batch more
    return tuple(Time(index, int(epoch), int(batch)) for index, (epoch, batch) in enumerate(pairs))


def _weights(root: Group, file: Hdf5File) -> Iterator[Recorded]:
    group = root.group("weights")
    for number in range(len(group.names())):
        one = group.group(str(number))
        values = one.stored("values")
        yield Recorded(one.text("layer") or "", one.text("name") or "", values.shape[1:], values.dtype, number, file)


class Writer:
    """Appends times to a recording.

    Args:
        path: made if there is none; else it must be a recording of a model with the same weights, and goes on. What a
            killed writer left half done is dropped.
        keys: the model's weights.
        model, framework, architecture: see `Log`.

    Raises:
        BadInput: there is no such folder, or the file holds something else, or weights of another model.
        UnreadableModel: it is damaged.
    """

    def __init__(self, path: Path, keys: Sequence[Key], *, model: str, framework: str, architecture: str) -> None:
        self.path, self._keys = path, tuple(keys)
        if not path.absolute().parent.is_dir():
            raise BadInput(f"there is no folder {path.parent}", where=str(path), hint="create it first")
        if path.exists() and path.stat().st_size:
            self._resume()
        else:
            with _new(path) as file:
                _create(file, self._keys, {"model": model, "framework": framework}, architecture)
        self._file = h5py.File(path, "r+", libver="latest")
        self._file.swmr_mode = True
        log = read_log(path)
        self.count, self.last = len(log.times), log.times[-1] if log.times else None

    def append(self, epoch: int, batch: int, values: Sequence[np.ndarray], trainable: Sequence[bool]) -> None:
        """One time: the values in the order of the keys. It is in the file, whole, when this returns."""
        for number, value in enumerate(values):
            _put(self._file[f"weights/{number}/values"], self.count, np.asarray(value))
        _put(self._file["trainable"], self.count, np.array(trainable, np.uint8))
        _put(self._file["batch"], self.count, batch)
        _put(self._file["epoch"], self.count, epoch)
        self.last = Time(self.count, epoch, batch)
        self.count += 1

    def close(self) -> None:
        self._file.close()

    def _resume(self) -> None:
        if not is_recording(self.path):
            raise BadInput("the file is no recording, and is left alone", where=str(self.path))
        log = read_log(self.path)
        stored = tuple(Key(w.layer, w.name, w.shape, w.dtype) for w in log.weights)
        if stored != self._keys:
            raise BadInput(
                f"the recording is of another model: {_first_difference(stored, self._keys)}",
                where=str(self.path),
                hint="name another file",
            )
        if not _closed_well(self.path):
            _copied(log, self._keys)


def _first_difference(stored: Sequence[Key], wanted: Sequence[Key]) -> str:
    for a, b in zip(stored, wanted, strict=False):
        if a != b:
            return f"{a.layer}/{a.name} of shape {a.shape} there, {b.layer}/{b.name} of shape {b.shape} here"
    return f"{len(stored)} weights there, {len(wanted)} here"


def _closed_well(path: Path) -> bool:
    try:
        with h5py.File(path, "r+", libver="latest"):
            return True
    except OSError:
        return False


def _copied(log: Log, keys: Sequence[Key]) -> None:
    """Write the whole times anew: HDF5 opens no file for writing that its last writer did not close."""
    with _new(Path(log.path)) as file:
        _create(file, keys, {"model": log.model, "framework": log.framework}, log.architecture)
        for weight in log.weights:
            for time, values in zip(log.times, weight.history(log.times), strict=True):
                _put(file[f"weights/{weight.number}/values"], time.index, values)
        for time, flags in zip(log.times, log.trainable, strict=True):
            _put(file["trainable"], time.index, flags)
            _put(file["batch"], time.index, time.batch)
            _put(file["epoch"], time.index, time.epoch)


@contextmanager
def _new(path: Path) -> Iterator[h5py.File]:
    """A file that takes its name when it is whole."""
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        with h5py.File(temporary, "x", libver="latest") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _create(file: h5py.File, keys: Sequence[Key], about: Mapping[str, str], architecture: str) -> None:
    file.attrs[MARK] = VERSION
    for name, text in about.items():
        file.attrs[name] = text
    file["architecture"] = np.frombuffer(architecture.encode(), np.uint8)
    for name in ("epoch", "batch"):
        file.create_dataset(name, (0,), np.int64, maxshape=(None,), chunks=(TIMES,))
    flags = (min(TIMES, max(1, CHUNK // max(1, len(keys)))), max(1, len(keys)))
    file.create_dataset("trainable", (0, len(keys)), np.uint8, maxshape=(None, max(1, len(keys))), chunks=flags)
    weights = file.create_group("weights")
    for number, key in enumerate(keys):
        group = weights.create_group(str(number))
        group.attrs["layer"], group.attrs["name"] = key.layer, key.name
        _create_values(group, key)


def _create_values(group: h5py.Group, key: Key) -> None:
    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if np.prod(key.shape) > 1 else {}
    largest = (None, *(max(1, size) for size in key.shape))
    group.create_dataset("values", (0, *key.shape), key.dtype, maxshape=largest, chunks=_chunks(key), **packed)


def _chunks(key: Key) -> tuple[int, ...]:
    """Of one time, whole along the last axes, near CHUNK bytes."""
    room, sizes = CHUNK // np.dtype(key.dtype).itemsize, []
    for size in reversed(key.shape):
        sizes.append(max(1, min(size, room)))
        room //= max(1, sizes[-1])
    return (1, *reversed(sizes))


def _put(dataset: h5py.Dataset, index: int, value: object) -> None:
    dataset.resize(index + 1, axis=0)
    dataset[index] = value
    dataset.flush()
