"""Hand-made results: one layer of each kind that a report has to show."""

import math

from refconv.result import (
    CheckResult,
    Comparison,
    Drift,
    Element,
    Finding,
    LayerResult,
    ModelInfo,
    PlainResult,
    Policy,
    Verdict,
)

MODEL = ModelInfo("models/net.h5", "hdf5", "2.4.0", "tensorflow", "ab" * 32)
ENVIRONMENT = {
    "python": "3.11.7",
    "numpy": "2.4.6",
    "tensorflow": "2.21.0",
    "keras": "2.21.0",
    "keras_package": "tf-keras",
    "devices": [{"type": "CPU", "device": "/physical_device:CPU:0", "index": 0}],
    "onednn": {"enabled": True, "option": ""},
    "threads": {"intra_op": 0, "inter_op": 0, "cpus": 2},
    "mode": "graph",
}
INPUT = {
    "source": "seeded",
    "samples": 2,
    "seed": 0,
    "preprocess": "none",
    "tensors": [{"name": "x", "dtype": "float32", "shape": [2, 32, 32, 3], "source": "seeded"}],
    "notes": [],
}
SECONDS = {"chained": 0.01, "isolated": 0.025, "framework": 0.0}


def compared(shape, verdict, error=0.0, used=0.0, *, certified=False, ulp=0.0, worst=None, failing=0, explained=0):
    return Comparison(shape, verdict, certified, error, ulp, used, worst, failing, explained)


def layer(name, kind, verdict, *outputs, **rest):
    rest = {"chained": Drift(2.5e-7, 131.42), "seconds": SECONDS, **rest}
    return LayerResult(0, name, name.split("#")[0], kind, verdict, outputs, **rest)


WITHIN = layer("conv2d", "Conv2D", Verdict.WITHIN, compared((2, 32, 32, 16), Verdict.WITHIN, 2.4e-7, 0.31, ulp=3.5))
EXACT = layer("flatten", "Flatten", Verdict.EXACT, compared((2, 64), Verdict.EXACT, certified=True))
MISMATCH = layer(
    "conv2d_3",
    "Conv2D",
    Verdict.MISMATCH,
    compared(
        (2, 8, 8, 64),
        Verdict.MISMATCH,
        0.0310441,
        41234.6,
        ulp=833333.0,
        worst=Element((0, 3, 3, 17), 0.123456789, 0.1545008891, 7.5e-7),
        failing=8190,
    ),
    findings=(Finding("RC101", "SAME padding on the other side", "max error 1.2e-7 when moved", "set padding"),),
)
SUSPECT = layer(
    "batch_normalization",
    "BatchNormalization",
    Verdict.SUSPECT,
    compared(
        (2, 8, 8, 64),
        Verdict.SUSPECT,
        3.1e-7,
        1.8,
        ulp=9.0,
        worst=Element((1, 7, 0, 3), 1.00000001, 1.00000002, 1.7e-7),
        failing=1,
    ),
)
UNVERIFIED = layer(
    "my_layer", "Custom>Swirl", Verdict.UNVERIFIED, chained=None, seconds={}, reason="no reference for this layer"
)
VACUOUS = layer(
    "dense",
    "Dense",
    Verdict.VACUOUS,
    compared((2, 10), Verdict.VACUOUS),
    chained=Drift(0.0, math.inf),
    reason="all inputs are zero, so no weight was exercised",
)
SEVERAL = layer(
    "split",
    "Split",
    Verdict.MISMATCH,
    compared((2, 4), Verdict.WITHIN, 1e-7, 0.1),
    compared((2, 5), Verdict.MISMATCH, math.inf, math.inf, ulp=math.inf, failing=10),
)
PLAIN = PlainResult(4.1e-7, 0.22, ok=True)


def result(*layers, plain=PLAIN, environment=ENVIRONMENT, given=INPUT, partial=False, notes=(), **policy):
    numbered = tuple(LayerResult(**{**vars(found), "index": i + 1}) for i, found in enumerate(layers))
    return CheckResult(MODEL, numbered, plain, environment, given, partial, Policy(**policy), 3.42, notes)


ALL = result(WITHIN, EXACT, MISMATCH, SUSPECT, UNVERIFIED, VACUOUS, SEVERAL)
