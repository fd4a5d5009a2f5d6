"""A failure that no rule explains: does the framework fail as well when it runs again, or another way?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from glob import escape
from typing import Any

from refconv.diagnose.documented import documentation
from refconv.diagnose.rules.table import rule
from refconv.errors import RefconvError
from refconv.pipeline.options import Options, Progress
from refconv.result import FAILING, CheckResult, Finding, LayerResult, Verdict

RIGHT = (Verdict.EXACT, Verdict.WITHIN)
SWITCH = "TF_ENABLE_ONEDNN_OPTS"
OTHERS = {"graph": ("eager",), "xla": ("graph", "eager"), "eager": ()}
ONE_MODE = {"jax": {"graph", "xla"}, "torch": {"graph", "eager"}}  # which are the same run there


@dataclass(frozen=True)
class Way:
    """Another run of the framework.

    Attributes:
        code: the rule that it speaks for if the layer is right there.
        said: what was done.
        fix: one sentence; the rule's own where it is "".
        switches: of the worker's environment.
    """

    code: str
    said: str
    options: Options
    switches: Mapping[str, str] = field(default_factory=dict)
    fix: str = ""
    line: str = ""


Again = Callable[[Options, Mapping[str, str]], CheckResult]


def ways(options: Options, environment: Mapping[str, Any]) -> Iterator[Way]:
    """The same again, then other modes, then oneDNN the other way round."""
    yield Way("RC601", "run again in the same way", options)
    same = ONE_MODE.get(options.backend, set())
    for mode in (mode for mode in OTHERS[options.mode] if not {mode, options.mode} <= same):
        yield Way("RC603", f"run in {mode} mode", replace(options, mode=mode), fix=f"Run it with --mode {mode}.")
    onednn = environment.get("onednn") or {}
    if "enabled" in onednn and environment.get("backend", "tensorflow") == "tensorflow":
        value = "0" if onednn["enabled"] else "1"
        said = f"run {'without' if onednn['enabled'] else 'with'} oneDNN"
        yield Way("RC604", said, options, {SWITCH: value}, line=f"{SWITCH}={value}  # before TensorFlow is imported")


def explained(result: CheckResult, options: Options, again: Again, progress: Progress) -> CheckResult:
    """`result` with a finding for its first failing layer, where that layer is right in another run.

    Only where no rule explains it: a known convention needs no other run. Nothing is run for a result that passes.
    """
    place = next((n for n, layer in enumerate(result.layers) if layer.verdict in FAILING), None)
    if place is None:
        return _plain(result, options, again, progress)
    layer = result.layers[place]
    if any(not finding.code.startswith("RC9") for finding in layer.findings) or not layer.outputs:
        return result
    for way in ways(replace(options, layers=(escape(layer.name),), thorough=False, power=False), result.environment):
        progress(f"explaining {layer.name}: {way.said}", None)
        other = _run(again, way)
        if other and other.layers and other.layers[0].verdict in RIGHT:
            found = replace(layer, findings=(_finding(way, layer, other.layers[0]), *layer.findings))
            return replace(result, layers=(*result.layers[:place], found, *result.layers[place + 1 :]))
    return result


def _run(again: Again, way: Way) -> CheckResult | None:
    """None where the framework cannot run so, which explains nothing."""
    try:
        return again(way.options, way.switches)
    except RefconvError:
        return None


def _plain(result: CheckResult, options: Options, again: Again, progress: Progress) -> CheckResult:
    """Every layer passes: is it the plain graph alone that differs?"""
    plain = result.plain
    if plain is None or plain.ok or options.mode == "eager":
        return result
    progress("explaining predict: run in eager mode", None)
    eager = _run(again, Way("RC602", "", replace(options, mode="eager", thorough=False, power=False)))
    if eager is None:
        return result
    other = eager.plain
    said = "in eager mode it agrees" if other is not None and other.ok else "in eager mode it differs too"
    return replace(result, plain=replace(plain, reason=f"{plain.reason}; {said} (RC602)"))


def _finding(way: Way, layer: LayerResult, other: LayerResult) -> Finding:
    known = rule(way.code)
    assert known is not None
    before, after = (each.worst.bound_used if each.worst else None for each in (layer, other))
    return Finding(
        way.code,
        known.name,
        f"{way.said}, the layer is {other.verdict.value}",
        way.fix or documentation(known).advice,
        line=way.line,
        before=before,
        after=after,
    )
