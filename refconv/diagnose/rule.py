"""What a rule is: one convention, and the layer calls in which it is another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.declared import SINGLE, Candidates
from refconv.diagnose.observation import Observation
from refconv.graph import Graph
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context, Weights

Rerun = Callable[[Sequence[np.ndarray]], "tuple[np.ndarray, ...] | None"]


@dataclass(frozen=True)
class Question:
    """One layer call that gave something else than it should.

    Attributes:
        case: the call as the model says, on the inputs at hand.
        observed: what was got instead, of each output in turn, and after them of each step of a layer made of steps.
        effective: of a quantized layer, the reference's own effective weights.
        recorded: the effective weights that the framework says it used; empty where nobody says.
        graph: the whole model, for the weights of other layers; None where it is not at hand.
        also: stored weights of the same layer in other files, by file.
        candidates: the arithmetic that is allowed: an output conforms if it is right in any of them.
        model_inputs: what the model was fed; empty where only the layer's inputs are known.
        rerun: other inputs of the model → the layer's inputs then; None where only the layer's are known.
    """

    case: Case
    observed: tuple[Observation, ...]
    effective: Mapping[str, Enclosure] = field(default_factory=dict)
    recorded: Weights = field(default_factory=dict)
    graph: Graph | None = None
    also: Mapping[str, Weights] = field(default_factory=dict)
    candidates: Candidates = (SINGLE,)
    model_inputs: tuple[np.ndarray, ...] = ()
    rerun: Rerun | None = None

    @property
    def attrs(self) -> Any:
        return self.case.attrs

    def of(self, case: Case) -> Question:
        """The same question of another call."""
        return replace(self, case=case)


@dataclass(frozen=True)
class Change:
    """One altered layer call that a rule proposes.

    Attributes:
        label: what is altered, in few words ("HWOI", "one integer bit more"); "" where the rule's name says it all.
        case: the altered call.
        fix: one sentence; the rule's own where it is "".
        line: a line of code that does it right, where one helps.
        arithmetic: another arithmetic, where that is what is altered.
        after: what moves the elements of the output (a transposition, a cut), after the altered call.
        then: what is computed from the output, after the altered call and before `after`.
    """

    label: str
    case: Case
    fix: str = ""
    line: str = ""
    arithmetic: Arithmetic | None = None
    after: Callable[[np.ndarray], np.ndarray] | None = None
    then: Callable[[Enclosure, Context], Enclosure] | None = None

    @property
    def within(self) -> bool:
        """Whether the altered call says all: the same layer with other attributes, weights or inputs."""
        return self.arithmetic is None and self.plain

    @property
    def plain(self) -> bool:
        """Whether nothing follows the altered call."""
        return self.after is None and self.then is None


Propose = Callable[[Question], Iterable[Change]]


@dataclass(frozen=True)
class Rule:
    """One convention that an implementation may take for another.

    Attributes:
        code: RC and three digits, the first its family's.
        name: states the defect.
        doc: the docstring of the rule's file: see `documented`.
        propose: question → the altered calls; none where the layer has nothing to alter.
        reruns: it computes the layers before this one anew, which may take long.
    """

    code: str
    name: str
    doc: str = field(repr=False)
    propose: Propose = field(repr=False)
    reruns: bool = False


def nothing(question: Question) -> tuple[Change, ...]:
    """Of rules that no altered call stands for: other runs, or the search itself, speak for them."""
    return ()
