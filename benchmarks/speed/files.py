"""Which model files are timed: Keras Applications with drawn weights, made on demand, and the real models."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from refconv import formats
from refconv.errors import RefconvError
from refconv.formats.refusals import refuse_code
from refconv.graph import Graph

ZOO = ("VGG16", "ResNet50", "MobileNetV2", "EfficientNetB0")
TINY = "mlperf_tiny_resnet"  # the real model that a goal names
ROOT = Path(__file__).parents[2]
ENDINGS = (".h5", ".hdf5", ".keras")


@dataclass(frozen=True)
class File:
    """A model that can be timed. `name` is the zoo's, or the path inside the folder of real models."""

    name: str
    path: Path
    graph: Graph


def real_models() -> dict[str, Path]:
    """By path inside the folder that REFCONV_MODELS names, else the one beside the repository; empty without it."""
    folder = Path(os.environ.get("REFCONV_MODELS") or ROOT.parent / "shared" / "models")
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.suffix in ENDINGS}


def find(names: Sequence[str], zoo: Path) -> dict[str, Path]:
    """The files of these names: the zoo's (made where they are missing), real models' (stem, file, path), or any path.

    Raises:
        SystemExit: a name stands for nothing.
    """
    make([name for name in names if name in ZOO and not (zoo / f"{name}.keras").exists()], zoo)
    real, found = real_models(), {}
    for name in names:
        matching = {label: path for label, path in real.items() if name in (label, path.name, path.stem)}
        if name in ZOO:
            found[name] = zoo / f"{name}.keras"
        elif matching:
            found |= matching
        elif Path(name).is_file():
            found[Path(name).name] = Path(name)
        else:
            raise SystemExit(f"no model is called {name!r}: a path, one of {', '.join(ZOO)}, or a real model's name")
    return found


def read(paths: dict[str, Path]) -> tuple[list[File], dict[str, str]]:
    """Models that refconv reads and that hold no code, which loading would run; and why the others are left out."""
    files, left_out = [], {}
    for name, path in paths.items():
        try:
            graph = formats.load(path)
            refuse_code(graph)
            files.append(File(name, path, graph))
        except RefconvError as error:
            left_out[name] = str(error)
    return files, left_out


def make(names: Sequence[str], folder: Path) -> None:
    if names:
        subprocess.run([sys.executable, ROOT / "scripts" / "make_zoo.py", *names, "-o", folder], check=True)
