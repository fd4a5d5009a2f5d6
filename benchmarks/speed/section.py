"""The README's section on performance, made of the benchmarks' JSON files and of nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from speed import layer_costs
from speed.costs import MEGABYTE, times
from speed.machine import described
from speed.peers import REFCONV
from speed.tables import Table

BEGIN, END = "<!-- performance: written by benchmarks/readme.py -->", "<!-- end of performance -->"
GOAL = re.compile(r"(?P<what>.*) \(goal (?P<goal>[\d.]+)\)")
SENSE = {"kernels": "≥", "check": "≤"}  # rates and ratios to peers are to be high, costs low

Told = Mapping[str, Any]


def rewritten(readme: str, section: str) -> str:
    """The README with the part between its two markers replaced.

    Raises:
        ValueError: it has not exactly one of each, in this order.
    """
    begin, end = readme.find(BEGIN), readme.find(END)
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or begin > end:
        raise ValueError(f"the README needs one line {BEGIN!r} and behind it one {END!r}")
    return f"{readme[:begin]}{BEGIN}\n\n{section}\n\n{readme[end:]}"


def section(found: Iterable[Told]) -> str:
    """Of the results of `kernels.py`, `check.py` and `framework.py`, in this order, each of them once or not at all."""
    by_name = {told.get("benchmark", "kernels"): told for told in found}
    parts = [_machines(by_name)]
    if (goals := _goals(by_name)).rows:
        parts.append(goals.markdown())
    parts += [text for name, write in WRITERS.items() if name in by_name for text in write(by_name[name])]
    return "\n\n".join(parts)


def _machines(by_name: Mapping[str, Told]) -> str:
    """One line where all were measured on one machine, without the load, which the JSON files hold."""
    lines: dict[str, list[str]] = {}
    for name, told in by_name.items():
        machine = {key: value for key, value in told["machine"].items() if key != "load" and value != "absent"}
        gpu = f"; {told['gpu']}" if "gpu" in told else ""
        lines.setdefault(described(machine), []).append(f"`benchmarks/{name}.py`{gpu}")
    return "\n".join(f"{', '.join(names)}: {machine}." for machine, names in lines.items())


def _goals(by_name: Mapping[str, Told]) -> Table:
    rows = []
    for name, told in by_name.items():
        for words, value in told.get("promised", {}).items():
            parts = GOAL.fullmatch(words)
            assert parts, words
            rows.append([parts["what"], f"{SENSE[name]} {parts['goal']}", times(value)])
    return Table(["promised", "goal", "measured"], rows)


def _kernels(told: Told) -> Iterator[str]:
    """By kind of layer: the rate, and how many times as long each peer takes (geometric means)."""
    kinds: dict[str, list[Told]] = {}
    for layer in told["layers"]:
        kinds.setdefault(layer["kind"], []).append(layer)
    names = list(dict.fromkeys(name for layer in told["layers"] for name in layer["peers"]))
    rows = []
    for kind, layers in kinds.items():
        rate = _mean(layers, lambda layer: layer["peers"][REFCONV]["gflops"])
        ratios = [_mean(layers, lambda layer, name=name: layer["peers"][name]["times_refconv"]) for name in names[1:]]
        rows.append([kind, str(len(layers)), *map(times, (rate, *ratios))])
    heads = ["kind of layer", "shapes", "refconv GFLOP/s", *(f"{name}, times its time" for name in names[1:])]
    yield Table(heads, rows).markdown()


def _mean(layers: Sequence[Told], of: Callable[[Told], float]) -> float | None:
    """Geometric, over the layers that the peer computes."""
    values = []
    for layer in layers:
        try:
            values.append(of(layer))
        except KeyError:
            continue
    return float(np.exp(np.mean(np.log(values)))) if values else None


def _check(told: Told) -> Iterator[str]:
    """Each model at its smallest and largest batch, then the lines in the batch, then whatever did not pass."""
    batches: dict[str, list[int]] = {}
    for row in told["rows"]:
        batches.setdefault(row["model"], []).append(row["batch"])
    shown = {model: (min(found), max(found)) for model, found in batches.items()}
    rows = [_check_cells(row) for row in told["rows"] if row["batch"] in shown[row["model"]]]
    yield Table(["model", "batch", "plain s", "`check` s", "ratio", "plain MB", "`check` MB", "ratio"], rows).markdown()
    grown = [_growth_cells(model, found) for model, found in told["growth"].items() if found]
    if grown:
        yield Table(["model", "`check` s", "farthest off", "one more sample, times plain"], grown).markdown()
    for row in told["rows"]:
        for side in ("plain", "check"):
            if row[side]["exit_code"]:
                ended = f"{side} ends with {row[side]['exit_code']}: {row[side]['said']}"
                yield f"{row['model']}, batch {row['batch']}: {ended}"
    if told["weights"]:
        both = [f"{told['weights'][name]['seconds']:.2f} s" for name in ("weights", "cat")]
        yield f"`refconv weights` on the VGG16 file takes {both[0]}, `cat` {both[1]}. Memory is {told['memory']}."


def _check_cells(row: Told) -> list[str]:
    plain, check = row["plain"], row["check"]
    return [
        *(row["model"], str(row["batch"])),
        *(f"{plain['seconds']:.1f}", f"{check['seconds']:.1f}", times(row["slower"])),
        *(f"{side['peak_bytes'] / MEGABYTE:.0f}" for side in (plain, check)),
        times(row["larger"]),
    ]


def _growth_cells(model: str, found: Told) -> list[str]:
    line = found["check"]
    return [model, f"{line['fixed']:.1f} + {line['each']:.2f}·N", f"{line['off']:.0%}", times(found["marginal"])]


def _framework(told: Told) -> Iterator[str]:
    yield layer_costs.totals(told["models"], f"layers one by one, batch {told['batch']}, ms").markdown()
    kinds = {str(one["type"]) for one in told["not_timed"]}
    if kinds:
        yield f"Not called alone: {len(told['not_timed'])} layers ({', '.join(sorted(kinds))})."


WRITERS = {"kernels": _kernels, "check": _check, "framework": _framework}
