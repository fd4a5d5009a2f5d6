"""The reference's time and TensorFlow's, layer by layer, on a CPU, and on a GPU where TensorFlow sees one.

    python benchmarks/framework.py [MODEL …] [--batch 1] [--rounds 5] [--slowest 15] [--quick] [--zoo DIR]
                                   [--json FILE] [--markdown FILE]

Each layer is called alone on the input that it had in the model: TensorFlow's layer in a traced function, and the
reference with all that a verdict needs, by both engines, in turn, warm. Milliseconds are medians ± half the
interquartile range; sums are sums of medians. Layers that cannot be called alone are named with the reason.

A model is one of the zoo's (VGG16, ResNet50, MobileNetV2, EfficientNetB0: made with drawn weights in --zoo), a real
model's name in the folder REFCONV_MODELS (else ../shared/models), or a path. Default: the zoo's.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # tf.keras, which QKeras imports, is Keras 2; `import keras` is Keras 3 still
ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests")]

import tensorflow as tf  # noqa: E402
from speed import layer_costs  # noqa: E402
from speed.files import ZOO, find, read  # noqa: E402
from speed.layers import gpu, layers  # noqa: E402
from speed.machine import described, machine  # noqa: E402
from speed.tables import tell  # noqa: E402
from speed.timed import Layer, Untimed  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> None:
    options, before = parse(arguments), machine()
    files, left_out = read(find(options.models or (["MobileNetV2"] if options.quick else ZOO), options.zoo))
    timed: list[Layer] = []
    untimed: list[Untimed] = []
    for file in files:
        for layer in layers(file, options.batch, options.rounds or (2 if options.quick else 5)):
            timed.append(layer) if isinstance(layer, Layer) else untimed.append(layer)
        print(f"{file.name}: {len(timed) + len(untimed)} layers so far", file=sys.stderr, flush=True)
    told = layer_costs.as_json(timed, untimed, options.batch, gpu(tf), before)
    tables = [
        layer_costs.totals(told["models"], "model, ms"),
        layer_costs.totals(told["types"], "type, ms"),
        layer_costs.slowest(timed, options.slowest),
    ]
    tell(tables, _notes(told, left_out), told, options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--slowest", type=int, default=15, metavar="N", help="how many single layers are told")
    parser.add_argument("--quick", action="store_true", help="two rounds of one model")
    parser.add_argument("--zoo", type=Path, default=Path(tempfile.gettempdir()) / "refconv-zoo", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def _notes(told: Mapping, left_out: Mapping[str, str]) -> list[str]:
    return [
        *(f"not timed: {one['model']} {one['name']} ({one['type']}): {one['reason']}" for one in told["not_timed"]),
        *(f"left out: {name}: {why}" for name, why in left_out.items()),
        f"batch {told['batch']}; {told['gpu']}; {described(told['machine'])}",
    ]


if __name__ == "__main__":
    main()
