"""Where layers ran: decided once, and the arithmetic, the probes and the report go by it."""

from types import SimpleNamespace
from typing import Any

import pytest

from refconv.compare.declared import SINGLE, declare
from refconv.report import summary
from refconv.trace import accelerator

GPU = {"type": "GPU", "name": "x", "compute_capability": "7.0"}
DENSE = SimpleNamespace(type="Dense", dtype="float32", attrs=None)


@pytest.mark.parametrize("environment", [{}, {"devices": None}, {"devices": [{"type": "CPU"}]}, {"devices": ["GPU"]}])
def test_on_a_cpu_there_is_no_accelerator(environment: dict[str, Any]) -> None:
    assert accelerator(environment) is None
    assert declare(DENSE, environment, "graph").candidates == (SINGLE,)  # type: ignore[arg-type]
    assert "GPU" not in summary.environment(environment)


@pytest.mark.parametrize("other", [GPU, {"type": "TPU"}, {}])
def test_what_is_no_cpu_goes_before_it(other: dict[str, Any]) -> None:
    environment = {"devices": [{"type": "CPU"}, other], "tf32": True}
    assert accelerator(environment) is other
    assert bool(declare(DENSE, environment, "graph").reason) is (other is not GPU)  # type: ignore[arg-type]
    assert "CPU" not in summary.environment(environment)
    assert str(other.get("type", "")) in summary.environment(environment)
