"""References of the user's own, for layers and models of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refconv.errors import BadInput, RefconvError
from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context, Row, Weights
from refconv.ops.table import TABLE
from refconv.ops.toolkit import Toolkit
from refconv.ops.uncovered import UNCOVERED

Reference = Callable[
    [Mapping[str, Any], Mapping[str, np.ndarray], Sequence[Enclosure], Toolkit], Enclosure | Sequence[Enclosure]
]
NOTE = "judged by the reference that was registered for it, whose bound is its author's"


@dataclass(frozen=True)
class Custom:
    """The configuration as the file has it."""

    config: Mapping[str, Any] = field(hash=False)


def register(class_name: str, forward: Reference) -> None:
    """Give a layer or model class of your own a reference: what it computes, in NumPy.

    Args:
        class_name: as files have it, alone or with its package ("MyLayer", "my_package>MyLayer").
        forward: (config, weights, inputs, ops) → what the layer gives. `config` is the layer's own get_config(), from
            the file; `weights` its arrays by the file's names, in the order in which they were made; `inputs` are
            enclosures, and `ops` the operations on them (`refconv.ops.toolkit.Toolkit`), which carry the bound along.
            The result is an enclosure, or a sequence of them for several outputs.

    Raises:
        BadInput: Keras has a layer of that name.
    """
    if class_name in UNCOVERED or (class_name in TABLE and class_name not in REGISTERED):
        raise BadInput(
            f"{class_name} is a layer of Keras", where="register", hint="name it with its package: mine>Name"
        )
    REGISTERED.add(class_name)
    TABLE[class_name] = Row(class_name, Custom, _run(class_name, forward), source="registered", note=NOTE)


REGISTERED: set[str] = set()


def forget(class_name: str) -> None:
    """Take back a registration."""
    REGISTERED.discard(class_name)
    TABLE.pop(class_name, None)


def registered(kind: str) -> str | None:
    """The name under which there is a reference for a class, with or without its package; None if there is none."""
    return next((name for name in (kind, kind.rpartition(">")[2]) if name in REGISTERED), None)


def _run(class_name: str, forward: Reference) -> Callable[..., tuple[Enclosure, ...]]:
    def run(attrs: Custom, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> tuple[Enclosure, ...]:
        try:
            result = forward(attrs.config, weights, inputs, Toolkit(context))
        except RefconvError:
            raise
        except Exception as error:
            raise BadInput(f"the reference registered for {class_name} failed: {error!r}") from error
        outputs = (result,) if isinstance(result, Enclosure) else tuple(result)
        if wrong := [type(e).__name__ for e in outputs if not isinstance(e, Enclosure)]:
            wanted = f"the reference registered for {class_name} gave {wrong[0]}, and an Enclosure is wanted"
            raise BadInput(wanted, hint="ops.within(values, radius) makes one")
        return outputs

    return run
