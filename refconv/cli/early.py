"""The framework that a file needs, started while the reference is still being imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from refconv.errors import RefconvError

if TYPE_CHECKING:
    from refconv.formats.source import Source


@contextmanager
def framework(
    model: str,
    keras: str = "auto",
    *,
    wanted: bool = True,
    rebuild: bool = False,
    trusted: bool = False,
    architecture: str | None = None,
    sha256: str = "",
    memory: int = 0,
    python: str | None = None,
    backend: str = "tensorflow",
) -> Iterator[Source | None]:
    """What the file says; within the context a `Worker` of the Keras that it needs finds itself started.

    It starts for a file in which nothing is refused, and is told of the file only once all of that was understood.
    None where something is refused, which the pipeline tells.
    """
    from refconv.formats.rehearsal import rehearse
    from refconv.frameworks import early, keras_for

    rehearse(model)
    source = _accepted(model, architecture, sha256, runs=wanted and not rebuild, trusted=trusted)
    if source is None or not wanted:
        yield source
        return
    with early(keras_for(source.keras, keras, backend), backend=backend, memory=memory, python=python):
        yield source


def framework_for(model: str, given: Mapping[str, Any], **other: Any) -> AbstractContextManager[Source | None]:
    """`framework` as a command's parameters say, by their names; `other`: what they do not say so."""
    same = {name: given[name] for name in ("keras", "rebuild", "architecture", "memory", "python")}
    trusted, sha256 = bool(given["trust_code"]), given["sha256"] or ""
    return framework(model, **{**same, "trusted": trusted, "sha256": sha256, **other})


def _accepted(model: str, architecture: str | None, sha256: str, *, runs: bool, trusted: bool) -> Source | None:
    from refconv import formats
    from refconv.formats.refusals import refuse

    with suppress(RefconvError):
        source = formats.accept(model, architecture, sha256=sha256)
        if runs:
            refuse(source, trusted=trusted)
        return source
    return None
