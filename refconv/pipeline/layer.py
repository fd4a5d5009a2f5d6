"""One layer: its call judged, beside the reference's own runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from refconv.compare.declared import SINGLE, declare
from refconv.compare.drift import apart, drift
from refconv.compare.power import with_power
from refconv.compare.recorded import Seen, judge_call, seen_of
from refconv.compare.remarks import draws
from refconv.graph import Node
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.pipeline.options import Options
from refconv.reference.forward import weights_of
from refconv.reference.runs import Runs
from refconv.result import LayerResult, Verdict
from refconv.trace import Call, Trace


@dataclass(frozen=True)
class Checking:
    """What judging any layer of one model takes."""

    runs: Runs
    context: Context
    options: Options

    def ready(self, node: Node) -> bool:
        """Whether a node's values and σ can be had before the framework's: a float32 layer with a reference."""
        if node.attrs is None or TABLE[node.type].steps is not None:
            return False
        declared = declare(node, {}, self.options.mode, self.options.arithmetic)
        return declared.candidates[:1] == (SINGLE,)

    def layer(self, node: Node, call: Call | None, trace: Trace, *, wanted: bool) -> LayerResult:
        """The node's result; the runs go on with the reference's own values, or the framework's where there is none."""
        found = seen_of(node, call, trace) if call else Seen((), (), {}, {})
        result = LayerResult(
            *(node.index, node.name, node.layer, node.type, Verdict.UNVERIFIED),
            nondeterministic=draws(node),
        )
        if node.attrs is None:
            self.runs.skip(node, found.outputs)
            return replace(result, reason=node.reason or "no reference for this layer")
        weights = weights_of(node)
        declared = declare(node, trace.environment, self.options.mode, self.options.arithmetic)
        own = self.runs.values(node, weights.applied)
        values = found.outputs if own.values is None else own.values
        begun = time.perf_counter()
        judged = judge_call(node, call if wanted else None, weights, declared, trace, self.context)
        isolated = time.perf_counter() - begun
        self.runs.go_on(node, weights.applied, values, judged.sigma or apart(values, found.outputs))
        result = replace(result, verdict=judged.verdict, reason=judged.reason)
        if call is None or not judged.outputs:
            return result
        result = replace(
            result,
            outputs=judged.outputs,
            weights=judged.weights,
            arithmetic=declared.name,
            chained=drift(values, found.outputs) if own.values is not None else None,
            seconds={"chained": own.seconds, "isolated": isolated, "framework": call.seconds},
        )
        if not self.options.power:
            return result
        given, got, steps = found.inputs, found.outputs, found.steps
        return with_power(result, node, weights, given, got, steps, self.context, judged.candidates)
