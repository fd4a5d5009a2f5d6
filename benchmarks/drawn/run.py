"""Blocks of drawn cases, each case through TensorFlow's layer and judged by refconv."""

from __future__ import annotations

import os
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import qkeras
import tensorflow as tf
import tf_keras
from hypothesis import HealthCheck, Phase, given, seed, settings

from drawn.table import ALL
from refconv.errors import FrameworkError
from refconv.ops.table import TABLE
from refconv.result import FAILING, CheckResult, Verdict
from refconv.testing.defects import ONE_ELEMENT, RAISED, defect
from refconv.testing.strategies import ModelCase, ModelMismatch, QuantizerCase
from refconv.testing.strategies.case import LayerCase

PACKAGES = {2: tf_keras, 3: keras}
TRACED, MODELS_TRACED = 10, 4  # every so many cases run in a traced function
Row = dict[str, Any]


@dataclass(frozen=True)
class Block:
    """Cases of one strategy that are drawn together, by a seed of their own."""

    strategy: str
    number: int
    count: int
    seed: int = 0

    @property
    def key(self) -> tuple[str, int, int]:
        return self.strategy, self.number, self.seed


@dataclass
class Tally:
    """What came of the cases of a block."""

    verdicts: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    failures: list[Row] = field(default_factory=list)
    used: float = 0.0
    where: str = ""
    layers: int = 0

    def take(self, verdict: Verdict, used: float, where: str) -> None:
        """One call; `used` is the share of the bound, of layers that round."""
        self.verdicts[verdict.value] += 1
        self.layers += 1
        if verdict not in FAILING and used > self.used:
            self.used, self.where = used, where

    def fail(self, case: Any, major: int, **how: Any) -> None:
        """A failure, unless it is one that TensorFlow is known for."""
        onednn = os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
        if isinstance(case, LayerCase) and (reason := defect(case, keras=major, onednn=onednn)):
            self.known[reason] += 1
        else:
            self.failures.append({"case": repr(case), "keras": major, **how})


def run_block(block: Block) -> Row:
    """One row: how many cases, their verdicts, the largest share of a bound, and every failure in full."""
    strategy, tally, started = ALL[block.strategy], Tally(), time.perf_counter()
    judge = _judge_model if strategy.models else _judge_layer
    count = 0

    @seed(f"{block.strategy} {block.number} {block.seed}")
    @settings(
        max_examples=block.count,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy.cases)
    def attempt(case: Any) -> None:
        nonlocal count
        major = strategy.majors[count % len(strategy.majors)]
        count += 1
        try:
            judge(case, major, count, tally)
        except Exception:  # whatever a framework raises is a failure to be looked at, and the next case is run
            tally.fail(case, major, said=traceback.format_exc()[-3000:])

    attempt()
    return {
        "strategy": block.strategy,
        "number": block.number,
        "seed": block.seed,
        "cases": count,
        "verdicts": dict(tally.verdicts),
        "known": dict(tally.known),
        "failures": tally.failures,
        "used": tally.used,
        "where": tally.where,
        "layers": tally.layers,
        "seconds": round(time.perf_counter() - started, 2),
    }


def _judge_layer(case: LayerCase, major: int, count: int, tally: Tally) -> None:
    traced = count % TRACED < 2  # of each Keras
    judgement = case.judged(_output(case, major, traced))
    rounds = not TABLE[case.keras].exact
    used = max((c.bound_used for c in judgement.outputs if rounds), default=0.0)
    tally.take(judgement.verdict, used, f"{case.keras}, Keras {major}")
    if judgement.verdict in FAILING:
        told = f"{judgement.verdict} {judgement.reason} {judgement.outputs[:1]}"
        tally.fail(case, major, traced=traced, said=told)


def _output(case: LayerCase, major: int, traced: bool) -> np.ndarray:
    layer = case.make(getattr(qkeras if isinstance(case, QuantizerCase) else PACKAGES[major].layers, case.keras))
    call: Callable[..., Any] = tf.function(layer, autograph=False) if traced else layer
    return np.asarray(call(tf.constant(case.x)))


def _judge_model(case: ModelCase, major: int, count: int, tally: Tally) -> None:
    mode = "graph" if count % MODELS_TRACED == 0 else "eager"
    try:
        result = _checked(case, major, mode, tally)
    except ModelMismatch as found:
        result = found.result
        tally.fail(case, major, mode=mode, said=str(found))
    for layer in result.layers:
        used = layer.worst.bound_used if layer.worst and not TABLE[layer.type].exact else 0.0
        tally.take(layer.verdict, used, f"{layer.type}, Keras {major}")


def _checked(case: ModelCase, major: int, mode: str, tally: Tally) -> CheckResult:
    """Eagerly where a traced function meets the one-element defect: which layer has one element no recipe says."""
    try:
        return case.check(PACKAGES[major], qkeras, mode=mode)
    except (FrameworkError, ModelMismatch) as failure:
        concerned = any("Depthwise" in kind or "Separable" in kind for kind in case.kinds)
        if mode == "eager" or not concerned or RAISED not in str(failure):
            raise
        tally.known[ONE_ELEMENT] += 1
        return case.check(PACKAGES[major], qkeras)
