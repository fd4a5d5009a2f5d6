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
        yield "; ".join(filter(None, (fed(result.input), mode(result.environment))))
    declared = Counter(layer.arithmetic for layer in result.layers if layer.arithmetic)
    if set(declared) - {"float32"}:
        yield "declared arithmetic: " + ", ".join(f"{name} ({n})" for name, n in declared.most_common())
    yield from (f"note: {note}" for note in (*result.input.get("notes", ()), *result.notes))


def fed(found: Mapping[str, Any]) -> str:
    """ "2 samples, seed 0", or where they are from: the "input" object of a report."""
    number = f"{found['samples']} sample" + "s" * (found["samples"] != 1)
    if found["source"] == "seeded":
        return f"{number}, seed {found['seed']}"
    return f"{number} of " + ", ".join(tensor["source"] for tensor in found["tensors"])


def mode(environment: Mapping[str, Any]) -> str:
    """ "graph mode"; "" where that is not known."""
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
    """Which option or acceptance let a verdict pass, or would."""
    policy = result.policy
    if known := sum(layer.forgiven for layer in result.layers if layer.verdict.value == verdict):
        return f" ({known} accepted)"
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
    if expired := sum(bool(layer.accepted and layer.accepted.expired) for layer in result.layers):
        remarks.append(f"{expired} no longer accepted")
    if (runs := result.environment.get("repeat") or 1) > 1:
        remarks.append(f"{runs} runs")
    if result.counts["nondeterministic"]:
        remarks.append(f"{result.counts['nondeterministic']} nondeterministic")
    if result.plain is not None and not result.plain.ok:
        remarks.append("plain predict differs")
    if result.partial and result.verdict != "pass":
        remarks.append("not all layers were compared")
    return remarks


def environment(found: Mapping[str, Any]) -> str:
    """ "tensorflow 2.21.0, tf-keras 2.21.0, Python 3.11.7; CPU, oneDNN on, 2 threads", or what is known of that.

    Of a GPU also its name, compute capability, driver, CUDA and cuDNN, and whether TF32 is on.
    """
    groups = (_versions(found), _machine(found))
    return printable("; ".join(", ".join(group) for group in groups if group))


def _versions(found: Mapping[str, Any]) -> list[str]:
    keras = found.get("keras_package") or "keras"
    backend = str(found.get("backend") or "tensorflow")
    named = ((backend, backend), (keras, "keras"), ("Python", "python"))
    return [f"{label} {found[name]}" for label, name in named if found.get(name)]


def _machine(found: Mapping[str, Any]) -> list[str]:
    parts = (_device(found), *_switches(found), _onednn(found.get("onednn")), _threads(found.get("threads")))
    return [part for part in parts if part]


def _device(found: Mapping[str, Any]) -> str:
    """The device that a layer ran on; nothing where none was named."""
    if (chosen := accelerator(found)) is None:
        return "CPU" if found.get("devices") else ""
    named = " ".join(str(chosen[name]) for name in ("type", "name") if chosen.get(name))
    versions = found.get("cuda") or {}
    known = [("compute capability", chosen.get("compute_capability"))]
    known += [(label, versions.get(name)) for label, name in CUDA]
    told = ", ".join(f"{label} {value}" for label, value in known if value)
    return f"{named} ({told})" if told else named


CUDA = (("driver", "driver"), ("CUDA", "cuda"), ("cuDNN", "cudnn"))


def _switches(found: Mapping[str, Any]) -> Iterator[str]:
    """TF32 where a GPU ran, by what it is on for if not for everything; and determinism where it was asked for."""
    if accelerator(found) is not None and found.get("tf32") is not None:
        of = {name for name, on in (found.get("tf32_of") or {}).items() if on}
        part = f" for {of.pop()}" if len(of) == 1 else ""
        yield f"TF32 on{part}" if found["tf32"] else "TF32 off"
    if found.get("deterministic_ops"):
        yield "deterministic operations"


def _onednn(found: Any) -> str:
    enabled = found.get("enabled") if isinstance(found, Mapping) else found
    return "" if enabled is None else "oneDNN on" if enabled else "oneDNN off"


def _threads(found: Any) -> str:
    """TensorFlow's 0 stands for one thread per CPU."""
    count = found.get("intra_op") or found.get("cpus") if isinstance(found, Mapping) else found
    return f"{count} thread" + "s" * (count != 1) if count else ""
