"""JSON from a file that nobody vouches for: bounded in size and depth, and no key twice."""

from __future__ import annotations

import json
from typing import Any

from refconv.errors import UnreadableModel

MAX_BYTES = 32 << 20  # the largest of keras.applications has 1 MB
MAX_DEPTH = 200
MAX_VALUES = 1_000_000  # each may take a hundred bytes of memory where it takes two of text


def parse(text: str | bytes, where: str) -> Any:
    """The value that `text` holds.

    NaN and Infinity are read as numbers: Keras writes them.

    Raises:
        UnreadableModel: not JSON, not UTF-8, a key twice in one object, or larger or deeper than the limits.
    """
    if len(text) > MAX_BYTES:
        raise UnreadableModel(f"more than {MAX_BYTES} bytes of JSON", where=where)
    if _count(text) > MAX_VALUES:
        raise UnreadableModel(f"more than {MAX_VALUES} values of JSON", where=where)
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except (RecursionError, MemoryError):
        raise UnreadableModel("JSON is nested too deeply", where=where) from None
    except ValueError as error:
        raise UnreadableModel(f"not valid JSON: {error}", where=where) from None
    if _deeper_than(value, MAX_DEPTH):
        raise UnreadableModel(f"JSON is nested more than {MAX_DEPTH} deep", where=where)
    return value


def _count(text: str | bytes) -> int:
    """No fewer than the values that `text` holds; commas within strings count too."""
    if isinstance(text, bytes):
        return sum(map(text.count, (b",", b"[", b"{")))
    return sum(map(text.count, (",", "[", "{")))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _deeper_than(value: Any, limit: int) -> bool:
    layer = [value]
    for _ in range(limit + 1):
        layer = [child for item in layer for child in _children(item)]
        if not layer:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
