"""Clean runs: nothing is planted, so that every alarm is a false one.

oneDNN and the number of threads are fixed when TensorFlow is imported, so each combination has a process of its own,
which loads every model once. Every finished run is one line of JSON in the folder given, and is not run again.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from support.framework import trace_of
from support.live import framework

from detection.lines import append, read
from detection.models import Model
from refconv.frameworks.worker.capture import LayerFailure, Session, capture
from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.passes import Pass
from refconv.pipeline import Options, draw_inputs, verify
from refconv.result import FAILING, CheckResult, Verdict
from refconv.trace import Trace

MODES = ("graph", "eager", "xla")
ONE_PASS = 1 << 40  # bytes: all layers are recorded by one function, which further seeds run again
Row = dict[str, Any]


@dataclass(frozen=True)
class Environment:
    """What is fixed when TensorFlow is imported."""

    onednn: bool
    threads: int

    @property
    def name(self) -> str:
        return f"onednn{int(self.onednn)}-threads{self.threads}"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "TF_ENABLE_ONEDNN_OPTS": str(int(self.onednn)),
            "OMP_NUM_THREADS": str(self.threads),
            "TF_NUM_INTRAOP_THREADS": str(self.threads),
            "TF_NUM_INTEROP_THREADS": str(self.threads),
        }


ENVIRONMENTS = tuple(Environment(onednn, threads) for onednn, threads in product((True, False), (1, 2)))


@dataclass(frozen=True)
class Run:
    """One run of one model."""

    model: str
    mode: str
    seed: int


def plan(models: Sequence[str], seeds: int, environment: Environment, quick: bool) -> list[Run]:
    """All seeds in all modes; quick: seed 0, each model in one mode, which differs from environment to environment."""
    if not quick:
        return [Run(model, mode, seed) for model in models for seed in range(seeds) for mode in MODES]
    shift = ENVIRONMENTS.index(environment)
    return [Run(model, MODES[(i + shift) % len(MODES)], 0) for i, model in enumerate(models)]


def start(environment: Environment, command: Sequence[str]) -> int:
    """Run this program's `command` in a process of that environment; its exit code."""
    variables = {**os.environ, **environment.variables}
    return subprocess.run([sys.executable, *command], env=variables, check=False).returncode


def limit_threads(threads: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def run_all(models: Sequence[Model], environment: Environment, folder: Path, options: Any) -> None:
    """In the process of `environment`, its threads limited: every run of the plan that the folder does not hold yet."""
    path = folder / f"clean-{environment.name}.jsonl"
    done = {(row["model"], row["mode"], row["seed"]) for row in read(path)}
    wanted = plan([model.label for model in models], options.seeds, environment, options.quick)
    for model in models:
        left = [r for r in wanted if r.model == model.label and (r.model, r.mode, r.seed) not in done]
        for row in run_model(model, left, options.samples):
            append(path, {**row, "onednn": environment.onednn, "threads": environment.threads})
            print(_line(environment, row), flush=True)


def run_model(model: Model, runs: Sequence[Run], samples: int) -> Iterator[Row]:
    """One row per run. What the runs of one mode traced is kept for all of them."""
    kept: dict[str, dict[str, Any]] = {mode: {} for mode in MODES}
    for run in runs:
        started = time.perf_counter()
        options = Options(samples=samples, seed=run.seed, mode=run.mode)
        arrays = draw_inputs(model.graph, None, options)
        trace, failure = record(model, arrays, run.mode, kept[run.mode])
        result = verify(model.graph, trace, arrays, options, seeded=True)
        yield {**asdict(run), **_row(result, failure), "seconds": round(time.perf_counter() - started, 2)}


def record(model: Model, arrays: list[np.ndarray], mode: str, kept: dict[str, Any]) -> tuple[Trace, str]:
    """What the framework gave, and why it stopped where a layer cannot run here ("" where all ran)."""
    stream, traced_before = io.BytesIO(), bool(kept)
    try:
        capture(Again(framework(model.graph.keras), model.live, arrays, mode, kept), ONE_PASS, Channel(stream))
    except LayerFailure as failure:
        kept.clear()
        if traced_before:  # only who traces a function knows the layers that it consists of
            return record(model, arrays, mode, kept)
        return trace_of(stream), f"{failure.layer}: {str(failure).splitlines()[0]}"
    return trace_of(stream), ""


class Again(Session):
    """A session whose traced functions are those of the session before it, so that a further seed is not traced."""

    def __init__(self, framework: Any, model: Any, inputs: list[np.ndarray], mode: str, kept: dict[str, Any]) -> None:
        super().__init__(framework, model, inputs, mode)
        self._kept, self._slot = kept, ""

    def plain(self) -> list[np.ndarray]:
        self._slot = "plain"
        return super().plain()

    def run(self, record: Pass) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
        self._slot = f"pass {record.number}"
        try:
            arrays = super().run(record)
        except LayerFailure:  # the function is traced again, up to the layer that failed
            self._kept.pop(self._slot, None)
            raise
        if self.mode != "eager":
            first = self._kept.setdefault(f"record {record.number}", record)
            record.calls, record.tensors, record.inputs = first.calls, first.tensors, first.inputs
        return arrays

    def _compiled(self, function: Any) -> Any:
        if self.mode == "eager":
            return function
        if self._slot not in self._kept:
            self._kept[self._slot] = super()._compiled(function)
        return self._kept[self._slot]


def _row(result: CheckResult, failure: str) -> Row:
    compared = [(layer, c) for layer in result.layers for c in layer.outputs]
    top = max(compared, key=lambda pair: pair[1].bound_used, default=None)
    return {
        "verdict": result.verdict,
        "counts": result.counts,
        "alarms": [_alarm(layer) for layer in result.layers if _alarming(layer.verdict, failure)],
        "failure": failure,
        "plain_ok": result.plain.ok if result.plain else None,
        "plain_used": result.plain.bound_used if result.plain else None,
        "bound_used": top[1].bound_used if top else 0.0,
        "where": top[0].name if top else "",
        "explained": sum(c.explained for _, c in compared),
    }


def _alarming(verdict: Verdict, failure: str) -> bool:
    """Unverified is an alarm too, but where the framework itself could not go on."""
    return verdict in FAILING or (verdict is Verdict.UNVERIFIED and not failure)


def _alarm(layer: Any) -> Row:
    worst = layer.worst
    used = worst.bound_used if worst else None
    return {
        "layer": layer.name,
        "type": layer.type,
        "verdict": layer.verdict.value,
        "reason": layer.reason,
        "used": used,
    }


def _line(environment: Environment, row: Row) -> str:
    alarms = "; ".join(f"{a['layer']}: {a['verdict']}" for a in row["alarms"]) or row["failure"][:60]
    return (
        f"{environment.name} {row['model'][:36]:36} {row['mode']:5} seed {row['seed']:2} {row['verdict']:10}"
        f" {row['counts']['verified']:3} layers, used {row['bound_used']:.2f} {row['seconds']:6.1f} s  {alarms}"
    )
