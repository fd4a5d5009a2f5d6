"""Which backends can be imported here. JAX comes with the extra `test`; PyTorch, of 5 GB, does not."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

WITHOUT = "{0} is not installed here: pip install '.[{0}]' makes these tests run"


def needs(backend: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(backend) is None, reason=WITHOUT.format(backend))


def each(*backends: str) -> list:
    """Parameters, each skipped where it cannot be imported."""
    return [pytest.param(backend, marks=needs(backend)) for backend in backends]
