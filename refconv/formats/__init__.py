"""Bytes on disk → Graph. Imports no framework and runs nothing that a file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refconv.graph import Graph


def load(path: str | Path, architecture: str | Path | None = None, *, subclassed: bool = False) -> Graph:
    """Read a Keras model: .h5, .hdf5 or .keras, told apart by their bytes.

    Weights stay in the file until a `Weight.value` is asked for. Of a subclassed model the file does not say what
    layers it has: it is refused, or with `subclassed` read as one layer of its class.

    Args:
        path: the model, or its weights alone (`*_weights.h5`, `.weights.h5`).
        architecture: where `path` holds weights alone, the file that `model.to_json()` was saved in.

    Raises:
        UnreadableModel: the file is missing, damaged, foreign, inconsistent or refused; one line says which.
    """
    from refconv.formats.source import read_source

    source = read_source(Path(path), Path(architecture) if architecture else None)
    from refconv.formats.build import build_graph  # while the file's checksum is being computed

    return build_graph(source, subclassed=subclassed)
