"""What a check in a test needs: options from everywhere, one pool of workers, reports, and an assertion."""

from __future__ import annotations

import io
import shlex
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import click
import pytest

import refconv
from refconv.cli import settings
from refconv.cli.check import CAPTURED, asked, command
from refconv.errors import BadInput, RefconvError
from refconv.frameworks import Pool
from refconv.report.text import printable
from refconv.result import CheckResult

COLUMNS = 100
NOT_HERE = ("given", "json_file", "junit_file", "html_file", "quiet", "verbose", "no_progress")  # the fixture's own
FROM_PYTEST = {"refconv_device": "device", "refconv_backend": "backend"}


class Run:
    """One run of pytest: its settings, and the workers that it keeps until it ends."""

    def __init__(self, config: pytest.Config) -> None:
        self._config, self._pool = config, Pool()
        self._settings: Mapping[str, Any] | None = None
        self._registered: set[str] = set()  # files of references that were run

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.close()

    def check(
        self,
        model: Any,
        inputs: Any,
        options: Mapping[str, Any],
        marks: Sequence[pytest.Mark],
        test: str,
        number: int,
    ) -> CheckResult:
        """The result, where it passes.

        Raises:
            AssertionError: it does not.
            RefconvError: nothing could be checked.
        """
        __tracebackhide__ = True
        result, error = self._attempt(model, inputs, options, marks)
        if error is not None:  # without the lines that led to it inside refconv
            raise error.with_traceback(None) from None
        assert result is not None
        self._report(result, test, number)
        if result.verdict != "pass":
            raise AssertionError(text(result)) from None
        return result

    def _attempt(
        self, model: Any, inputs: Any, options: Mapping[str, Any], marks: Sequence[pytest.Mark]
    ) -> tuple[CheckResult | None, RefconvError | None]:
        try:
            given = self._given(options, marks)
            self._register(given["references"])
            return refconv.check(model, inputs, options=asked(given), pool=self._pool), None
        except RefconvError as error:
            return None, self._cleaned(error)

    def _register(self, files: Sequence[str]) -> None:
        from refconv.pipeline.code import run_references

        new = [file for file in files if file not in self._registered]
        run_references(new)
        self._registered.update(new)

    def _cleaned(self, error: RefconvError) -> RefconvError:
        """In printable characters, and without the framework's last lines, unless pytest is asked for more (-v)."""
        error.what = printable(error.what)
        if self._config.get_verbosity() < 1:
            getattr(error, "__notes__", []).clear()
        return error

    def _given(self, options: Mapping[str, Any], marks: Sequence[pytest.Mark]) -> dict[str, Any]:
        """Every parameter of `refconv check`: the nearer to the check something was said, the more it counts."""
        pairs = ((name, self._config.getoption(name, None)) for name in FROM_PYTEST)
        found = parameters({FROM_PYTEST[name]: value for name, value in pairs if value is not None}, "pytest's option")
        for mark in reversed(marks):  # the nearest comes first
            if mark.args:
                raise BadInput("takes options by name", where="@pytest.mark.refconv", hint='device="cpu"')
            found |= parameters(mark.kwargs, "@pytest.mark.refconv")
        found |= parameters(options, "refconv_check")
        configured = self._configured()
        if found.get("trace"):  # which holds what ran, and how
            if strange := sorted(set(found) & set(CAPTURED)):
                raise BadInput(f"{strange[0]} and trace exclude each other", where="refconv_check")
            configured = {name: value for name, value in configured.items() if name not in CAPTURED}
        found = {**configured, **found}
        if len(found.get("backends") or ()) > 1:
            raise BadInput("one at a time is checked in a test", where="backend", hint="parametrize the test")
        found["html_file"] = self._config.getoption("refconv_report", None)
        return command.make_context("check", ["MODEL"], default_map=found).params

    def _configured(self) -> Mapping[str, Any]:
        if self._settings is None:
            read = settings.defaults(settings.find(self._config.rootpath), command)
            self._settings = {name: value for name, value in read.items() if name not in NOT_HERE}
        return self._settings

    def _report(self, result: CheckResult, test: str, number: int) -> None:
        folder = self._config.getoption("refconv_report", None)
        if not folder:
            return
        from refconv.report import html_report, junit
        from refconv.report.files import beneath, write_text

        folder = self._config.invocation_params.dir / folder  # wherever a test has gone meanwhile
        folder.mkdir(parents=True, exist_ok=True)
        name = test if number == 1 else f"{test} {number}"
        write_text(str(beneath(folder, name, ".xml")), junit.render(result))
        write_text(str(beneath(folder, name, ".html")), html_report.render(result, f"pytest {shlex.quote(test)}"))


def parameters(options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Options by long names with _ for -, or as the command calls its parameters → values by the latter.

    Raises:
        BadInput: no such option, or a value that it does not take.
    """
    known: dict[str, click.Option] = {}
    for option in command.params:
        if isinstance(option, click.Option) and option.name and option.name not in NOT_HERE:
            known[option.name] = known[settings.long_name(option).replace("-", "_")] = option
    if strange := sorted(set(options) - set(known)):
        raise BadInput(f"{strange[0]!r} is no option", where=where, hint=", ".join(sorted(known)))
    return dict(_converted(known[name], name, value, where) for name, value in options.items())


def _converted(option: click.Option, name: str, value: Any, where: str) -> tuple[str, Any]:
    several = value if option.multiple and isinstance(value, (list, tuple)) else [value]
    try:
        items = [option.type.convert(_worded(item), option, None) for item in several]
    except click.BadParameter as error:
        raise BadInput(error.message.rstrip("."), where=f"{where}({name}=…)") from None
    return str(option.name), tuple(items) if option.multiple else items[0]


def _worded(item: Any) -> Any:
    """A path, a size or a shape as it would be typed."""
    if isinstance(item, tuple):
        return ",".join(map(str, item))
    return item if isinstance(item, (bool, int, float)) else str(item)


def text(result: CheckResult) -> str:
    """What `refconv check` prints, without a line for each layer that passes; the verdict first."""
    from rich.console import Console

    from refconv.report import summary, terminal

    stream = io.StringIO()
    screen = Console(file=stream, width=COLUMNS, color_system=None, highlight=False, markup=False, emoji=False)
    terminal.render(result, screen, passing=False)
    return f"{summary.headline(result)}: {result.model.path}\n{stream.getvalue().rstrip()}"
