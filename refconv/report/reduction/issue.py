"""README.md of a saved case: what a maintainer wants to know, to be pasted into an issue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from refconv.pipeline.reducing.result import Reduced, Saved
from refconv.report import pixel
from refconv.report.reduction.backends import BACKENDS, name_of
from refconv.report.text import error, pair, printable, size
from refconv.result import Finding
from refconv.trace import accelerator

FEW = 64  # numbers that are printed in full
TRAINING = ("initializer", "regularizer", "constraint")  # fields that matter to no prediction


def title(found: Reduced) -> str:
    """ "Conv2D: SAME padding on the other side"."""
    if found.layer is None:
        return "predict differs from what the layers compute"
    why = explanation(found)
    return f"{found.layer.type}: {why.title if why else 'another output than the layer describes'}"


def explanation(found: Reduced) -> Finding | None:
    """What explains the failure, if something does."""
    findings = found.layer.findings if found.layer else ()
    return next((finding for finding in findings if not finding.code.startswith("RC9")), None)


def render(found: Reduced, model: str, inputs: Sequence[str], code: Sequence[str]) -> str:
    """Markdown."""
    case = found.case
    assert case is not None
    parts = [
        f"# {_marked(title(found))}",
        "\n".join(_what(found, case, model, inputs)),
        "\n".join(_steps(model, inputs, code)),
        *_layer(case),
        *_numbers(case),
        *_by_hand(found),
        "## Environment\n\n" + "\n".join(f"- {_marked(line)}" for line in environment(case.environment)),
        *_about(found),
    ]
    return "\n\n".join(parts) + "\n"


def _marked(text: str) -> str:
    """Text of a file, as text of Markdown."""
    return printable(text).replace("<", "&lt;").replace("`", "'")


def _what(found: Reduced, case: Saved, model: str, inputs: Sequence[str]) -> Iterator[str]:
    at, shapes = case.index, ", ".join(size(x.shape) for x in case.inputs)
    yield f"`{model}` is run on {' and '.join(f'`{name}`' for name in inputs)} ({shapes})."
    if case.got.shape != case.expected.shape:
        yield f"\n- actual: an output of shape {case.got.shape}"
        yield f"- expected: an output of shape {case.expected.shape}"
        return
    expected, got = pair(float(case.expected[at]), float(case.got[at]))
    yield f"\n- actual, at {list(at)}: **{got}**"
    yield f"- expected: **{expected}** ±{error(float(case.allowed[at]))}, which is what float rounding may do"


def _steps(model: str, inputs: Sequence[str], code: Sequence[str]) -> Iterator[str]:
    files = ", ".join(f"`{name}`" for name in (model, *inputs, "expected.npy", "allowed.npy", *code))
    yield "## To reproduce\n"
    yield f"In this folder ({files}):\n"
    yield "    python reproduce.py\n"
    yield "It needs the framework and NumPy alone. Exit code 1 while the output is wrong, 0 once it is right."


def _layer(case: Saved) -> Iterator[str]:
    """Configurations, without what a prediction does not depend on."""
    if case.graph is None:
        return
    lines = []
    for node in case.graph.nodes:
        if node.index in case.graph.inputs:
            continue
        config = {
            k: v for k, v in node.origin.config.items() if not k.endswith(TRAINING) and k not in ("name", "dtype")
        }
        said = ", ".join(f"{name}={_short(value)}" for name, value in config.items() if value is not None)
        lines.append(f"    {node.origin.class_name}({said}), dtype {node.dtype}")
    yield f"## The layer{'s' if len(lines) > 1 else ''}\n\n" + "\n".join(printable(line) for line in lines)


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 100 else text[:97] + "…"


def _numbers(case: Saved) -> Iterator[str]:
    """All numbers, where they are few."""
    graph = case.graph
    weights = (
        {}
        if graph is None
        else {
            f"{n.layer} {k}" if len(graph.nodes) > 2 else k: w.value for n in graph.nodes for k, w in n.weights.items()
        }
    )
    arrays = {**{f"input {n}" if n else "input": x for n, x in enumerate(case.inputs)}, **weights}
    arrays |= {"actual output": case.got, "expected output": case.expected}
    if sum(x.size for x in arrays.values()) > FEW:
        return
    lines = [f"    {printable(name)}, {size(x.shape)}: {_listed(x)}" for name, x in arrays.items()]
    yield "## All numbers\n\n" + "\n".join(lines)


def _listed(x: np.ndarray) -> str:
    return "[" + ", ".join(f"{v:.9g}" for v in x.ravel().tolist()) + "]"


def _by_hand(found: Reduced) -> Iterator[str]:
    if found.pixel is not None:
        text = pixel.render(found.pixel, everything=found.pixel.by_hand.products.size <= FEW)
        yield "## The expected value by hand\n\n" + "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def environment(found: Mapping[str, Any]) -> list[str]:
    """Versions, device and switches, a line each."""
    onednn, cpu = (found.get(name) or {} for name in ("onednn", "cpu"))
    threads = found.get("threads") or {}
    lines = [
        _line(BACKENDS[name_of(found)].title, found.get(name_of(found))),
        _line(str(found.get("keras_package") or "keras"), found.get("keras")),
        _line("NumPy", found.get("numpy")),
        _line("Python", found.get("python")),
        _line("system", found.get("system")),
        _line("processor", cpu.get("name")),
        _line("instruction sets", " ".join(cpu.get("instruction_sets") or ())),
        *[
            _line(f"{d['type']} {d.get('index', '')}", _device(d))
            for d in found.get("devices") or []
            if d.get("type") != "CPU"
        ],
        "" if any(d.get("type") != "CPU" for d in found.get("devices") or []) else "device: CPU",
        _line("oneDNN", _switch(onednn.get("enabled"))),
        _line("TF32", _switch(found.get("tf32")) if accelerator(found) else ""),
        _line("threads", threads.get("intra_op") or threads.get("cpus")),
        _line("mode", found.get("mode")),
    ]
    return [line for line in lines if line]


def _switch(value: Any) -> str:
    return "" if value is None else "on" if value else "off"


def _line(name: str, value: Any) -> str:
    return f"{name}: {value}" if value not in (None, "") else ""


def _device(device: Mapping[str, Any]) -> str:
    capability = device.get("compute_capability")
    return ", ".join(
        filter(None, (str(device.get("name") or ""), f"compute capability {capability}" if capability else ""))
    )


def _about(found: Reduced) -> Iterator[str]:
    """How it was found."""
    from refconv import __version__

    why = explanation(found)
    lines = [f"Reduced by refconv {__version__} from {_origin(found)}."]
    if why:
        lines.append(f"What would give these numbers: {why.title} ({why.code}).")
    lines += [f"Note: {note}." for note in found.notes]
    if not found.complete:
        lines.append("Time ended the search: a smaller case may exist.")
    yield "## How it was found\n\n" + "\n".join(_marked(line) for line in lines)


def _origin(found: Reduced) -> str:
    if found.layer is None:
        return "a model whose layers are right one by one"
    number = found.check.counts["layers"]
    return f"layer {found.layer.name!r} of a model, the first that fails of {number} that were compared"
