"""Hand-made results, one for every verdict and edge that a report has to show."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from refconv.result import (
    CheckResult,
    Comparison,
    Drift,
    Element,
    Finding,
    LayerResult,
    Missed,
    ModelInfo,
    PlainResult,
    Policy,
    Power,
    QuantizedLayer,
    Tried,
    Verdict,
)

MODEL = ModelInfo("model.h5", "hdf5", "2.4.0", "tensorflow", "ab" * 32)
ENVIRONMENT = {"tensorflow": "2.21.0", "onednn": True}


def comparison(verdict: Verdict, error: float = 1e-6, used: float = 0.5, **more: Any) -> Comparison:
    worst = Element((0, 2, 1), 1.5, 1.5 + error, 2e-6)
    return Comparison((1, 4, 4), verdict, verdict is Verdict.EXACT, error, 12.0, used, worst, **more)


def layer(verdict: Verdict, index: int = 1, name: str = "conv", **more: Any) -> LayerResult:
    outputs = () if verdict is Verdict.UNVERIFIED else (comparison(verdict),)
    return LayerResult(index, name, name, "Conv2D", verdict, **{"outputs": outputs, **more})


def result(*layers: LayerResult, plain: PlainResult | None = None, **more: Any) -> CheckResult:
    fed = {"source": "seeded", "samples": 2, "seed": 0, "preprocess": "none", "tensors": [], "notes": []}
    policy = more.pop("policy", Policy())
    return CheckResult(MODEL, layers, plain, ENVIRONMENT, fed, policy=policy, seconds=1.25, **more)


FINDINGS = (
    Finding("RC201", "t", "e", "f", line="y = y + bias", before=inf, after=0.25, command="refconv check model.h5"),
    Finding("RC901", "none", "e", before=3.0, tried=(Tried("RC203", "kernel flipped", inf),)),
)
HOSTILE = "a\x1b[31m[red]<b>&]]>\x00"

RESULTS = {
    "pass": result(layer(Verdict.EXACT), layer(Verdict.WITHIN, 2, "dense"), plain=PlainResult(1e-7, 0.1, ok=True)),
    "fail": result(layer(Verdict.MISMATCH, outputs=(comparison(Verdict.MISMATCH, 0.25, inf, failing=3),))),
    "suspect": result(layer(Verdict.SUSPECT, findings=FINDINGS)),
    "degraded": result(layer(Verdict.DEGRADED, chained=Drift(1e-3, 1e5, 1.0), seconds={"isolated": 0.1})),
    "mixed": result(layer(Verdict.WITHIN, arithmetic="mixed_bfloat16"), layer(Verdict.EXACT, 2, arithmetic="float32")),
    "incomplete": result(layer(Verdict.WITHIN), layer(Verdict.UNVERIFIED, 2, "own", reason="no reference for Own")),
    "vacuous": result(layer(Verdict.VACUOUS, reason="all inputs are zero"), policy=Policy(strict=True)),
    "not finite": result(
        layer(Verdict.MISMATCH, outputs=(comparison(Verdict.MISMATCH, nan, nan),), chained=Drift(inf, 1.0, inf))
    ),
    "two outputs": result(layer(Verdict.WITHIN, outputs=(comparison(Verdict.WITHIN), comparison(Verdict.EXACT)))),
    "a step": result(
        layer(
            Verdict.MISMATCH,
            outputs=(comparison(Verdict.EXACT, 0.0, 0.0), comparison(Verdict.MISMATCH, 0.25, inf, failing=3, name="c")),
        )
    ),
    "weights": result(layer(Verdict.MISMATCH, weights={"kernel": comparison(Verdict.MISMATCH, failing=1)})),
    "plain wrong": result(layer(Verdict.WITHIN), plain=PlainResult(0.5, inf, ok=False, reason="only predict is wrong")),
    "selection": result(layer(Verdict.WITHIN), partial=True),
    "hostile names": result(layer(Verdict.WITHIN, name=HOSTILE), layer(Verdict.UNVERIFIED, 2, HOSTILE, reason=HOSTILE)),
    "quantized": result(
        layer(Verdict.EXACT, outputs=(comparison(Verdict.EXACT, 0.0, 0.0, accumulator_bits=17),)),
        layer(Verdict.WITHIN, 2, "drawn", nondeterministic=True),
        quantized=(QuantizedLayer("conv", {"kernel": "4 bits"}), QuantizedLayer(HOSTILE, {"kernel": "4 bits"})),
    ),
    "power": result(
        layer(
            Verdict.WITHIN,
            power=Power(
                ("kernel flipped", "bias missing"),
                (Missed("bias doubled", 0.5),),
                (),
                (),
                1.5e-5,
                inf,
                "1 of 2 samples",
            ),
        ),
        layer(
            Verdict.VACUOUS,
            2,
            "relu",
            power=Power((), (Missed("layer left out", 0.0, "it changes no output here"),), ("alpha doubled",)),
        ),
        layer(Verdict.EXACT, 3, "pool"),
    ),
    "probe wrong": result(
        layer(
            Verdict.MISMATCH,
            outputs=(comparison(Verdict.WITHIN),),
            probe=comparison(Verdict.MISMATCH, 3.0, inf, failing=2),
            probe_reason="its integer probe differs",
        ),
        layer(Verdict.WITHIN, 2, "right", probe=comparison(Verdict.EXACT, 0.0, 0.0)),
        layer(Verdict.WITHIN, 3, "folded", probe_reason="not probed: folded"),
    ),
    "nothing": result(),
}
