"""Every row of the table beside Keras 3 on one backend: a program of its own, since the backend is fixed at import.

    KERAS_BACKEND=jax python -m support.survey [EXAMPLES [ROW …]]

prints one JSON line for each layer that lies outside its probable bound, has another shape or cannot be computed, then
one with the counts.
"""

from __future__ import annotations

import json
import os
import pkgutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import support
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import laws
from support.laws import APART, Case, Run, draw_inputs, run_row

from refconv.compare.stage1 import deviate
from refconv.formats.calling import DRAWING

BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")


def cases() -> dict[str, st.SearchStrategy[Case]]:
    modules = [m.name for m in pkgutil.iter_modules(support.__path__) if m.name.startswith("cases")]
    found = {name: s for m in modules for name, s in import_module(f"support.{m}").CASES.items()}
    return {name: found[name] for name in sorted(found) if name not in DRAWING}


def call(layer: Any, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The layer's outputs, as `predict` would compute them."""
    import keras

    tensors = [keras.ops.convert_to_tensor(x) for x in inputs]
    several = type(layer).__name__ in (*APART, "GroupedQueryAttention")

    def run(*xs: Any) -> Any:
        return layer(*xs) if several else layer(xs[0] if len(xs) == 1 else list(xs))

    if BACKEND == "jax":
        import jax

        run = jax.jit(run)
    result = run(*tensors)
    listed = result if isinstance(result, (list, tuple)) else [result]
    return tuple(np.asarray(keras.ops.convert_to_numpy(y)) for y in listed)


def told(run: Run) -> str:
    """What is wrong with a layer's outputs, "" if nothing is."""
    try:
        outputs = run.outputs
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
    for enclosure, output in zip(run.enclosures, outputs, strict=True):
        if enclosure.mid.shape != output.shape:
            return f"shape {output.shape}, not {enclosure.mid.shape}"
        deviation = deviate(enclosure, output)
        if deviation.outside.any():
            used, error = float(np.max(deviation.used)), float(np.max(deviation.error))
            outside = np.count_nonzero(deviation.outside)
            return f"{outside} of {output.size} outside, {used:.3g} of the bound, {error:.3g}"
    return ""


def survey(name: str, strategy: st.SearchStrategy[Case], examples: int) -> Iterator[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy, st.integers(0, 2**16))
    def one(case: Case, seed: int) -> None:
        if 3 not in case.majors or case.package == "qkeras":
            return
        try:
            run = run_row(name, case.config, draw_inputs(case, seed), 3, seed, case.package)
            if BACKEND == "tensorflow" and run.misplaces_bias:
                return
            said = told(run)
        except Exception as error:
            said = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
        found.append({"row": name, "config": dict(case.config), "shapes": case.shapes, "seed": seed, "said": said})

    one()
    yield from found


def main(examples: int, names: Sequence[str]) -> None:
    laws._call = call
    counts: Counter[str] = Counter()
    for name, strategy in cases().items():
        if names and name not in names:
            continue
        for line in survey(name, strategy, examples):
            counts["tried"] += 1
            if line["said"]:
                counts["differ"] += 1
                print(json.dumps(line, default=str), flush=True)
    print(json.dumps({"backend": BACKEND, **counts}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2:])
