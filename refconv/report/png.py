"""A picture of few colours as a PNG small enough to stand in a page."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence

Colour = tuple[int, int, int]
MOST = 16  # colours, at four bits each


def png(rows: Sequence[Sequence[int]], palette: Sequence[Colour]) -> bytes:
    """PNG (ISO/IEC 15948) of colour type 3: `rows` of equal length hold indices into the palette."""
    if not rows or not rows[0] or len(palette) > MOST:
        raise ValueError(f"a picture of {len(rows)} rows and {len(palette)} colours")
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 4, 3, 0, 0, 0)
    lines = b"".join(b"\0" + _packed(row) for row in rows)  # each starts with its filter: none
    parts = ((b"IHDR", head), (b"PLTE", bytes(c for colour in palette for c in colour)))
    chunks = (*parts, (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def data_url(picture: bytes) -> str:
    return "data:image/png;base64," + b64encode(picture).decode()


def _packed(row: Sequence[int]) -> bytes:
    """Two pixels a byte, the left one in the high bits."""
    even = [*row, 0] if len(row) % 2 else row
    return bytes(high << 4 | low for high, low in zip(even[::2], even[1::2], strict=True))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
