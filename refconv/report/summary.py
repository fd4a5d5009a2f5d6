"""The first lines and the last: what was checked; the verdict, the counts behind it, the environment and the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from refconv.report.text import printable, seconds
from refconv.result import CheckResult
from refconv.trace import accelerator

SHOWN = ("mismatch", "degraded", "suspect", "unverified", "vacuous", "within", "exact")


def about(result: CheckResult) -> Iterator[str]:
    """What was checked, one line each, not yet escaped or broken: the model, its inputs, and what to know of them."""
    model = result.model
    yield f"{model.path} ({model.format}, Keras {model.keras_version or '?'}, {model.backend})"
    if result.input:
        yield "; ".join(filter(None, (_fed(result.input), _mode(result.environment))))
    declared = Counter(layer.arithmetic for layer in result.layers if layer.arithmetic)
    if set(declared) - {"float32"}:
        yield "declared arithmetic: " + ", ".join(f"{name} ({n})" for name, n in declared.most_common())
    yield from (f"note: {note}" for note in (*result.input.get("notes", ()), *result.notes))


def _fed(found: Mapping[str, Any]) -> str:
    number = f"{found['samples']} sample" + "s" * (found["samples"] != 1)
    if found["source"] == "seeded":
        return f"{number}, seed {found['seed']}"
    return f"{number} of " + ", ".join(tensor["source"] for tensor in found["tensors"])


def _mode(environment: Mapping[str, Any]) -> str:
    return f"{environment['mode']} mode" if environment.get("mode") else ""


def headline(result: CheckResult) -> str:
    """PASS, PASS OF SELECTION, FAIL or INCOMPLETE."""
    return "PASS OF SELECTION" if result.partial and result.verdict == "pass" else result.verdict.upper()


def counts(result: CheckResult) -> str:
    """ "12 layers: 1 mismatch, 11 within; 3.4 s" and what else decided the verdict."""
    found = result.counts
    parts = [f"{found[name]} {name}{_pardon(name, result)}" for name in SHOWN if found[name]]
    number = f"{found['layers']} layer" + "s" * (found["layers"] != 1)
    text = f"{number}: {', '.join(parts)}" if parts else f"{number}, nothing was compared"
    return "; ".join([text, *_remarks(result), seconds(result.seconds)])


def _pardon(verdict: str, result: CheckResult) -> str:
    """Which option let a verdict pass, or would."""
    policy = result.policy
    if verdict == "exact" and (certified := sum(_certified(layer.outputs) for layer in result.layers)):
        return f" ({certified} certified{_accumulators(result)})"
    if verdict == "suspect" and policy.lenient:
        return " (let pass by --lenient)"
    if verdict == "unverified" and policy.allow_unverified:
        return " (let pass by --allow-unverified)"
    if verdict == "vacuous" and policy.strict:
        return " (not let pass by --strict)"
    return ""


def _accumulators(result: CheckResult) -> str:
    bits = [o.accumulator_bits for layer in result.layers for o in layer.outputs if o.accumulator_bits]
    return f", sums in at most {max(bits)} bits" if bits else ""


def probes(result: CheckResult) -> str:
    """ "probes: 11 of 12 exact, 1 within, 1 not probed"; "" where none was asked for."""
    verdicts = [layer.probe.verdict.value for layer in result.layers if layer.probe]
    missing = sum(layer.probe is None and bool(layer.probe_reason) for layer in result.layers)
    if not verdicts and not missing:
        return ""
    rest = [f"{n} {name}" for name in ("mismatch", "within") if (n := verdicts.count(name))]
    rest += [f"{missing} not probed"] if missing else []
    return ", ".join([f"probes: {verdicts.count('exact')} of {len(verdicts) + missing} exact", *rest])


def _certified(outputs: tuple[Any, ...]) -> bool:
    return bool(outputs) and all(o.certified and o.verdict == "exact" for o in outputs)


def _remarks(result: CheckResult) -> list[str]:
    remarks = [found] if (found := probes(result)) else []
    if result.counts["nondeterministic"]:
        remarks.append(f"{result.counts['nondeterministic']} nondeterministic")
    if result.plain is not None and not result.plain.ok:
        remarks.append("plain predict differs")
    if result.partial and result.verdict != "pass":
        remarks.append("not all layers were compared")
    return remarks


def environment(found: Mapping[str, Any]) -> str:
    """ "tensorflow 2.21.0, tf-keras 2.21.0, Python 3.11.7; CPU, oneDNN on, 2 threads", or what is known of that."""
    groups = (_versions(found), _machine(found))
    return printable("; ".join(", ".join(group) for group in groups if group))


def _versions(found: Mapping[str, Any]) -> list[str]:
    keras = found.get("keras_package") or "keras"
    named = (("tensorflow", "tensorflow"), (keras, "keras"), ("Python", "python"))
    return [f"{label} {found[name]}" for label, name in named if found.get(name)]


def _machine(found: Mapping[str, Any]) -> list[str]:
    return [part for part in (_device(found), _onednn(found.get("onednn")), _threads(found.get("threads"))) if part]


def _device(found: Mapping[str, Any]) -> str:
    """The device that a layer ran on; nothing where none was named."""
    if (chosen := accelerator(found)) is None:
        return "CPU" if found.get("devices") else ""
    return " ".join(str(chosen[name]) for name in ("type", "name") if chosen.get(name))


def _onednn(found: Any) -> str:
    enabled = found.get("enabled") if isinstance(found, Mapping) else found
    return "" if enabled is None else "oneDNN on" if enabled else "oneDNN off"


def _threads(found: Any) -> str:
    """TensorFlow's 0 stands for one thread per CPU."""
    count = found.get("intra_op") or found.get("cpus") if isinstance(found, Mapping) else found
    return f"{count} thread" + "s" * (count != 1) if count else ""
