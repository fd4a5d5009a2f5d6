"""Files of the user's own code: where they are, and which of them run in which process."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from refconv.errors import BadInput, RefconvError


def trusted_files(files: Sequence[str]) -> tuple[str, ...]:
    """Whole paths of the files that the worker runs; nothing of them is run or read here.

    Raises:
        BadInput: one is no Python file.
    """
    return tuple(str(_existing(file, "--trust-code")) for file in files)


def run_references(files: Sequence[str]) -> None:
    """Run files that register references, in this process.

    Raises:
        BadInput: one is no Python file, or fails.
    """
    for file in files:
        path = _existing(file, "--reference")
        spec = importlib.util.spec_from_file_location(f"refconv_reference_{path.stem}", path)
        assert spec is not None and spec.loader is not None  # of any name that ends in .py
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except RefconvError:
            raise
        except Exception as error:
            raise BadInput(f"cannot be run: {type(error).__name__}: {error}", where=str(path)) from error


def _existing(file: str, option: str) -> Path:
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        raise BadInput(f"{file} is no Python file", where=option)
    return path.resolve()
