"""Which layers have a reference: by class, how each is judged, and which do not and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

from refconv.errors import BadInput
from refconv.formats.dialects import DIALECTS, qkeras
from refconv.formats.wrappers import WRAPPERS
from refconv.ops.base import Row
from refconv.ops.table import FAMILIES, TABLE
from refconv.ops.uncovered import UNCOVERED

# Module of a family → what a listing calls it; modules that are not named here are "other".
GROUPS: Mapping[str, Sequence[str]] = {
    "products and convolutions": (
        "dense",
        "einsum_dense",
        "convolution",
        "depthwise",
        "separable",
        "transposed",
        "locally_connected",
    ),
    "pooling": ("pooling", "global_pooling", "adaptive_pooling"),
    "activations": ("activation_layers",),
    "normalization": ("normalization", "layer_normalization", "unit_normalization", "rms_normalization"),
    "merging": ("merging", "dot"),
    "moving elements": ("padding", "shaping", "embedding", "reversible_embedding", "masking"),
    "preprocessing": ("preprocessing", "resizing", "auto_contrast", "local_contrast", "spectrogram"),
    "wrappers": ("time_distributed", "pipeline"),
    "acting in training only": ("identity",),
    "attention": ("attention", "multi_head"),
    "recurrent": ("recurrent", "bidirectional", "conv_lstm"),
    "inside keras.applications": ("residual",),
    "operations as layers": ("operators",),
}
QKERAS, OTHER = "QKeras", "other"
EXACT, BOUNDED, STEPWISE, INNER = "exact", "bounded", "step by step", "as the layer inside"


@dataclass(frozen=True)
class Covered:
    """One class with a reference.

    Attributes:
        layer: its name, as Keras 3 spells it.
        group: of GROUPS, or QKERAS or OTHER.
        attributes: the fields of its configuration that the reference knows.
        source: where the semantics are documented.
        judged: EXACT (bit equality), BOUNDED (within a derived bound), STEPWISE (the same, step by step), or INNER.
    """

    layer: str
    group: str
    attributes: tuple[str, ...]
    source: str
    judged: str


@dataclass(frozen=True)
class Coverage:
    """`uncovered` maps a class to the reason why it has no reference."""

    covered: tuple[Covered, ...]
    uncovered: Mapping[str, str]


def coverage(pattern: str = "*") -> Coverage:
    """What matches `pattern`: part of a name, or with `*` and `?` a whole one; upper and lower case are one.

    Raises:
        BadInput: nothing does.
    """
    wanted = (pattern if set(pattern) & set("*?[") else f"*{pattern}*").lower()
    rows = [*_wrappers(), *(_covered(row, family.__name__) for family in FAMILIES for row in family.ROWS)]
    covered = tuple(row for row in rows if fnmatchcase(row.layer.lower(), wanted))
    uncovered = {name: why for name, why in UNCOVERED.items() if fnmatchcase(name.lower(), wanted)}
    if not covered and not uncovered:
        raise BadInput(f"no layer of Keras matches {pattern!r}", where="layers", hint="refconv layers lists all")
    return Coverage(covered, uncovered)


def has_reference(class_name: str, dialect: str) -> bool:
    """Whether a layer of that class, in a file of that dialect, has a row; some options of it may still have none."""
    return class_name in WRAPPERS or DIALECTS[dialect](class_name, {})[0] in TABLE


def _wrappers() -> Iterator[Covered]:
    """Layers that change nothing at inference about the layer that they hold, of any class that has a reference."""
    for name in WRAPPERS:
        package = "tensorflow_model_optimization" if name == "PruneLowMagnitude" else "keras.layers"
        yield Covered(name, "wrappers", ("layer",), f"{package}.{name}", INNER)


def _covered(row: Row, module: str) -> Covered:
    names = tuple(field.name for field in fields(row.attributes))
    judged = STEPWISE if row.steps else EXACT if row.exact else BOUNDED
    return Covered(row.keras, _group(row, module), names, row.source, judged)


def _group(row: Row, module: str) -> str:
    if qkeras.owns(row.keras):
        return QKERAS
    name = module.rpartition(".")[2]
    return next((group for group, names in GROUPS.items() if name in names), OTHER)
