"""The result as JUnit XML: one test case per layer, and one for the plain `predict`."""

from __future__ import annotations

import re
from xml.etree import ElementTree as xml

from refconv.report import summary
from refconv.report.details import details
from refconv.report.text import error, printable, share, size
from refconv.result import FAILING, CheckResult, LayerResult, PlainResult, Policy, Verdict

# What XML 1.0 allows: https://www.w3.org/TR/xml/#charsets
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def render(result: CheckResult) -> str:
    """The report as JUnit XML text.

    A layer that fails the run is a failure; one that is unverified, or vacuous in a strict run, is skipped; one that
    the policy forgives passes.
    """
    cases = [_case(layer, result) for layer in result.layers]
    if result.plain is not None:
        cases.append(_plain_case(result.plain, result))
    attributes = {"name": "refconv", "time": _seconds(result.seconds), **_counts(cases)}
    suite = xml.Element("testsuite", attributes)
    suite.extend([_properties(result), *cases])
    suites = xml.Element("testsuites", attributes)
    suites.append(suite)
    xml.indent(suites)
    return DECLARATION + xml.tostring(suites, encoding="unicode") + "\n"


def _counts(cases: list[xml.Element]) -> dict[str, str]:
    failures = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {"tests": str(len(cases)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}


def _properties(result: CheckResult) -> xml.Element:
    properties_of = {
        "verdict": result.verdict,
        "partial": str(result.partial).lower(),
        **({"probes": found} if (found := summary.probes(result)) else {}),
        "model.sha256": result.model.sha256,
        **_power(result),
        **{f"environment.{name}": str(value) for name, value in result.environment.items()},
    }
    properties = xml.Element("properties")
    for name, value in properties_of.items():
        xml.SubElement(properties, "property", name=legal(name), value=legal(value))
    return properties


def _power(result: CheckResult) -> dict[str, str]:
    """Of all faults tried in all layers, how many this input would have exposed."""
    found = [layer.power for layer in result.layers if layer.power]
    caught, tried = sum(len(p.caught) for p in found), sum(p.applicable for p in found)
    return {"power": f"{caught}/{tried}"} if found else {}


def _case(layer: LayerResult, result: CheckResult) -> xml.Element:
    case = _empty_case(layer.name, result, sum(layer.seconds.values()))
    if layer.verdict in FAILING and not (layer.verdict is Verdict.SUSPECT and result.policy.lenient):
        _fail(case, layer.verdict.value, _message(layer), "\n".join(details(layer, verbose=True)))
    elif _is_skipped(layer.verdict, result.policy):
        xml.SubElement(case, "skipped", message=legal(f"{layer.verdict.value}: {layer.reason}"))
    return case


def _is_skipped(verdict: Verdict, policy: Policy) -> bool:
    return verdict is Verdict.UNVERIFIED or (verdict is Verdict.VACUOUS and policy.strict)


def _plain_case(plain: PlainResult, result: CheckResult) -> xml.Element:
    case = _empty_case("predict (plain)", result, 0.0)
    if not plain.ok:
        used = f"max difference {error(plain.max_abs_difference)}, {share(plain.bound_used)} of the bound"
        _fail(case, "plain", used, plain.reason)
    return case


def _empty_case(name: str, result: CheckResult, seconds: float) -> xml.Element:
    return xml.Element("testcase", classname=legal(result.model.path), name=legal(name), time=_seconds(seconds))


def _fail(case: xml.Element, kind: str, message: str, details: str) -> None:
    xml.SubElement(case, "failure", type=kind, message=legal(message)).text = legal(details)


def _message(layer: LayerResult) -> str:
    worst = layer.worst
    if layer.findings:
        return f"{layer.type}: {layer.findings[0].code} {layer.findings[0].title}"
    if layer.probe is not None and layer.probe.verdict in FAILING:
        return f"{layer.type}: {layer.probe_reason}"
    if worst is None:
        return f"{layer.type}: {layer.reason}"
    used = f"max error {error(worst.max_abs_error)}, {share(worst.bound_used)} of the bound"
    return f"{layer.type} {size(layer.shape or ())}: {used}"


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def legal(text: str) -> str:
    """`text` with what steers a terminal, and what XML cannot hold, not even escaped, as Python writes it."""
    return "\n".join(ILLEGAL.sub("", printable(line)) for line in text.split("\n"))
