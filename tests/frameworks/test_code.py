"""Trust in a file is trust in what it defines."""

from __future__ import annotations

import pytest
import tf_keras

from refconv.frameworks.worker.code import BadCode, demand


def test_every_name_has_to_be_defined() -> None:
    demand([], {}, tf_keras)
    demand(["Scale"], {"Scale": object}, tf_keras)
    demand(["Scale"], {"mine>Scale": object}, tf_keras)
    with pytest.raises(BadCode, match="no trusted file defines mkdir, system"):
        demand(["system", "Scale", "mkdir"], {"Scale": object}, tf_keras)


def test_what_is_registered_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf_keras.utils, "get_custom_objects", lambda: {"mine>Scale": object})
    demand(["Scale"], {}, tf_keras)
