"""An engine that remembers: the same layer is judged for every mutant of it, and only its outputs differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from refconv.primitives.engine import Engine


class Memo:
    """The engine `inner`, each distinct call computed once; `forget` before the next layer."""

    def __init__(self, inner: Engine) -> None:
        self.name = inner.name
        self._inner = inner
        self._known: dict[Any, Any] = {}

    def forget(self) -> None:
        self._known.clear()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Any loop of the engine, remembered."""
        function = getattr(self._inner, name)

        def once(*arguments: Any, **named: Any) -> Any:
            key = (name, *map(_key, arguments), *named.items())
            if key not in self._known:
                self._known[key] = _frozen(function(*arguments, **named))  # shared from now on
            return self._known[key]

        return once


def _frozen(found: Any) -> Any:
    for array in (found, *(vars(found).values() if is_dataclass(found) else ())):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return found


def _key(argument: Any) -> Any:
    if not isinstance(argument, np.ndarray):
        return argument
    content = hashlib.blake2b(np.ascontiguousarray(argument), digest_size=16).digest()
    return argument.shape, argument.dtype.str, content
