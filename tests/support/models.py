"""Where the real models made by others are, which this repository does not hold."""

import os
from pathlib import Path

import pytest

VARIABLE = "REFCONV_MODELS"
BESIDE_REPOSITORY = Path(__file__).resolve().parents[3] / "shared" / "models"


def find_models() -> Path | None:
    """The folder that REFCONV_MODELS names, else the one beside the repository; None where it is absent."""
    folder = Path(os.environ.get(VARIABLE) or BESIDE_REPOSITORY)
    return folder if folder.is_dir() else None


MODELS = find_models()
ABSENT = f"no real models: {VARIABLE} does not name a folder of them, nor is one beside the repository"
needs_models = pytest.mark.skipif(MODELS is None, reason=ABSENT)


def model_path(name: str) -> Path:
    """The file of that name, such as "float/sudoku_digits.h5"; skips the test where the folder is absent."""
    if MODELS is None:
        pytest.skip(ABSENT)
    path = MODELS / name
    assert path.exists(), f"{MODELS} has no {name}"
    return path
