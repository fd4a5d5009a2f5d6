"""What is refused before anything is started: a file that is not the expected one, and weights that lie elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from refconv.errors import BadInput, UnreadableModel
from refconv.formats.hdf5 import EXPANSION_FLOOR, MAX_EXPANSION
from refconv.formats.source import Source
from refconv.graph import checksum

DIGEST = re.compile(r"[0-9a-f]{64}")


def demand_hash(path: Path, expected: str) -> None:
    """Any change of any byte shows.

    Raises:
        BadInput: `expected` is no SHA-256.
        UnreadableModel: the file has another one, or cannot be read.
    """
    if not expected:
        return
    wanted = expected.lower().removeprefix("sha256:")
    if not DIGEST.fullmatch(wanted):
        raise BadInput(f"{expected!r} is no SHA-256", where="--sha256", hint="64 hexadecimal digits")
    try:
        found = checksum(path)
    except OSError as error:
        raise UnreadableModel(f"cannot be read: {error.strerror}", where=str(path)) from None
    if found != wanted:
        raise UnreadableModel(f"its SHA-256 is {found}, and {wanted} was demanded", where=str(path))


def refuse_storage(source: Source) -> None:
    """Look at every member of the weights, also those that no layer uses: loaders follow whatever they meet.

    Raises:
        UnreadableModel: a link, foreign storage, or more bytes declared than a file of this size may stand for.
    """
    with source.weights.unchecked().open() as root:
        declared = sum(root.sizes())
    size = Path(source.path).stat().st_size
    if declared > max(EXPANSION_FLOOR, MAX_EXPANSION * size):
        raise UnreadableModel(f"its weights declare {declared} bytes, and the file has {size}", where=source.path)
