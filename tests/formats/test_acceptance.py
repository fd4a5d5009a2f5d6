"""The quick look at a file: its hash, where its weights are, and how much they may stand for."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.crafted import members, write_h5, write_zip

from refconv.errors import BadInput, UnreadableModel
from refconv.formats import accept, load
from refconv.formats.memory import at_most
from refconv.formats.rehearsal import rehearse
from refconv.graph import checksum


def test_any_change_shows_in_the_hash(tmp_path: Path) -> None:
    for path in (write_h5(tmp_path / "m.h5"), write_zip(tmp_path / "m.keras", members())):
        expected, data = checksum(path), path.read_bytes()
        for spelled in (expected, expected.upper(), f"sha256:{expected}"):
            assert load(path, sha256=spelled).sha256 == expected
        for place in (0, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            with pytest.raises(UnreadableModel, match=f"and {expected} was demanded"):
                accept(path, sha256=expected)
        with pytest.raises(UnreadableModel, match="was demanded"):
            path.write_bytes(data + b"x")
            accept(path, sha256=expected)


def test_no_hash_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no SHA-256"):
        accept(write_h5(tmp_path / "m.h5"), sha256="abc")
    with pytest.raises(UnreadableModel, match="No such file"):
        accept(tmp_path / "none.h5", sha256="0" * 64)


def test_what_no_layer_uses_is_looked_at_too(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "m.h5")
    accept(path)
    with h5py.File(path, "a") as file:
        file["unused/link"] = h5py.SoftLink("/model_weights")
    with pytest.raises(UnreadableModel, match="SoftLink"):
        accept(path)


def test_one_dataset_of_many_names(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file["large"] = np.ones(1 << 20, np.float32)
        for number in range(30):
            file[f"again{number}"] = file["large"]
    with pytest.raises(UnreadableModel, match=r"declare 130\d+ bytes, and the file has 4\d+"):
        accept(path)


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_copy_reads_first(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_h5(path) if name == "m.h5" else write_zip(path, members())
    before = set(os.listdir("/proc/self/fd"))
    rehearse(path)
    rehearse(tmp_path / "none.h5")  # which is told later
    assert set(os.listdir("/proc/self/fd")) == before


def endless(path: Path) -> Path:
    """libhdf5 goes on by the size of each object in a heap: a free one of size 0 keeps it there (HDF5 1.14.6)."""
    data = bytearray(write_h5(path).read_bytes())
    at = data.index(b"GCOL") + 16
    while struct.unpack_from("<H", data, at)[0]:
        at += 16 + -(-struct.unpack_from("<Q", data, at + 8)[0] // 8) * 8
    struct.pack_into("<Q", data, at + 8, 0)
    path.write_bytes(data)
    return path


def test_a_library_that_comes_to_no_end(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match="comes to no end"):
        rehearse(endless(tmp_path / "m.h5"), 1)


def test_a_library_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refconv.formats.rehearsal._read", lambda path: os.abort())
    with pytest.raises(UnreadableModel, match="dies of SIGABRT"):
        rehearse(write_h5(tmp_path / "m.h5"))


def test_a_limit_that_is_lifted_again() -> None:
    with pytest.raises(MemoryError), at_most(1 << 20):
        bytearray(1 << 28)
    assert len(bytearray(1 << 28)) == 1 << 28
