"""refconv edit: what was asked for is changed, and not a byte more."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.crafted import BIAS, KERNEL, dense, sequential, source, write_h5
from support.models import model_path, needs_models

import refconv
from refconv.cli import main
from refconv.errors import BadInput
from refconv.formats.rewriting import rewrite

SAMPLES = Path(refconv.__file__).parent / "samples"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def contents(path: Path) -> dict[str, bytes]:
    """Every dataset's bytes and every attribute of an HDF5 file, by path."""
    found: dict[str, bytes] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        for key, value in item.attrs.items():
            found[f"{name}@{key}"] = repr(np.asarray(value).tolist()).encode()
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes() + str((item.dtype, item.shape, item.chunks, item.compression)).encode()

    with h5py.File(path) as file:
        visit("", file)
        file.visititems(visit)
    return found


def differing(a: Mapping[str, bytes], b: Mapping[str, bytes]) -> set[str]:
    return {name for name in {*a, *b} if a.get(name) != b.get(name)}


def bytes_outside(a: Path, b: Path, place: str) -> bool:
    """Whether two HDF5 files are the same but for one contiguous dataset's bytes."""
    with h5py.File(a) as file:
        start, size = file[place].id.get_offset(), file[place].id.get_storage_size()
    x, y = a.read_bytes(), b.read_bytes()
    return (x[:start], x[start + size :]) == (y[:start], y[start + size :])


def test_every_other_byte_of_an_hdf5_file_stays(tmp_path: Path) -> None:
    a, b = SAMPLES / "digits.h5", tmp_path / "b.h5"
    done = refconv.edit(a, b, set=["classes/kernel=0.25"])
    assert [(w.label, w.changed, w.elements) for w in done.weights] == [("classes/kernel", 640, 640)]
    (place,) = differing(contents(a), contents(b))
    assert place.endswith("kernel:0") and bytes_outside(a, b, place)
    np.testing.assert_array_equal(refconv.weights(b)["classes"].kernel.stored, np.full((64, 10), 0.25, np.float32))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.h5"]


def test_every_other_member_of_an_archive_stays(tmp_path: Path) -> None:
    a, b = SAMPLES / "digits.keras", tmp_path / "b.keras"
    refconv.edit(a, b, set=["conv/kernel[0,:,...]=0.5"])
    with zipfile.ZipFile(a) as old, zipfile.ZipFile(b) as new:
        assert new.testzip() is None
        for x, y in zip(old.infolist(), new.infolist(), strict=True):
            for name in ("filename", "date_time", "compress_type", "external_attr", "file_size"):
                assert getattr(x, name) == getattr(y, name), name
            assert (old.read(x) == new.read(y)) == (x.filename != "model.weights.h5")
        for archive, path in ((old, "old.h5"), (new, "new.h5")):
            (tmp_path / path).write_bytes(archive.read("model.weights.h5"))
    assert bytes_outside(tmp_path / "old.h5", tmp_path / "new.h5", "layers/conv2d/vars/0")
    before, after = (refconv.weights(path)["conv"].kernel.stored for path in (a, b))
    assert before is not None and after is not None
    assert np.all(after[0] == 0.5) and np.array_equal(after[1:], before[1:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.keras", "new.h5", "old.h5"]


def test_a_deflated_archive_with_more_members(tmp_path: Path) -> None:
    a, b = tmp_path / "a.keras", tmp_path / "b.keras"
    with zipfile.ZipFile(SAMPLES / "digits.keras") as old, zipfile.ZipFile(a, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("assets/words.txt", "one two")
        new.comment = b"mine"
    refconv.edit(a, b, scale=["classes=2"])
    with zipfile.ZipFile(b) as archive:
        assert archive.read("assets/words.txt") == b"one two" and archive.comment == b"mine"
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    before, after = (refconv.weights(path)["classes"].bias.stored for path in (a, b))
    assert before is not None
    np.testing.assert_array_equal(after, before * 2)


STORED = {
    "chunked": {"chunks": (2, 3)},
    "packed": {"chunks": (2, 3), "compression": "gzip", "shuffle": True},
    "big-endian": {"dtype": ">f4"},
    "float64": {"dtype": "f8"},
}


@pytest.mark.parametrize("how", STORED.values(), ids=STORED)
def test_other_ways_of_storing(tmp_path: Path, how: dict[str, object]) -> None:
    a, b = write_h5(tmp_path / "a.h5"), tmp_path / "b.h5"
    with h5py.File(a, "r+") as file:
        del file["model_weights/dense/dense/kernel:0"]
        file.create_dataset("model_weights/dense/dense/kernel:0", data=KERNEL, **how)
    refconv.edit(a, b, set=["dense/kernel[1:3,-1]=7"])
    assert differing(contents(a), contents(b)) == {"model_weights/dense/dense/kernel:0"}
    wanted = KERNEL.copy()
    wanted[1:3, -1] = 7
    np.testing.assert_array_equal(refconv.weights(b)["dense"].kernel.stored, wanted)
    with h5py.File(a) as x, h5py.File(b) as y:
        place = "model_weights/dense/dense/kernel:0"
        assert (x[place].dtype, x[place].chunks) == (y[place].dtype, y[place].chunks)


def test_a_planted_change_elsewhere_would_be_seen(tmp_path: Path) -> None:
    a, b = SAMPLES / "digits.h5", tmp_path / "b.h5"
    refconv.edit(a, b, set=["classes/kernel=0.25"])
    raw = bytearray(b.read_bytes())
    raw[-1] ^= 1
    (place,) = differing(contents(a), contents(b))
    b.write_bytes(raw)
    assert not bytes_outside(a, b, place)


@pytest.mark.parametrize(
    ("pattern", "labels"),
    [
        ("one", {"one/kernel", "one/bias"}),
        ("*/bias", {"one/bias", "two/bias"}),
        ("*", {"one/kernel", "one/bias", "two/kernel", "two/bias"}),
        ("[ot][nw][eo]", {"one/kernel", "one/bias", "two/kernel", "two/bias"}),  # no index: no weight is called so
        ("t?o/kernel", {"two/kernel"}),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, labels: set[str]) -> None:
    config = sequential(source(), dense("one", 3), dense("two", 3))
    kernels = {"one": KERNEL, "two": np.eye(3, dtype="f4")}
    weights = {name: {"kernel:0": values, "bias:0": BIAS} for name, values in kernels.items()}
    a = write_h5(tmp_path / "a.h5", config, weights)
    assert {w.label for w in refconv.edit(a, tmp_path / "b.h5", set=[f"{pattern}=9"]).weights} == labels


def test_weights_of_another_file_then_set_then_scaled(tmp_path: Path) -> None:
    a = write_h5(tmp_path / "a.h5")
    other = write_h5(tmp_path / "o.h5", weights={"dense": {"dense/kernel:0": KERNEL + 1, "dense/bias:0": BIAS + 1}})
    refconv.edit(a, tmp_path / "b.h5", take=[str(other)], set=["dense/bias[0]=0"], scale=["dense=2"])
    found = refconv.weights(tmp_path / "b.h5")["dense"]
    np.testing.assert_array_equal(found.kernel.stored, (KERNEL + 1) * 2)
    np.testing.assert_array_equal(found.bias.stored, np.float32([0, 6, 8]))


def test_the_other_container_and_another_head(tmp_path: Path) -> None:
    """Layers of other shapes are left alone, unless they were asked for."""
    config = sequential(source(), dense("dense", 3), dense("head", 5))
    weights = {"dense": {"k:0": KERNEL, "b:0": BIAS}, "head": {"k:0": np.ones((3, 5), "f4"), "b:0": np.ones(5, "f4")}}
    other = write_h5(tmp_path / "o.h5", config, weights)
    config = sequential(source(), dense("dense", 3), dense("head", 2))
    zeros = {"dense": {"k:0": KERNEL * 0, "b:0": BIAS * 0}, "head": {"k:0": np.zeros((3, 2), "f4"), "b:0": BIAS[:2]}}
    a = write_h5(tmp_path / "a.h5", config, zeros)
    done = refconv.edit(a, tmp_path / "b.h5", take=[str(other)])
    assert {w.label for w in done.weights} == {"dense/kernel", "dense/bias"}
    with pytest.raises(BadInput, match="head has weights of other shapes there"):
        refconv.edit(a, tmp_path / "b.h5", take=[f"head={other}"])
    done = refconv.edit(SAMPLES / "digits.h5", tmp_path / "c.h5", take=[str(SAMPLES / "digits.keras")])
    assert refconv.diff(tmp_path / "c.h5", SAMPLES / "digits.keras").is_same and len(done.weights) == 18


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([], "nothing is to be changed"),
        (["dense"], "is no PATTERN=NUMBER"),
        (["=3"], "is no PATTERN=NUMBER"),
        (["dense=x"], "is no PATTERN=NUMBER"),
        (["dence=3"], "no layer or weight matches 'dence'.*there are dense/kernel, dense/bias"),
        (["dense/kernel[4]=3"], "out of bounds.*its shape is"),
        (["dense/kernel[0,0,0]=3"], "too many indices"),
        (["dense/kernel[1:2:0]=3"], "has no step"),
        (["dense/kernel[...,...]=3"], "several"),
        (["dense/kernel[1-]=3"], "is no index"),
    ],
)
def test_what_is_refused(tmp_path: Path, settings: list[str], said: str) -> None:
    a = write_h5(tmp_path / "a.h5")
    with pytest.raises(BadInput, match=said):
        refconv.edit(a, tmp_path / "b.h5", set=settings)
    assert not (tmp_path / "b.h5").exists()


def test_no_source_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, other = write_h5(tmp_path / "a.h5"), write_h5(tmp_path / "o.h5")
    (tmp_path / "link.h5").symlink_to(a)
    before = a.read_bytes()
    for output in (a, tmp_path / "link.h5", other):
        assert run("edit", str(a), "--set", "dense=0", "--from", str(other), "--output", str(output)) == 2
        assert "a source is not overwritten" in capsys.readouterr().err
    assert a.read_bytes() == before == other.read_bytes()


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    a = write_h5(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_bytes(b"as it was")

    def fail() -> np.ndarray:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        rewrite(a, "hdf5", {"model_weights/dense/dense/kernel:0": fail}, tmp_path / "b.h5")
    assert (tmp_path / "b.h5").read_bytes() == b"as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


@needs_models
@pytest.mark.parametrize("name", ["legacy/lenet5_theano_keras2.h5"])
def test_kernels_that_lie_otherwise_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="not stored as the layer holds it"):
        refconv.edit(model_path(name), tmp_path / "b.h5", set=["*/kernel=0"])
    assert not (tmp_path / "b.h5").exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = str(write_h5(tmp_path / "a.h5")), str(tmp_path / "b.h5")
    assert run("edit", a, "--set", "dense/bias=0", "--output", b) == 0
    assert capsys.readouterr().out == f"dense/bias  3  3 of 3 values changed\nwritten: {b}\n"
    assert run("edit", a, "--set", "dense/bias=0", "--output", str(tmp_path / "none" / "b.h5")) == 2
