"""The slope test on real models: what healthy layers show, and which scale errors of a whole layer it finds.

    python benchmarks/slopes.py MODEL… [--seeds 5] [--mode graph --mode eager] [--json FILE]

A scale error is planted by dividing the reference's weights and bias by 1 + error, rounded to float32: the framework's
are then larger by that, as a wrong file or a wrong quantizer's would be. The framework runs once per seed and mode.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # tf.keras, which QKeras imports, is Keras 2; `import keras` is Keras 3 still
sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

from support.live import capture_live, framework  # noqa: E402

from refconv import formats  # noqa: E402
from refconv.compare.direction import direction  # noqa: E402
from refconv.compare.match import match  # noqa: E402
from refconv.compare.slope import LEAST, applies, measure  # noqa: E402
from refconv.compare.stage1 import deviate  # noqa: E402
from refconv.frameworks.worker.loading import load_model  # noqa: E402
from refconv.graph import Graph, Node  # noqa: E402
from refconv.numerics.moments import Need  # noqa: E402
from refconv.ops.base import Context  # noqa: E402
from refconv.pipeline import Options, draw_inputs  # noqa: E402
from refconv.primitives.numpy_engine import ENGINE  # noqa: E402
from refconv.reference.forward import forward, weights_of  # noqa: E402
from refconv.trace import Trace  # noqa: E402

ERRORS = (0.0, 2.4e-7, 1e-6)


@dataclass(frozen=True)
class Row:
    """One layer of one run, with its weights off by `error`; `found` says why it would be suspect."""

    model: str
    mode: str
    seed: int
    layer: str
    type: str
    error: float
    slope: float
    limit: float
    mean: float
    count: int
    found: str
    by_element: bool  # some element alone leaves its probable bound


def layers(graph: Graph, trace: Trace, context: Context) -> Iterator[tuple[Node, dict[str, np.ndarray], list, list]]:
    """Every layer that the test applies to: its node, weights, inputs and outputs as the framework had them."""
    for index, call in match(graph, trace).items():
        node = graph.nodes[index]
        if node.attrs is not None and applies(node, context):
            recorded = {name: trace.tensors[key] for name, key in call.weights}
            fed = [trace.tensors[key] for key in call.inputs[: len(node.inputs)]]
            yield node, {**weights_of(node).applied, **recorded}, fed, [trace.tensors[key] for key in call.outputs]


def scaled(weights: dict[str, np.ndarray], error: float) -> dict[str, np.ndarray]:
    """Without those that are multiplied before another one: a separable convolution's depthwise kernel."""
    kept = ("depthwise_kernel",)
    return {k: w if k in kept else (w / np.float64(1 + error)).astype(np.float32) for k, w in weights.items()}


def runs(path: Path, seeds: int, modes: list[str]) -> Iterator[Row]:
    graph = formats.load(path)
    model = load_model(framework(graph.keras), str(path), graph.qkeras)
    context = Context(ENGINE, need=Need.PROBABLE, seeded=True)
    for mode in modes:
        for seed in range(seeds):
            arrays = draw_inputs(graph, None, Options(seed=seed, mode=mode))
            trace = capture_live(model, arrays, keras=graph.keras, mode=mode)
            for node, weights, fed, (got, *_) in layers(graph, trace, context):
                for error in ERRORS:
                    used = scaled(weights, error) if error else weights
                    enclosure = forward(node, used, fed, context)[0]
                    trend = measure(enclosure, got, direction(node, used, fed, context, enclosure.mid))
                    if trend is not None and trend.count >= LEAST:
                        yield Row(
                            *(path.name, mode, seed, node.name, node.type, error),
                            *(trend.slope, trend.limit, trend.mean, trend.count, trend.reason),
                            by_element=bool(deviate(enclosure, got).outside.any()),
                        )


def summary(rows: list[Row]) -> Iterator[str]:
    for error in ERRORS:
        these = [row for row in rows if row.error == error]
        found, alone = [r for r in these if r.found], sum(r.by_element for r in these)
        largest = max((abs(r.slope) for r in these if r.limit <= 1.5), default=0.0)
        loose = sum(r.limit > 1.5 for r in these)
        yield (
            f"error {error:g}: {len(these)} layers, {len(found)} found by slope or mean, {alone} by an element alone; "
            f"largest |slope| {largest:.3g}u where the limit is 1.5u; a wider limit for {loose}"
        )
        for row in (found if error == 0 else [r for r in these if not r.found])[:20]:
            place = f"{row.model} {row.layer} ({row.type}), {row.mode}, seed {row.seed}"
            yield f"    {place}: slope {row.slope:.3g}u of {row.limit:.3g}u, mean {row.mean:.3g}σ, {row.count} outputs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--mode", action="append", choices=["graph", "eager", "xla"])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows: list[Row] = []
    for path in arguments.models:
        rows += runs(path, arguments.seeds, arguments.mode or ["graph", "eager"])
        print(f"{path.name}: {len(rows)} rows", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
    print("\n".join(summary(rows)))


if __name__ == "__main__":
    main()
