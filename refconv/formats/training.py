"""What a file says a model was compiled with: names and configurations, of which nothing is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refconv.errors import UnreadableModel
from refconv.formats import keras_zip, safe_json
from refconv.formats.container import identify
from refconv.formats.hdf5 import Hdf5File

FIELDS = ("loss", "loss_weights", "metrics", "weighted_metrics")


def read_training(path: str | Path) -> dict[str, Any]:
    """The fields FIELDS of HDF5's `training_config` or of `compile_config` in a .keras file; {} where there is none.

    Raises:
        UnreadableModel: the file is damaged, or the configuration is no JSON object.
    """
    path = Path(path)
    found = _of_hdf5(path) if identify(path) == "hdf5" else _of_zip(path)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise UnreadableModel("the compile arguments are no JSON object", where=str(path))
    return {name: found.get(name) for name in FIELDS if found.get(name) is not None}


def _of_hdf5(path: Path) -> Any:
    with Hdf5File(str(path)).open() as root:
        text = root.text("training_config")
    return None if text is None else safe_json.parse(text, f"{path}: training_config")


def _of_zip(path: Path) -> Any:
    config = safe_json.parse(keras_zip.read_config(path), f"{path}: config.json")
    return config.get("compile_config") if isinstance(config, Mapping) else None
