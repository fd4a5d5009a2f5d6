"""Two weights side by side: figures beside plain NumPy, however the values are stored."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refconv.errors import UnreadableModel
from refconv.formats.hdf5 import Hdf5File
from refconv.graph import Weight
from refconv.inventory import streams
from refconv.inventory.change import Change, change, dead_inputs

STORED: dict[str, dict[str, Any]] = {
    "bare": {},
    "chunked": {"chunks": True},
    "packed": {"chunks": True, "compression": "gzip", "shuffle": True},
    "big-endian": {"dtype": ">f4"},
}


def live(values: np.ndarray) -> Weight:
    """A weight that no file holds."""
    return Weight("kernel", "kernel", values.shape, values.dtype.name, lambda: values)


def stored(path: Path, values: np.ndarray, **how: Any) -> Weight:
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("kernel", data=values, **how)
    with Hdf5File(str(path)).open() as root:
        found = root.stored("kernel")
    return Weight("kernel", found.path, found.shape, found.dtype, found.read, True, found)


def plain(a: np.ndarray, b: np.ndarray) -> Change | None:
    """By definition, in float64."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    same = (a == b) | ((a != a) & (b != b))
    by = np.where(same, 0.0, np.abs(y - x))
    if same.all():
        return None
    small = np.count_nonzero((by < 5e-9) & ~same)
    means = [math.sqrt(float(np.mean(v**2))) for v in (by, x)]
    return Change(a.size, int(np.count_nonzero(~same)), int(small), float(by.max()), *means)


def agree(found: Change | None, wanted: Change | None) -> None:
    assert (found is None) == (wanted is None)
    if found is not None and wanted is not None:
        assert found.elements == wanted.elements and found.changed == wanted.changed
        assert found.printed_zero == wanted.printed_zero
        for name in ("largest", "rms", "size"):
            assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=1e-5, nan_ok=True), name


@pytest.mark.parametrize("first", STORED)
@pytest.mark.parametrize("second", STORED)
@pytest.mark.parametrize("shape", [(), (3,), (700, 300), (3, 3, 200, 150)])
def test_every_way_of_storing_gives_the_same(tmp_path: Path, first: str, second: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=shape).astype(np.float32)
    b = np.asarray(a + (rng.random(shape) < 0.5) * rng.choice([1e-9, 1e-3], shape)).astype(np.float32)
    how = [STORED[kind] if shape or kind == "big-endian" else {} for kind in (first, second)]
    x, y = stored(tmp_path / "a.h5", a, **how[0]), stored(tmp_path / "b.h5", b, **how[1])
    agree(change(x, y), plain(a, b))
    assert change(x, x) is None


def test_the_last_value_of_many_is_seen(tmp_path: Path) -> None:
    """By several threads, each in its own stretch."""
    a = np.random.default_rng(0).normal(size=(1000, 5000)).astype(np.float32)
    b = a.copy()
    b[-1, -1] += 1
    x, y = stored(tmp_path / "a.h5", a), stored(tmp_path / "b.h5", b)
    assert x.stored.extent() is not None and a.size > streams.PIECE * streams.BATCH * 2
    found = change(x, y)
    assert found is not None and found.changed == 1 and found.largest == pytest.approx(1, rel=1e-6)
    agree(found, plain(a, b))


FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(st.integers(0, 30).flatmap(lambda n: st.tuples(*[hnp.arrays(np.float32, n, elements=FLOATS)] * 2)))
def test_any_numbers(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """NaN, infinity, denormals, the largest: what changed is counted right, and the largest is right or infinite."""
    a, b = pair
    with np.errstate(all="ignore"):
        found, wanted = change(live(a), live(b)), plain(a, b)
    assert (found is None) == (wanted is None)
    if found is not None and wanted is not None:
        assert found.changed == wanted.changed
        assert found.largest == pytest.approx(wanted.largest, rel=1e-6, abs=1e-45, nan_ok=True)
        if math.isfinite(wanted.largest) and math.isfinite(wanted.size):
            agree(found, wanted)


@pytest.mark.parametrize("scale", [1e-40, 1e-34, 1.0, 1e30])
def test_squares_that_float32_cannot_hold(scale: float) -> None:
    a = (np.array([1, 2, 3]) * scale).astype(np.float32)
    b = (np.array([2, 2, 5]) * scale).astype(np.float32)
    agree(change(live(a), live(b)), plain(a, b))


def test_zeros_of_either_sign_are_one_number() -> None:
    assert change(live(np.float32([0.0, 1])), live(np.float32([-0.0, 1]))) is None
    assert change(live(np.float32([np.nan])), live(np.float32([np.nan]))) is None
    assert change(live(np.float32([1.0])), live(np.float64([1.0]))) is None


@pytest.mark.parametrize("dtype", ["float16", "float64", "int64", "bool"])
def test_other_types(dtype: str) -> None:
    a, b = np.array([0, 1, 1], dtype), np.array([1, 1, 0], dtype)
    agree(change(live(a), live(b)), plain(a, b))


def test_relative() -> None:
    assert Change(1, 1, 0, 1.0, 1.0, 0.0).relative == math.inf
    assert Change(1, 1, 0, 1.0, 1.0, 4.0).relative == 0.25


@pytest.mark.parametrize("shape", [(6, 4), (3, 3, 6, 4), (6, 70000)])
def test_dead_inputs(tmp_path: Path, shape: tuple[int, ...]) -> None:
    a = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    b = a + np.float32(1)
    b[..., [1, 4], :] = a[..., [1, 4], :]
    b[..., 2, 1:] = a[..., 2, 1:]  # one weight of input 2 moved: it is not dead
    x, y = stored(tmp_path / "a.h5", a), stored(tmp_path / "b.h5", b)
    found = change(x, y)
    assert found is not None
    dead = dead_inputs(x, y, found)
    assert dead is not None and (dead.inputs, dead.dead) == (6, (1, 4))
    b[..., 1, 0] += 1
    b[..., 4, 0] += 1
    y = stored(tmp_path / "c.h5", b)
    found = change(x, y)
    assert found is not None and dead_inputs(x, y, found) is None


def test_a_bias_has_no_inputs() -> None:
    a, b = live(np.float32([1, 2])), live(np.float32([1, 3]))
    found = change(a, b)
    assert found is not None and dead_inputs(a, b, found) is None


def half_of_a_float() -> Any:
    """The upper 16 bits of a float32, which HDF5 widens as it reads."""
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_size(2)
    return kind


def middle_of_an_integer() -> Any:
    """16 bits of 32, 8 of padding on either side."""
    kind = h5py.h5t.STD_I32LE.copy()
    kind.set_precision(16)
    kind.set_offset(8)
    return kind


@pytest.mark.parametrize(("kind", "dtype"), [(half_of_a_float, "float32"), (middle_of_an_integer, "int32")])
def test_types_that_numpy_has_not(tmp_path: Path, kind: Any, dtype: str) -> None:
    """h5py calls both by NumPy's nearest type, whose bytes they have not."""
    values = np.array([1, 2, -3, 4] * 1000, dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        space = h5py.h5s.create_simple(values.shape)
        h5py.h5d.create(file.id, b"kernel", kind(), space).write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    with Hdf5File(str(tmp_path / "a.h5")).open() as root:
        found = root.stored("kernel")
    weight = Weight("kernel", found.path, found.shape, found.dtype, found.read, True, found)
    assert found.dtype == dtype and np.array_equal(weight.value, values)
    assert streams.ends(weight).tolist() == [-3, 4]
    assert not streams.differ(weight, live(values))


def test_a_file_cut_short_meanwhile(tmp_path: Path) -> None:
    a = stored(tmp_path / "a.h5", np.zeros((1000, 1000), np.float32))
    b = stored(tmp_path / "b.h5", np.zeros((1000, 1000), np.float32))
    extent = b.stored.extent()
    size = (tmp_path / "b.h5").stat().st_size
    with pytest.raises(UnreadableModel, match="shorter|truncated"):
        for _ in streams.over_pieces(lambda x, y: _cut(tmp_path / "b.h5", size), a, b):
            pass
    assert extent is not None


def _cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size // 2)
