"""Which Keras a file needs, found out before the file is read as a whole."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from refconv.errors import UnreadableModel
from refconv.formats.container import identify
from refconv.formats.hdf5 import Hdf5File
from refconv.formats.keras_zip import LIMITS, METADATA


def keras_major(path: Path) -> int | None:
    """2 or 3; None where the file does not say so at once, or is none to be read: reading it tells more."""
    try:
        version = _of_hdf5(path) if identify(path) == "hdf5" else _of_zip(path)
    except (UnreadableModel, OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile):
        return None
    major = str(version or "")[:2]
    return int(major[0]) if major in ("2.", "3.") else None


def _of_hdf5(path: Path) -> str | None:
    with Hdf5File(str(path)).open() as root:
        return root.text("keras_version") if root.text("model_config") else None


def _of_zip(path: Path) -> str | None:
    with zipfile.ZipFile(path) as archive, archive.open(METADATA) as stream:
        about = json.loads(stream.read(LIMITS[METADATA]))
    return about.get("keras_version") if isinstance(about, dict) else None
