"""Which Keras a file is run with, on which backend."""

from __future__ import annotations

from refconv.errors import BadInput


def keras_for(written: int, keras: str, backend: str, *, qkeras: bool = False) -> int:
    """The major version that loads a file: the one that wrote it, or asked for; on JAX and PyTorch always 3.

    Args:
        written: the version that wrote the file.
        keras: auto, 2 or 3, as asked for.
        qkeras: the file holds QKeras layers.

    Raises:
        BadInput: that Keras does not run on that backend.
    """
    if backend == "tensorflow":
        return written if keras == "auto" else int(keras)
    if qkeras:
        raise BadInput(f"QKeras runs on TensorFlow alone, not on {backend}", where="--backend")
    if keras == "2":
        raise BadInput(f"Keras 2 runs on TensorFlow alone, not on {backend}", where="--keras", hint="leave it out")
    return 3
