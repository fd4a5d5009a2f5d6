"""The framework itself, and the user's file in it: read by the framework's own loader, as the user does it."""

import importlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional

import h5py

<<<<<<< HEAD
from refconv.frameworks.worker.backends import Backend, load_backend
=======
from refconv.frameworks.worker.ages import inner_module, public, safe_mode
>>>>>>> trace
from refconv.frameworks.worker.quantized import custom_objects

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
INNER_CLASSES = {"convnext": ("LayerScale", "StochasticDepth"), "inception_resnet_v2": ("CustomScaleLayer",)}


@dataclass(frozen=True)
class Framework:
    """What Keras runs on, and the Keras package that was asked for.

    Attributes:
        backend: TensorFlow, JAX or PyTorch.
        keras: the module tf_keras (Keras 2) or keras.
        package: what pip calls it.
    """

    backend: Backend
    keras: Any
    package: str

    def flatten(self, structure: Any) -> List[Any]:
        """The leaves, in the order in which this Keras numbers a model's inputs and outputs."""
        tree = getattr(self.keras, "tree", self.backend)
        return list(tree.flatten(structure))

    def pack(self, structure: Any, leaves: List[Any]) -> Any:
        tree: Any = getattr(self.keras, "tree", self.backend)
        return tree.pack_sequence_as(structure, leaves)


def import_framework(keras: int, backend: str = "tensorflow") -> Framework:
    """Import a backend, and Keras of the given major version on it. Keras 2 knows TensorFlow alone.

    Raises:
        ImportError: one of them is missing or cannot be imported; `name` is the missing module's.
    """
    os.environ["KERAS_BACKEND"] = backend
    os.environ["TF_USE_LEGACY_KERAS"] = "1" if keras == 2 else "0"
    loaded = load_backend(backend)
    if keras == 3:
        return Framework(loaded, _of_major(importlib.import_module("keras"), 3), "keras")
    try:
        return Framework(loaded, importlib.import_module("tf_keras"), "tf-keras")
    except ModuleNotFoundError as missing:
        if missing.name != "tf_keras":
            raise
    # Up to TensorFlow 2.15 the package keras itself is Keras 2.
    try:
<<<<<<< HEAD
        return Framework(loaded, _of_major(importlib.import_module("keras"), 2), "keras")
=======
        return Framework(tf, public(_of_major(importlib.import_module("keras"), 2)), "keras")
>>>>>>> trace
    except ImportError:
        raise ModuleNotFoundError("No module named 'tf_keras'", name="tf_keras") from None


def _of_major(package: Any, major: int) -> Any:
    if int(package.__version__.split(".")[0]) != major:
        raise ModuleNotFoundError("the package keras is version " + package.__version__, name="keras")
    return package


def load_model(
    framework: Framework,
    path: str,
    qkeras: bool = False,
    architecture: str = "",
    own: Optional[Dict[str, Any]] = None,
    compiled: bool = False,
) -> Any:
    """The model, not compiled unless asked for, by the framework's own loader; code inside the file is refused.

    With `architecture`, the path of a model's JSON, the file at `path` holds its weights alone. `own` are the classes
    and functions of files that the user trusts, by name.
    """
    objects = {**_inner_classes(framework, path), **(custom_objects() if qkeras else {}), **(own or {})} or None
    with rightly_named(path, true_ending(path, bool(architecture))) as name, safe_mode(framework.keras):
        if not architecture:
            return framework.keras.models.load_model(name, compile=compiled, custom_objects=objects)
        with open(architecture, encoding="utf-8") as file:
            model = framework.keras.models.model_from_json(file.read(), custom_objects=objects)
        model.load_weights(name)
        return model


WEIGHTS = ".weights.h5"


def _inner_classes(framework: Framework, path: str) -> Dict[str, Any]:
    """Layers of keras.applications in no public module: an .h5 file does not say which, and Keras 2 does not look."""
    found: Dict[str, Any] = {}
    if true_ending(path) != ".h5" and not framework.keras.__version__.startswith("2."):
        return found
    for module, names in INNER_CLASSES.items():
        try:
            inside = inner_module(framework.keras, "applications." + module)
        except ImportError:  # a Keras of another age
            continue
        found.update({name: vars(inside)[name] for name in names if name in vars(inside)})
    return found


@contextmanager
def rightly_named(path: str, wanted: str = "") -> Iterator[str]:
    """The file under a name whose ending tells its content, since loaders go by the ending."""
    wanted = wanted or true_ending(path)
    if path.endswith(wanted) and (wanted == WEIGHTS or not path.endswith(WEIGHTS)):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "model" + wanted)
        try:
            os.symlink(os.path.abspath(path), name)
        except OSError:  # Windows without the right to make links
            shutil.copyfile(path, name)
        yield name


def true_ending(path: str, alone: bool = False) -> str:
    """By its first bytes, ".h5" or ".keras"; else the ending that it has.

    Weights alone have two layouts in HDF5, and each an ending of its own: `layer_names` is in the older one only.
    """
    with open(path, "rb") as file:
        start = file.read(len(HDF5))
    if alone:
        with h5py.File(path, "r") as weights:
            older = any(name in weights.attrs for name in ("layer_names", "layer_names0"))
        return ".h5" if older else WEIGHTS
    if start == HDF5:
        return ".h5"
    return ".keras" if start.startswith(ZIP) else os.path.splitext(path)[1]
