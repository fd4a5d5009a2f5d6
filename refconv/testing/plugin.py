"""The pytest plugin: a fixture that checks a model, and fails with what `refconv check` would print.

pytest imports this module in every run, so it imports nothing more: what a check needs is imported by the first check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from refconv.result import CheckResult
    from refconv.testing.checking import Run

MARKER = (
    "refconv(**options): what `refconv_check` takes in this test: the long options of `refconv check`, with _ for -, "
    'such as device="cpu", mode="eager", lenient=True'
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("refconv", "checks of Keras models (refconv)")
    group.addoption("--refconv-device", metavar="DEVICE", help="where the framework runs in refconv_check")
    group.addoption("--refconv-backend", metavar="BACKEND", help="what Keras 3 runs on in refconv_check")
    group.addoption("--refconv-report", metavar="DIR", help="write a JUnit and an HTML report of each check to DIR")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def _refconv_run(pytestconfig: pytest.Config) -> Iterator[Run]:
    from refconv.testing.checking import Run

    with Run(pytestconfig) as run:
        yield run


@pytest.fixture
def refconv_check(request: pytest.FixtureRequest, _refconv_run: Run) -> Callable[..., CheckResult]:
    """Check a model: `refconv_check(model_or_path, inputs=None, **options)`.

    The model is a file, or a Keras or QKeras model that lives in this process. Options are those of `refconv check`
    with _ for -; a marker `refconv`, the options of pytest and [tool.refconv] in pyproject.toml give defaults, in this
    order. Files are run by a worker that is kept for the next check.

    Returns:
        the CheckResult, where it passes.

    Raises:
        AssertionError: it does not pass, or something in it could not be verified (`allow_unverified=True` lets that
            pass). Its text is the report.
    """
    marks = list(request.node.iter_markers("refconv"))
    number = 0

    def check(model: Any, inputs: Any = None, **options: Any) -> CheckResult:
        __tracebackhide__ = True
        nonlocal number
        number += 1
        return _refconv_run.check(model, inputs, options, marks, request.node.nodeid, number)

    return check
