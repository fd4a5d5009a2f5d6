"""Raw layer configurations → Keras 3.15's spelling, without the fields that do not change inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from refconv.formats.dialects import keras1, keras2, keras3

Canonical = Callable[[str, Mapping[str, Any]], tuple[str, dict[str, Any]]]

DIALECTS: dict[str, Canonical] = {
    "keras1": keras1.canonical,
    "keras2": keras2.canonical,
    "keras3": keras3.canonical,
}
