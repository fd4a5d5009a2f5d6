"""The models that refconv verifies, and each of them loaded into the framework of this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from support.live import framework
from support.models import find_models

from detection.subject import find_layer
from refconv import formats
from refconv.errors import RefconvError
from refconv.formats.theano import is_rotated
from refconv.frameworks.worker.loading import load_model
from refconv.graph import Graph

SAMPLES = Path(formats.__file__).parents[1] / "samples"
ENDINGS = (".h5", ".hdf5", ".keras")


@dataclass(frozen=True)
class Model:
    """One model file, and what was read from it. `label` is its path inside the folder of models, for reports."""

    path: Path
    label: str
    graph: Graph

    @cached_property
    def live(self) -> Any:
        """The framework's model, loaded once by its own loader.

        tf-keras forgets to turn the kernels of files written on Theano (a finding of `refconv check`, no false alarm):
        here they are turned, so that the layers can be told right from wrong.
        """
        model = load_model(framework(self.graph.keras), str(self.path), self.graph.qkeras)
        for node in self.graph.nodes:
            if is_rotated(self.graph.backend, node.type):
                find_layer(model, node.layer).kernel.assign(node.weights["kernel"].value)
        return model


def named(paths: list[Path]) -> list[Model]:
    """The models of these files, under the labels that `all_models` gives them, or folder and name."""
    labels = {path.resolve(): label for path, label in _files()}
    whole = [path.resolve() for path in paths]
    return [Model(path, labels.get(path, f"{path.parent.name}/{path.name}"), formats.load(path)) for path in whole]


def all_models() -> list[Model]:
    """The shipped samples, then every real model that refconv reads and the framework may load, in a fixed order."""
    found = [model for path, label in _files() if (model := _read(path, label)) is not None]
    return [model for model in found if not any(_is_code(node.origin.class_name) for node in model.graph.nodes)]


def _files() -> Iterator[tuple[Path, str]]:
    folders = [(SAMPLES, "samples")]
    if real := find_models():
        folders.append((real, ""))
    for folder, prefix in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in ENDINGS):
            yield path, f"{prefix}/{path.relative_to(folder)}".lstrip("/")


def _read(path: Path, label: str) -> Model | None:
    try:
        return Model(path, label, formats.load(path))
    except RefconvError:  # a file that is refused has no layers to be wrong
        return None


def _is_code(class_name: str) -> bool:
    return class_name.rpartition(">")[2] == "Lambda"
