"""A stretch of a file, as a file."""

import io

import pytest

from refconv.formats.window import Window


@pytest.fixture
def window(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before" + bytes(range(10)) + b"after")
    with Window(path, 6, 10) as window:
        yield window


def test_reads_its_own_bytes_only(window):
    assert window.read() == bytes(range(10))
    assert window.read() == b""


@pytest.mark.parametrize(("offset", "whence", "at"), [(3, io.SEEK_SET, 3), (-2, io.SEEK_END, 8), (-20, io.SEEK_END, 0)])
def test_seeks(window, offset, whence, at):
    assert window.seek(offset, whence) == at == window.tell()
    assert window.read(3) == bytes(range(10))[at : at + 3]


def test_a_place_behind_the_end_is_empty(window):
    window.seek(12)
    assert window.read(4) == b""


def test_fills_a_buffer_of_any_type(window):
    buffer = memoryview(bytearray(8)).cast("I")
    assert window.readinto(buffer) == 8
    assert buffer.tobytes() == bytes(range(8))
