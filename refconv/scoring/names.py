"""What a name, or what a file says of a loss or metric, stands for: Keras's own rules, version by version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from refconv.scoring.predictions import Unsettled
from refconv.scoring.table import NAMES, Row

ACCURACY, CROSSENTROPY = ("accuracy", "acc"), ("crossentropy", "ce")
IGNORED = ("name", "dtype", "fn", "reduction")  # of a configuration: no parameters of the formula
REDUCTIONS = (None, "auto", "sum_over_batch_size")


@dataclass(frozen=True)
class Term:
    """One loss or metric, resolved.

    Attributes:
        called: the name that the framework reports it under.
        said: what it is, in words, with the parameters that are not Keras's defaults.
        by: the name that it was resolved from where the shapes decided ("accuracy"); "" otherwise.
    """

    row: Row
    called: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""

    @property
    def said(self) -> str:
        defaults = self.row.parameters
        shown = {k: v for k, v in self.parameters.items() if v != defaults[k] or k in ("threshold", "k")}
        given = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in shown.items())
        return f"{self.row.said} ({given})" if given else self.row.said


def called(identifier: Any, keras: int) -> str:
    """The name under which the framework reports it."""
    if isinstance(identifier, str):
        named = keras == 2 and identifier in NAMES and identifier in NAMES[identifier].classes
        return snake_case(identifier) if named else identifier
    if isinstance(identifier, Mapping):
        config = identifier.get("config")
        if isinstance(config, Mapping):
            return str(config.get("name") or snake_case(str(identifier.get("class_name")).rpartition(">")[2]))
        return str(config or identifier.get("class_name") or "?")
    return str(identifier)


def snake_case(name: str) -> str:
    """TopKCategoricalAccuracy → top_k_categorical_accuracy, as Keras does it."""
    found = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", found).lower()


def resolve(
    identifier: Any, target: tuple[int, ...], output: tuple[int, ...], keras: int, *, loss: bool = False
) -> Term:
    """The loss or metric that an identifier stands for.

    Both Kerases, since Keras 2.4 (TensorFlow 2.2), tell what "accuracy" is by the shapes alone, whatever the loss:
    binary where the output's last axis is 1, sparse where the target has an axis less or a last axis of 1, else
    categorical (tf_keras `MetricsContainer._get_metric_object`, keras `compile_utils.get_metric`).

    Args:
        identifier: a name, or what a file says: {"class_name": …, "config": …}.
        target, output: shapes, batch first.
        loss: it is a loss.

    Raises:
        Unsettled: it has no reference.
    """
    name, config = _parts(identifier)
    own = called(identifier, keras)
    by = ""
    if (name.lower() in ACCURACY and not loss) or name.lower() in CROSSENTROPY:
        if name.lower() in CROSSENTROPY and loss == (keras == 2):
            raise Unsettled(f"Keras {keras} knows no {'loss' if loss else 'metric'} {name!r}")
        by, name = name, _by_shape(name, target, output)
    row = NAMES.get(name)
    if row is None or (loss and not row.loss):
        raise Unsettled(f"{'loss' if loss else 'metric'} {name!r} has no reference")
    if loss and config.get("reduction") not in REDUCTIONS:
        raise Unsettled(f"a loss of reduction {config['reduction']!r} has no reference")
    given = {k: v for k, v in config.items() if k not in IGNORED}
    if strange := sorted(set(given) - set(row.parameters)):
        raise Unsettled(f"{name} has a parameter {strange[0]!r}, which has no reference")
    return Term(row, own, {**row.parameters, **given}, by)


def _parts(identifier: Any) -> tuple[str, Mapping[str, Any]]:
    """Function or class, and its configuration."""
    if isinstance(identifier, str):
        return identifier, {}
    if not isinstance(identifier, Mapping):
        raise Unsettled(f"{identifier!r} is no loss or metric")
    name, config = str(identifier.get("class_name", "?")).rpartition(">")[2], identifier.get("config")
    if isinstance(config, str):  # {"class_name": "function", "config": "mean_squared_error"}
        return config, {}
    config = config if isinstance(config, Mapping) else {}
    if name in ("MeanMetricWrapper", "LossFunctionWrapper"):
        wrapped = config.get("fn")
        return _parts(wrapped)[0] if wrapped is not None else "?", config
    return name, config


def _by_shape(name: str, target: tuple[int, ...], output: tuple[int, ...]) -> str:
    kind = "accuracy" if name.lower() in ACCURACY else "crossentropy"
    if output[-1] == 1:
        return f"binary_{kind}"
    if len(target) < len(output) or (target[-1] == 1 and output[-1] > 1):
        return f"sparse_categorical_{kind}"
    return f"categorical_{kind}"


def by_loss(version: str) -> bool:
    """Whether the Keras of that version took `accuracy` beside binary_crossentropy for binary accuracy.

    Keras up to 2.3, and TensorFlow's up to 2.1 (2.2.4-tf), looked at the loss (`training_utils.get_metric_function`).
    """
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if not numbers:
        return False
    major, minor = int(numbers[1]), int(numbers[2])
    return (major, minor) < ((2, 3) if "tf" in version else (2, 4)) and major > 0
