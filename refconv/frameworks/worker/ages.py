"""What differs between Keras 2 of TensorFlow 2.8 and that of today."""

import importlib
import sys
from contextlib import contextmanager
from typing import Any, Iterator


def root(keras: Any) -> str:
    """The package behind a public interface: keras.api._v2.keras → keras."""
    return str(keras.__name__).split(".")[0]


def public(package: Any) -> Any:
    """The interface that users of the package keras, version 2, have: up to 2.12 only `tensorflow.keras` shows it."""
    return getattr(sys.modules.get("tensorflow"), "keras", package)


def inner_module(keras: Any, name: str) -> Any:
    """A module that is not public: since Keras 2.13 it lies in `src`.

    Raises:
        ImportError: this Keras has none of that name.
    """
    for place in (root(keras) + ".src.", root(keras) + "."):
        try:
            return importlib.import_module(place + name)
        except ModuleNotFoundError as missing:
            if not (place + name + ".").startswith((missing.name or "?") + "."):
                raise
    raise ModuleNotFoundError(f"No module named {name!r} in this Keras", name=name)


@contextmanager
def safe_mode(keras: Any) -> Iterator[None]:
    """Loaders refuse a Lambda's code inside: those of Keras 2 for .h5 unmarshal it otherwise.

    Before Keras 2.12 there is no such mode: there whoever starts the loader has to look for code himself (refusing.py).
    """
    try:
        scope = inner_module(keras, "saving.serialization_lib").SafeModeScope
    except (ImportError, AttributeError):
        yield
        return
    with scope(True):
        yield


def converts(layer: Any) -> bool:
    """Whether Keras 2 lets autograph convert this layer's `call`."""
    own = getattr(layer, "_should_use_autograph", None)
    if own is not None:
        return bool(own())
    utils = sys.modules.get("keras.engine.base_layer_utils")  # Keras 3 has none
    return utils is not None and utils.is_subclassed(layer) and not utils.from_saved_model(layer)
