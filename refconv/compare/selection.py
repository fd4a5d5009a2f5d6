"""Which layers are judged."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from refconv.errors import BadInput
from refconv.graph import Graph


def select(graph: Graph, globs: Sequence[str]) -> frozenset[int]:
    """Indices of the nodes whose name matches any glob; all of them without globs.

    Raises:
        BadInput: a glob matches no layer.
    """
    nodes = [n for n in graph.nodes if n.index not in graph.inputs]
    if not globs:
        return frozenset(n.index for n in nodes)
    for glob in globs:
        if not any(fnmatchcase(n.name, glob) for n in nodes):
            names = ", ".join(n.name for n in nodes[:5])
            raise BadInput(f"no layer matches {glob!r}", where="--layer", hint=f"the layers are {names}, …")
    return frozenset(n.index for n in nodes if any(fnmatchcase(n.name, glob) for glob in globs))
