"""One layer: its call judged, beside the reference's own runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from refconv.compare.declared import SINGLE, Declared, declare
from refconv.compare.drift import apart, drift
from refconv.compare.layer import Judgement, judge
from refconv.compare.power import with_power
from refconv.compare.probe import attach, judge_probe
from refconv.graph import Node
from refconv.ops.base import Context
from refconv.ops.slots import draws
from refconv.ops.table import TABLE
from refconv.pipeline.calls import Seen, seen
from refconv.pipeline.options import Options
from refconv.reference.forward import NodeWeights, weights_of
from refconv.reference.runs import Runs
from refconv.result import LayerResult, Verdict
from refconv.trace import Call, Trace, accelerator


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
        found = seen(node, call, trace) if call else Seen((), (), {}, {})
        result = LayerResult(
            *(node.index, node.name, node.layer, node.type, Verdict.UNVERIFIED),
            nondeterministic=node.attrs is not None and draws(node.attrs),
        )
        if node.attrs is None:
            self.runs.skip(node, found.outputs)
            return replace(result, reason=node.reason or "no reference for this layer")
        weights = weights_of(node)
        declared = declare(node, trace.environment, self.options.mode, self.options.arithmetic)
        own = self.runs.values(node, weights.applied)
        values = found.outputs if own.values is None else own.values
        begun = time.perf_counter()
        judged = self._judged(node, call if wanted else None, found, weights, declared)
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
        if self.options.power:
            context = replace(self.context, arithmetic=declared.candidates[0])
            result = with_power(result, node, weights, found.inputs, found.outputs, found.steps, context)
        return result

    def _judged(
        self, node: Node, call: Call | None, found: Seen, weights: NodeWeights, declared: Declared
    ) -> Judgement:
        """The layer on the framework's own inputs to it, or why that cannot be had."""
        if call is None:
            return Judgement(Verdict.UNVERIFIED, reason="the framework gave no output for this layer")
        if declared.reason:
            return Judgement(Verdict.UNVERIFIED, reason=declared.reason)
        if len(call.inputs) < len(node.inputs):
            return Judgement(Verdict.UNVERIFIED, reason="the framework's inputs to this layer could not be matched")
        given, got = found.inputs, found.outputs
        return judge(node, weights, found.weights, given, got, self.context, declared, found.steps)

    def probed(self, node: Node, result: LayerResult, call: Call | None, trace: Trace) -> LayerResult:
        """The result with that of the layer's probe, where there is one for its path and input shape."""
        if node.attrs is None or call is None or not call.inputs:
            return result
        shape, gpu = trace.tensors[call.inputs[0]].shape, accelerator(trace.environment) is not None
        for probe in trace.probes:
            if (probe.layer, probe.shape) == (node.layer, shape):
                return attach(result, judge_probe(node, probe, trace.tensors, self.context, gpu=gpu))
        return result
