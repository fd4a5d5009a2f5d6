"""The model that the framework runs: the user's file, or one that refconv writes from its Graph."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from refconv.formats.writer import ENDINGS, write
from refconv.graph import Graph
from refconv.pipeline.options import Given, Options
from refconv.pipeline.parts import Draw, Parts, missing, parts
from refconv.result import CheckResult

NOTE = "rebuilt: the framework ran a model that refconv wrote from the file, not the file itself"


@dataclass(frozen=True)
class Runnable:
    """What to run and to judge; `names` are the layers of the file at `path` → those of the graph."""

    parts: Parts
    path: str
    names: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def completed(self, result: CheckResult, whole: Graph) -> CheckResult:
        """`result` with the layers that were left out, in the order of the whole model."""
        if not self.parts.removed:
            return replace(result, notes=(*result.notes, *self.notes))
        order = {name: index for index, name in enumerate(dict.fromkeys(node.layer for node in whole.nodes))}
        layers = sorted([*result.layers, *map(missing, self.parts.removed)], key=lambda layer: order[layer.path])
        return replace(result, layers=tuple(layers), notes=(*result.notes, *self.notes, *self.parts.notes))


@contextmanager
def runnable(graph: Graph, given: Given, options: Options, keras: int, draw: Draw) -> Iterator[Runnable]:
    """The file itself; with `rebuild` a file that is there as long as the context lasts.

    In that file is only what refconv understood: no code, and no layer without a reference.

    Raises:
        UnreadableModel: the graph cannot be written.
        BadInput: something given does not fit the model.
    """
    if not options.rebuild:
        yield Runnable(Parts(graph, draw(graph, given, options), sources=given), graph.path, {})
        return

    found = parts(graph, given, options, draw, lambda node: node.attrs is None)
    with tempfile.TemporaryDirectory(prefix="refconv-") as folder:
        written = write(found.graph, Path(folder) / f"model{ENDINGS[keras]}", keras=keras, understood=True)
        yield Runnable(found, str(written.path), written.names, (NOTE,))
