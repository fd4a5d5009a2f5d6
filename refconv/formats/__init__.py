"""Bytes on disk → Graph. Imports no framework and runs nothing that a file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refconv.formats.source import Source
    from refconv.graph import Graph


def accept(path: str | Path, architecture: str | Path | None = None, *, sha256: str = "") -> Source:
    """What the file says, once nothing in it is refused: the container, the configuration's text, and where it leads.

    This is the quick part of `load`, before a framework may be started: links, storage, sizes, and names. That layers
    and weights fit together is not known yet.

    Args:
        sha256: of the file, in hexadecimal; "" for any.

    Raises:
        UnreadableModel: one line says what is refused.
    """
    from refconv.formats.acceptance import demand_hash, refuse_storage
    from refconv.formats.source import read_source

    demand_hash(Path(path), sha256)
    source = read_source(Path(path), Path(architecture) if architecture else None)
    refuse_storage(source)
    return source


def load(
    path: str | Path | Source,
    architecture: str | Path | None = None,
    *,
    subclassed: bool = False,
    sha256: str = "",
) -> Graph:
    """Read a Keras model: .h5, .hdf5 or .keras, told apart by their bytes.

    Weights stay in the file until a `Weight.value` is asked for. Of a subclassed model the file does not say what
    layers it has: it is refused, or with `subclassed` read as one layer of its class.

    Args:
        path: the model, or its weights alone (`*_weights.h5`, `.weights.h5`); or what `accept` gave.
        architecture: where `path` holds weights alone, the file that `model.to_json()` was saved in.
        sha256: of the file, in hexadecimal; "" for any.

    Raises:
        UnreadableModel: the file is missing, damaged, foreign, inconsistent or refused; one line says which.
    """
    source = accept(path, architecture, sha256=sha256) if isinstance(path, (str, Path)) else path
    from refconv.formats.build import build_graph  # while the file's checksum is being computed

    return build_graph(source, subclassed=subclassed)
