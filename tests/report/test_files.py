"""Reports are written whole or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest

from refconv.errors import BadInput
from refconv.report.files import beneath, check_writable, replacing, write_arrays, write_text


def test_writes_and_leaves_nothing_beside(tmp_path: Path) -> None:
    write_text(str(tmp_path / "r.json"), "é\n")
    assert (tmp_path / "r.json").read_text(encoding="utf-8") == "é\n"
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "r.json"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BadInput, match="No space left"):
        write_text(str(target), "new")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_refused_before_the_work_begins(tmp_path: Path) -> None:
    check_writable(str(tmp_path / "r.json"), "--json")
    with pytest.raises(BadInput, match="no folder"):
        check_writable(str(tmp_path / "absent" / "r.json"), "--json")
    with pytest.raises(BadInput, match="is a folder"):
        check_writable(str(tmp_path), "--json")


def test_arrays_keep_their_names_and_values(tmp_path: Path) -> None:
    given = {"file": np.arange(3), "../x/kernel": np.ones((2, 2), np.float32)}
    write_arrays(str(tmp_path / "w.npz"), given)
    with np.load(tmp_path / "w.npz", allow_pickle=False) as found:
        assert sorted(found.files) == sorted(given)
        assert all(np.array_equal(found[name], given[name]) for name in given)
    assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]


def test_a_path_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "model.h5"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(target) as temporary:
        temporary.write_text("half")
        assert temporary.parent == tmp_path and target.read_text() == "old"
        raise ZeroDivisionError
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
    with replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new" and list(tmp_path.iterdir()) == [target]
    with pytest.raises(BadInput, match="cannot be written"), replacing(target):
        raise OSError(28, "No space left on device")


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text(str(tmp_path / "link"), "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize("name", ["../../x", "..", "", "/etc/passwd", "a\\b", "a\0b", "\ud800", "x" * 300, "con:1"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    found = beneath(tmp_path, name, ".png")
    assert found.parent == tmp_path and len(found.name) < 200
    found.write_text("")
    assert beneath(tmp_path, name + "_", ".png") != found


def test_a_plain_name_stays(tmp_path: Path) -> None:
    assert beneath(tmp_path, "block1_conv2.1", ".png") == tmp_path / "block1_conv2.1.png"
    assert beneath(tmp_path, "a/b", ".png") != beneath(tmp_path, "a_b", ".png")
