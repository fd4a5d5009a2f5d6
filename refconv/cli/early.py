"""The framework that a file seems to need, started while the reference is still being imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def framework(model: str, keras: str = "auto", *, wanted: bool = True) -> Iterator[None]:
    """Within the context a `Worker` of that Keras finds itself started; nothing where none is wanted or known."""
    from refconv.formats.peek import keras_major
    from refconv.frameworks import early

    major = (keras_major(Path(model)) if keras == "auto" else int(keras)) if wanted else None
    if major is None:
        yield
        return
    with early(major):
        yield
