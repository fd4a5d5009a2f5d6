"""What a file says a model was compiled with: names and configurations, of which nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from refconv.errors import UnreadableModel
from refconv.formats import keras_zip, safe_json
from refconv.formats.container import identify
from refconv.formats.hdf5 import Hdf5File

FIELDS = ("loss", "loss_weights", "metrics", "weighted_metrics")
KERAS = ("builtins", "keras", "tf_keras")  # whose modules a loader may be sent to; Keras 2 imports any


def read_training(path: str | Path, *, trusted: bool = False) -> dict[str, Any]:
    """The fields FIELDS of HDF5's `training_config` or of `compile_config` in a .keras file; {} where there is none.

    Args:
        trusted: the user named files with the classes that are not Keras's.

    Raises:
        UnreadableModel: the file is damaged, or the configuration is no JSON object, or it names what is not Keras's.
    """
    path = Path(path)
    found = _of_hdf5(path) if identify(path) == "hdf5" else _of_zip(path)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise UnreadableModel("the compile arguments are no JSON object", where=str(path))
    for name, inside in _foreign(found):
        if inside or not trusted:
            what = f"the compile arguments name {name[:80]!r}, which is not Keras's"
            raise UnreadableModel(what, where=str(path), hint="give --loss and --metrics in their place")
    return {name: found.get(name) for name in FIELDS if found.get(name) is not None}


def _foreign(value: Any) -> Iterator[tuple[str, bool]]:
    """Objects of other modules than Keras's, and whether they are code that the file itself holds."""
    if isinstance(value, Mapping):
        kind, module = value.get("class_name"), value.get("module")
        if isinstance(kind, str):
            if "lambda" in kind.lower():
                yield kind, True
            elif str(module or KERAS[0]).partition(".")[0] not in KERAS:
                yield f"{module}.{kind}", False
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _foreign(item)


def _of_hdf5(path: Path) -> Any:
    with Hdf5File(str(path)).open() as root:
        text = root.text("training_config")
    return None if text is None else safe_json.parse(text, f"{path}: training_config")


def _of_zip(path: Path) -> Any:
    config = safe_json.parse(keras_zip.read_config(path), f"{path}: config.json")
    return config.get("compile_config") if isinstance(config, Mapping) else None
