"""What the worker does not load when it runs by itself: files that hold code, or that name more than layers.

Beside refconv a worker is told of no file that refconv's own reader has not accepted. Alone it has only this look at
the configuration's text, which finds less. It does not make a file safe to load.
"""

import json
import zipfile
import zlib
from typing import Any, Dict, Iterator, List

import h5py

from refconv.frameworks.worker.loading import HDF5, ZIP
from refconv.frameworks.worker.naming import Refused, foreign_names

LARGEST = 32 << 20  # bytes of a configuration
UNREADABLE = (OSError, EOFError, KeyError, RuntimeError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error)


class Config:
    """A model file's configuration.

    Attributes:
        keras: major version of the Keras that wrote it.
        raw: the JSON.
    """

    def __init__(self, path: str, architecture: str = "") -> None:
        text, version = _read(path) if not architecture else (_text_of(architecture), "")
        try:
            self.raw = json.loads(text)
        except (ValueError, RecursionError):
            raise Refused("its configuration is no JSON") from None
        if not isinstance(self.raw, dict):
            raise Refused("its configuration describes no model")
        version = version or str(self.raw.get("keras_version") or "")
        newer = "registered_name" in text
        self.keras = 3 if version.startswith("3") or (not version and newer) else 2
        if version.startswith(("0", "1")):
            raise Refused("written by Keras " + version + ", which no framework reads any more")

    @property
    def whole(self) -> str:
        """The name of a subclassed model, of which the file says no layers; "" of any other."""
        config = self.raw.get("config")
        if isinstance(config, list) or not isinstance(config, dict):
            return ""
        listed = isinstance(config.get("layers"), list)
        if listed and (self.raw.get("class_name") == "Sequential" or "output_layers" in config):
            return ""
        return str(config.get("name") or str(self.raw.get("class_name")).lower())

    @property
    def inputs(self) -> List[str]:
        """What the model's inputs are called, in its order; a subclassed model's one is "input"."""
        config = self.raw.get("config")
        if self.whole:
            return ["input"]
        if isinstance(config, dict) and "output_layers" in config:
            return list(_ends(config.get("input_layers")))
        layers = config.get("layers") if isinstance(config, dict) else config
        first = layers[0] if isinstance(layers, list) and layers and isinstance(layers[0], dict) else {}
        name = str((first.get("config") or {}).get("name"))
        return [name if first.get("class_name") == "InputLayer" else name + "_input"]

    @property
    def qkeras(self) -> bool:
        names = [str(each.get("class_name") or "").rpartition(">")[2] for each in _objects(self.raw)]
        return any(name[:1] == "Q" and name[1:2].isupper() or name == "PruneLowMagnitude" for name in names)

    def foreign(self) -> List[str]:
        """Names of other libraries' classes, which trusted files have to define.

        Raises:
            Refused: the file holds code, or names what may do more than compute.
        """
        judged = {key: item for key, item in self.raw.items() if key != "compile_config"}  # loaded without it
        return list(dict.fromkeys(name for each in _objects(judged) for name in foreign_names(each)))


def _objects(raw: Any) -> Iterator[Dict[str, Any]]:
    """Everything in the configuration that may name a class, in its order."""
    waiting = [raw]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            waiting.extend(reversed(item))


def _ends(value: Any) -> Iterator[str]:
    """Names in ["x", 0, 0], in a list of such, or in a dictionary, which Keras takes in the order of its keys."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        yield value[0]
    elif isinstance(value, (list, dict)):
        for item in value if isinstance(value, list) else [value[key] for key in sorted(value)]:
            yield from _ends(item)


def _read(path: str) -> Any:
    """The configuration's text, and the version of the Keras that wrote it."""
    try:
        with open(path, "rb") as file:
            start = file.read(len(HDF5))
        if start == HDF5:
            with h5py.File(path, "r") as root:
                return _from_hdf5(root)
        if start.startswith(ZIP):
            with zipfile.ZipFile(path) as archive:
                about = json.loads(_member(archive, "metadata.json"))
                return _member(archive, "config.json"), str(about.get("keras_version") or "")
    except UNREADABLE as error:
        raise Refused("cannot be read: " + _reason(error)) from None
    raise Refused("this is no .h5, .hdf5 or .keras file")


def _reason(error: Exception) -> str:
    """In one line; a KeyError's own text is in quotes."""
    said = getattr(error, "strerror", None) or (error.args[0] if isinstance(error, KeyError) else str(error))
    return (str(said).splitlines() or [type(error).__name__])[0]


def _from_hdf5(root: Any) -> Any:
    text = root.attrs.get("model_config")
    if text is None:
        raise Refused("it holds no model_config (for weights alone, --architecture FILE.json is needed)")
    version = root.attrs.get("keras_version")
    if version is None and "model_weights" in root:
        version = root["model_weights"].attrs.get("keras_version")
    return _decoded(text), _decoded(version or "")


def _decoded(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _member(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > LARGEST:
        raise Refused(name + " is larger than any configuration")
    return archive.read(name).decode("utf-8")


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(LARGEST)
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(path + ": cannot be read: " + str(getattr(error, "strerror", None) or error)) from None
