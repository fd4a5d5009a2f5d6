"""The frameworks that Keras runs on, one file each, imported only when one is asked for."""

import importlib
from typing import Any

from refconv.frameworks.worker.backends.base import Backend, NoDevice

__all__ = ["BACKENDS", "Backend", "NoDevice", "load_backend"]

BACKENDS = ("tensorflow", "jax", "torch")  # by the names that KERAS_BACKEND knows; each is a module beside this one


def load_backend(name: str) -> Backend:
    """Import a framework.

    Raises:
        ImportError: it is missing or cannot be imported; `name` is the missing module's.
    """
    if name not in BACKENDS:
        raise ImportError("Keras runs on " + ", ".join(BACKENDS) + ", not on " + repr(name))
    module: Any = importlib.import_module(__name__ + "." + name)
    loaded: Backend = module.load()
    return loaded
