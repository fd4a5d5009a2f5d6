"""What `refconv check` costs beside a plain script that loads the model and predicts the same batch.

    python benchmarks/check.py [--models NAME …] [--real] [--batches 1 2 4 8 16] [--rounds 3] [--growth-rounds 1]
                               [--quick] [--no-weights] [--zoo DIR] [--json FILE] [--markdown FILE]

Both run as processes of their own, in turn, after a warm-up of both (kernels are then compiled, files in memory).
Seconds are wall time, medians ± half the interquartile range; MB are 10⁶ bytes, the highest sum of PSS over the process
and all its descendants, sampled every 20 ms. The exit column names whatever did not end with 0; goals count only what
passed. `refconv weights` is timed beside `cat` on the VGG16 file.

A name is one of the zoo's (VGG16, ResNet50, MobileNetV2, EfficientNetB0: made with drawn weights in --zoo), that of a
real model in the folder REFCONV_MODELS (else ../shared/models), or a path. --real adds all real models, at the
first batch alone, in as many rounds as the growth has.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]

from speed import costs  # noqa: E402
from speed.beside import Row, weights_beside_cat  # noqa: E402
from speed.beside import beside as measure  # noqa: E402
from speed.files import TINY, ZOO, find, read, real_models  # noqa: E402
from speed.machine import described, machine  # noqa: E402
from speed.memory import KIND  # noqa: E402
from speed.tables import tell  # noqa: E402

BATCHES = (1, 2, 4, 8, 16)
READ = "VGG16"  # whose weights are listed


def main(arguments: Sequence[str] | None = None) -> None:
    options, before = parse(arguments), machine()
    growing = find(options.models, options.zoo)
    others = {name: path for name, path in real_models().items() if options.real and path not in growing.values()}
    files, left_out = read({**growing, **others})
    rows: list[Row] = []
    for file in files:
        if file.name in growing:
            rows += measure(file, options.batches, options.rounds, options.growth_rounds, _tell)
        else:
            rows += measure(file, options.batches[:1], options.growth_rounds, 0, _tell)
    weights = weights_beside_cat(find([READ], options.zoo)[READ], options.rounds) if options.weights else None
    told = costs.as_json(rows, weights, before, KIND)
    tables, notes = [costs.costs(rows), costs.lines(rows)], _notes(told, rows, weights, left_out)
    tell(tables, notes, told, options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", metavar="NAME", help=f"default: {' '.join([*ZOO, TINY])}")
    parser.add_argument("--real", action="store_true", help="all real models too, at the first batch")
    parser.add_argument("--batches", nargs="+", type=int, metavar="N", help="default: 1 2 4 8 16")
    parser.add_argument("--rounds", type=int, help="at the first batch; default 3")
    parser.add_argument("--growth-rounds", type=int, help="at the other batches; default 1")
    parser.add_argument("--quick", action="store_true", help="one round of the two smallest models, batches 1 2 4")
    parser.add_argument("--no-weights", dest="weights", action="store_false", help="leave `refconv weights` out")
    parser.add_argument("--zoo", type=Path, default=Path(tempfile.gettempdir()) / "refconv-zoo", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    options.models = options.models or _models(options.quick)
    options.batches = options.batches or list(BATCHES[:3] if options.quick else BATCHES)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.growth_rounds = options.growth_rounds or 1
    return options


def _models(quick: bool) -> list[str]:
    """Without real models the goal of the small one cannot be measured; the zoo's can."""
    tiny = [TINY] if any(Path(name).stem == TINY for name in real_models()) else []
    return ["MobileNetV2", *tiny] if quick else [*ZOO, *tiny]


def _notes(told: Mapping, rows: Sequence[Row], weights: costs.Weights | None, left_out: Mapping[str, str]) -> list[str]:
    read_in = weights and f"refconv weights {costs.seconds(weights[1])} s, cat {costs.seconds(weights[0])} s ({READ})"
    return [
        *costs.failures(rows, weights),
        *(f"left out: {name}: {why}" for name, why in left_out.items()),
        *([read_in] if read_in else []),
        *(f"{words}: {'not measured' if v is None else f'{v:.2f}'}" for words, v in told["promised"].items()),
        f"memory: {told['memory']}; {described(told['machine'])}",
    ]


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
