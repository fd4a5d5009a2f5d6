"""What a person observed, from the files that people have."""

from __future__ import annotations

import gzip
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from refconv.errors import BadInput
from refconv.inputs.observed import Codes, observed

VALUES = np.array([[0.5, -0.25], [1.75, 2.0]], np.float32)


def test_arrays_are_taken_bit_for_bit(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", VALUES)
    np.savez(tmp_path / "y.npz", a=VALUES, b=-VALUES)
    for given in (VALUES, tmp_path / "y.npy", f"{tmp_path}/y.npz:a"):
        found = observed(given)
        np.testing.assert_array_equal(found.values, VALUES)
        assert found.values.dtype == np.float32 and found.resolution == 0.0
    np.testing.assert_array_equal(observed(f"{tmp_path}/y.npz:b").values, -VALUES)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_floats_may_have_been_rounded(dtype: type) -> None:
    found = observed(np.array([1.0, 0.3]).astype(dtype))
    assert (np.abs(found.values - [1.0, 0.3]) <= found.resolution).all()
    assert (np.asarray(found.resolution) > 0).all()


@pytest.mark.parametrize("name", ["y.csv", "y.csv.gz", "y.txt", "y"])
def test_text(name: str, tmp_path: Path) -> None:
    text = "0.50,-0.25\n1.75,2.00\n"
    text = 'a,"b"\n' + text if ".csv" in name else text
    data = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    found = observed(tmp_path / name)
    np.testing.assert_array_equal(found.values, VALUES)
    np.testing.assert_allclose(found.resolution, 0.005)


def test_codes_leave_half_a_step_open(tmp_path: Path) -> None:
    (tmp_path / "y.hex").write_text("0x02 0xff\n0x07 0x08\n")
    for given in (np.array([[2, -1], [7, 8]]), tmp_path / "y.hex"):
        found = observed(given, Codes(0.25, bits=8))
        np.testing.assert_array_equal(found.values, VALUES)
        assert found.resolution == 0.125


@pytest.mark.parametrize(
    ("given", "codes", "said"),
    [
        (np.array(["a"]), None, "not numbers"),
        (np.empty((0, 3)), None, "empty"),
        (np.array([0.5]), Codes(1.0), "fractions"),
        ("absent.npy", None, "no such file"),
    ],
)
def test_refused(given: object, codes: Codes | None, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        observed(given, codes)  # type: ignore[arg-type]


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "y.png").write_bytes(b"\x89PNG")
    (tmp_path / "y.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("y.png", "y.txt"):
        with pytest.raises(BadInput):
            observed(tmp_path / name)
