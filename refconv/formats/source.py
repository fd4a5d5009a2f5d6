"""Either container → what the file says: the model's configuration, who wrote it, and where its weights are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from refconv.errors import UnreadableModel
from refconv.formats import keras_zip, safe_json
from refconv.formats.container import identify
from refconv.formats.hdf5 import Group, Hdf5File
from refconv.formats.objects import strangers
from refconv.formats.recording import Log, Moment, Time
from refconv.formats.siblings import suggestion
from refconv.graph import Stranger, checksum

KERAS1_CLASSES = re.compile(r'"class_name": *"(Convolution|AtrousConvolution|MaxoutDense|Highway|Merge")')
KERAS1_FIELDS = re.compile(r'"(nb_filter|border_mode|dim_ordering|W_regularizer)":')
KERAS3_FIELDS = re.compile(r'"(registered_name|keras_history)":')  # to_json() of Keras 3 names no version

TO_JSON = "save what model.to_json() gives"


@dataclass(frozen=True)
class Source:
    """What a model file says, not yet interpreted.

    `weights` is the file with the weights; `layout` says how they lie in it: "hdf5" (groups by layer name),
    "keras" (groups by position) or "recording".
    """

    path: str
    format: str
    layout: str
    config: Mapping[str, Any] = field(repr=False)
    keras_version: str
    backend: str
    dialect: str
    weights: Hdf5File
    architecture: str = ""  # the file that `config` is from, where it is not in the model file
    notes: tuple[str, ...] = ()

    @cached_property
    def strangers(self) -> tuple[Stranger, ...]:
        """What the configuration names that no table has."""
        return strangers(self.config)

    @property
    def keras(self) -> int:
        """Major version of the Keras that this file needs: 2 or 3."""
        return 3 if self.dialect == "keras3" else 2


def read_source(path: Path, architecture: Path | None = None) -> Source:
    """Read either container, or a file of weights and the architecture beside it.

    Raises:
        UnreadableModel: no Keras model, or damaged, or written by a Keras that is not read; an architecture is missing,
            or given for a file that has one.
    """
    container = identify(path)
    if architecture is None:
        return _from_hdf5(path) if container == "hdf5" else _from_zip(path)
    if container == "keras":
        raise _has_its_own(path)
    return _from_weights(path, architecture)


def weights_of(path: Path) -> Hdf5File:
    """The HDF5 file itself, or the one inside an archive, whose checksum is not waited for.

    Raises:
        UnreadableModel: neither.
    """
    if identify(path) == "hdf5":
        return Hdf5File(str(path))
    return keras_zip.read_archive(path)[2].unchecked()


def _from_hdf5(path: Path) -> Source:
    file = Hdf5File(str(path))
    with file.open() as root:
        text = root.text("model_config")
        if text is None:
            layout, what = _weights_only(root)
            hint = suggestion(path) if layout else ""
            raise UnreadableModel(f"this is {what}", where=str(path), hint=hint)
        version = _attribute(root, "keras_version")
        backend = _attribute(root, "backend")
    config = _object(safe_json.parse(text, f"{path}: model_config"), path)
    version = version or str(config.get("keras_version") or "")
    dialect = choose_dialect(version, text, str(path))
    return Source(str(path), "hdf5", "hdf5", config, version, backend or "tensorflow", dialect, file)


def _attribute(root: Group, name: str) -> str:
    """At the root, or beside the weights, where the first Keras 2 wrote it."""
    own = root.text(name)
    if own is None and "model_weights" in root:
        own = root.group("model_weights").text(name)
    return own or ""


def _weights_only(root: Group) -> tuple[str, str]:
    """How weights lie in a file without an architecture ("" where it holds none), and what such a file is."""
    if root.texts("layer_names") is not None:
        return "hdf5", "a weights-only .h5 file: it holds weights but no architecture"
    if any(name in root for name in ("layers", "_layer_checkpoint_dependencies", "_layers")):
        return "keras", "a .weights.h5 file: it holds weights but no architecture"
    return "", "an HDF5 file, but no Keras model (it has no model_config)"


def _has_its_own(path: Path) -> UnreadableModel:
    return UnreadableModel("the file holds its own architecture", where=str(path), hint="leave out --architecture")


def _from_weights(path: Path, architecture: Path) -> Source:
    file = Hdf5File(str(path))
    with file.open() as root:
        if root.text("model_config") is not None:
            raise _has_its_own(path)
        layout, what = _weights_only(root)
        if not layout:
            raise UnreadableModel(f"this is {what}", where=str(path))
        stored, backend = root.text("keras_version") or "", root.text("backend")
    text = _read_text(architecture)
    config = _object(safe_json.parse(text, str(architecture)), architecture)
    if not isinstance(config.get("class_name"), str):
        raise UnreadableModel("this is no architecture: it names no class", where=str(architecture), hint=TO_JSON)
    version = str(config.get("keras_version") or "")
    dialect = choose_dialect(version, text, str(architecture))
    sums = f"the architecture is from {architecture} (sha256 {checksum(architecture)})"
    return Source(
        str(path),
        "hdf5",
        layout,
        config,
        version or stored,
        backend or str(config.get("backend") or "tensorflow"),
        dialect,
        file,
        str(architecture),
        (sums,),
    )


def _read_text(path: Path) -> str:
    """A JSON file's text.

    Raises:
        UnreadableModel: it cannot be read, or is larger than any architecture.
    """
    try:
        if path.is_file() and path.stat().st_size > safe_json.MAX_BYTES:
            raise UnreadableModel(f"more than {safe_json.MAX_BYTES} bytes of JSON", where=str(path))
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableModel(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise UnreadableModel("is not UTF-8, so no architecture as model.to_json() gives it", where=str(path)) from None


def _from_zip(path: Path) -> Source:
    text, about, weights = keras_zip.read_archive(path)
    metadata = _object(safe_json.parse(about, f"{path}: metadata.json"), path)
    config = _object(safe_json.parse(text, f"{path}: config.json"), path)
    version = str(metadata.get("keras_version") or "")
    dialect = choose_dialect(version, "", str(path))
    return Source(str(path), "keras", "keras", config, version, "tensorflow", dialect, weights)


def read_moment(log: Log, time: Time) -> Source:
    """A recording at one time, as a model file that was saved then.

    Raises:
        UnreadableModel: it does not say what layers the model has.
    """
    if not log.architecture:
        raise UnreadableModel("the recording holds no architecture", where=log.path)
    config = _object(safe_json.parse(log.architecture, f"{log.path}: architecture"), Path(log.path))
    dialect = choose_dialect(str(config.get("keras_version") or ""), log.architecture, log.path)
    weights = Moment(log.path, swmr=True, log=log, time=time)
    version = log.framework.partition(" ")[2]
    return Source(log.path, "recording", "recording", config, version, "tensorflow", dialect, weights)


def needs_architecture(path: Path) -> bool:
    """Whether a file holds weights alone.

    Raises:
        UnreadableModel: it is missing, foreign or damaged.
    """
    if identify(path) == "keras":
        return False
    with Hdf5File(str(path)).open() as root:
        return root.text("model_config") is None


def _object(value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableModel("the configuration is no JSON object", where=str(path))
    return value


def choose_dialect(version: str, text: str, where: str) -> str:
    """keras1, keras2 or keras3, from the version; from the configuration's spelling where the version is missing.

    Raises:
        UnreadableModel: a version that refconv does not know.
    """
    major = version.split(".")[0]
    if not version:
        keras1 = KERAS1_CLASSES.search(text) or KERAS1_FIELDS.search(text)
        major = "1" if keras1 else "3" if KERAS3_FIELDS.search(text) else "2"
    if major in ("1", "2", "3"):
        return f"keras{major}"
    raise UnreadableModel(f"written by Keras {version}, which refconv does not know", where=where)
