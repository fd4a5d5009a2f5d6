"""Files of the user's own, run here and nowhere else: the classes and functions that a model file names."""

import importlib.util
import os
import sys
from typing import Any, Dict, Sequence


class BadCode(Exception):
    """A file of the user's could not be run."""


def defined_in(keras: Any, files: Sequence[str]) -> Dict[str, Any]:
    """What the loader may need of each file: its layers, models and functions, by name.

    A file is imported once, as the module of its name; what it imports from its own folder is found.

    Raises:
        BadCode: the file cannot be run.
    """
    found: Dict[str, Any] = {}
    for file in files:
        own = vars(_imported(file))
        found.update((name, value) for name, value in own.items() if _needed(value, keras, own["__name__"]))
    return found


def demand(names: Sequence[str], own: Dict[str, Any], keras: Any) -> None:
    """Refuse a model that names anything else than what the trusted files define.

    Keras 2 imports whatever module a file names: without this, trust in one file would be trust in all of Python.

    Raises:
        BadCode: a name is missing.
    """
    known = {name.rpartition(">")[2] for name in [*own, *keras.utils.get_custom_objects()]}
    missing = sorted(set(names) - known)
    if missing:
        raise BadCode("no trusted file defines " + ", ".join(missing))


def _needed(value: Any, keras: Any, module: str) -> bool:
    """Layers that the file defines or imports, and functions of its own."""
    if isinstance(value, type):
        return issubclass(value, keras.layers.Layer) and not value.__module__.startswith(keras.__name__ + ".")
    return callable(value) and getattr(value, "__module__", None) == module


def _imported(file: str) -> Any:
    folder, name = os.path.split(os.path.splitext(file)[0])
    if folder not in sys.path:
        sys.path.append(folder)  # last: no file beside it may stand in for an installed package
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise BadCode(file + ": this is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadCode(f"{file}: {type(error).__name__}: {error}") from error
    return module
