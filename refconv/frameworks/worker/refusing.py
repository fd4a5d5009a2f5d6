"""What the worker does not load when it runs by itself: files that hold code, or that name more than layers.

Beside refconv a worker is told of no file that refconv's own reader has not accepted. Alone it has only this look at
the configuration's text, which finds less. It does not make a file safe to load.
"""

import json
import zipfile
from typing import Any, Dict, Iterator, List

import h5py

from refconv.frameworks.worker.loading import HDF5, ZIP

LARGEST = 32 << 20  # bytes of a configuration
# As formats/names.py has them.
CODE = (
    "ClassMethod",
    "FlaxLayer",
    "InstanceMethod",
    "JaxLayer",
    "Lambda",
    "TFSMLayer",
    "TorchModuleWrapper",
    "__lambda__",
)
MODULES = ("builtins", "keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "qkeras",
           "tensorflow_model_optimization")  # fmt: skip
FUNCTIONS_OF = ("keras.activations", "keras.losses", "keras.metrics", "keras.ops", "keras.src.activations",
                "keras.src.losses", "keras.src.metrics", "keras.src.ops", "builtins")  # fmt: skip
CALLED = ("__operators__.", "bitwise.", "image.", "linalg.", "math.", "nn.", "signal.", "keras.activations.")
CALLED_NEVER = ("load_library", "load_op_library", "numpy_function", "py_function")


class Refused(Exception):
    """Why a file is not loaded, in one line."""


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
    def qkeras(self) -> bool:
        names = [str(each.get("class_name") or "").rpartition(">")[2] for each in _objects(self.raw)]
        return any(name[:1] == "Q" and name[1:2].isupper() or name == "PruneLowMagnitude" for name in names)

    def foreign(self) -> List[str]:
        """Names of other libraries' classes, which trusted files have to define.

        Raises:
            Refused: the file holds code, or names what may do more than compute.
        """
        found = []
        for each in _objects(self.raw):
            name, module = str(each.get("class_name") or "").rpartition(">")[2], each.get("module")
            if name in CODE:
                raise Refused(name + " holds code or names a file, which is not run")
            if name == "TFOpLambda":
                _demand_computes(each)
            if isinstance(module, str) and not _of(module, MODULES):
                found.append(name)
            elif name == "function" and isinstance(module, str) and not _of(module, FUNCTIONS_OF):
                raise Refused("the function {}.{} is none of a layer's".format(module, each.get("config")))
        return found


def _objects(raw: Any) -> Iterator[Dict[str, Any]]:
    """Everything in the configuration that may name a class."""
    waiting = [raw]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _of(module: str, known: Any) -> bool:
    return any(module == each or module.startswith(each + ".") for each in known)


def _demand_computes(layer: Dict[str, Any]) -> None:
    config = layer.get("config")
    function = str(config.get("function") if isinstance(config, dict) else "")
    if function in CALLED_NEVER or ("." in function and not function.startswith(CALLED)):
        raise Refused("tensorflow." + function + " may do more than compute")


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
    except (OSError, KeyError, RuntimeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        said = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise Refused("cannot be read: " + said) from None
    raise Refused("this is no .h5, .hdf5 or .keras file")


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
