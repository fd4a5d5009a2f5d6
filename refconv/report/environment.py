"""What is usable here, for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refconv import __version__
from refconv.report import summary
from refconv.report.text import printable


def render(found: Mapping[str, Mapping[str, Any]]) -> str:
    """One paragraph per framework of `frameworks.probe()`: usable with which versions and devices, or why not."""
    lines = [f"refconv {__version__}"]
    for name, framework in found.items():
        if not framework["usable"]:
            lines.append(f"{name}: not usable: {printable(framework['reason'])}")
            continue
        lines.append(f"{name}: usable: {summary.environment(framework['environment'])}")
        lines += [f"    {printable(line)}" for line in _devices(framework["environment"])]
    return "\n".join(lines) + "\n"


def _devices(environment: Mapping[str, Any]) -> list[str]:
    """One line per device."""
    return [
        ", ".join(filter(None, _device(device, environment.get("cpu") or {})))
        for device in environment.get("devices") or []
    ]


def _device(device: Mapping[str, Any], cpu: Mapping[str, Any]) -> list[str]:
    if device["type"] == "CPU":
        return ["CPU", cpu.get("name", ""), " ".join(cpu.get("instruction_sets", ()))]
    capability = device.get("compute_capability")
    return [
        f"{device['type']} {device['index']}",
        device.get("name", ""),
        f"compute capability {capability}" if capability else "",
    ]
