"""A reduction written out: a folder that anybody can run, and what it says in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from refconv.pipeline import reducing
from refconv.pipeline.options import Given
from refconv.pipeline.reducing.result import Reduced
from refconv.report.reduction.saving import check_folder, save


def reduce(
    path: str | Path, inputs: Given = None, *, output: str | Path | None = None, force: bool = False, **how: Any
) -> Reduced:
    """The smallest failing case of a model, written to the folder `output` where one is given.

    Args:
        path, inputs: as of `check`.
        output: a folder that is empty or not there: for the model, its input, what is expected, a script and a README.
        force: write into a folder that is not empty.
        how: `seconds`, `progress`, `options` and the rest, as of `refconv.pipeline.reducing.reduce`.

    Returns:
        its `case` is None where nothing fails.

    Raises:
        UnreadableModel, BadInput, FrameworkError: see `refconv.errors`.
    """
    if output is not None:
        check_folder(str(output), force=force)
    found = reducing.reduce(path, inputs, **how)
    if output is None or found.case is None:
        return found
    return replace(found, files=save(found, str(output), force=force))
