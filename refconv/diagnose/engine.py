"""Which altered conventions give what was observed: every rule alone, then two rules together.

The order of what is found, the simplest first: one change before two; then the rule with fewer alternatives (a bias
that is missing says more than one of forty that other layers have); then the rule's place in the table; then the
alternative's place in the rule.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.diagnose.fit import Fit, fit, unchanged
from refconv.diagnose.narrow import Part, computable, part_of
from refconv.diagnose.rule import Change, Question, Rule
from refconv.diagnose.rules.table import RULES
from refconv.errors import RefconvError
from refconv.ops.base import Context
from refconv.ops.table import TABLE

SECONDS = 10.0  # from the beginning, when no more pairs of rules are tried; single ones all are
CLOSER = 0.5  # a change explains nothing that leaves more than this share of the error it found
MOST = 128  # alternatives of one rule


@dataclass(frozen=True)
class Found:
    """One explanation: the rules, what each changed, and how well the whole fits."""

    rules: tuple[Rule, ...]
    changes: tuple[Change, ...]
    fit: Fit
    alternatives: int  # that the rules proposed

    @property
    def last(self) -> Change:
        """All changes together."""
        return self.changes[-1]


@dataclass(frozen=True)
class Attempt:
    """What was tried and does not explain it: the error that is left, in units of the bound."""

    rule: Rule
    label: str
    left: float


@dataclass(frozen=True)
class Diagnosis:
    """What was found of one question, and what was tried.

    Attributes:
        before: how what was observed lies beside the layer as the model says.
        same: changes that alter nothing here, so that no output could tell.
        pairs: how many pairs of changes were tried.
        complete: False where time did not suffice for all pairs.
    """

    before: Fit
    found: tuple[Found, ...] = ()
    tried: tuple[Attempt, ...] = ()
    same: tuple[Attempt, ...] = ()
    pairs: int = 0
    complete: bool = True


def diagnose(
    question: Question, context: Context, *, rules: Sequence[Rule] = RULES, seconds: float = SECONDS
) -> Diagnosis:
    """Every rule's changes, each computed; those that give what was observed are found.

    Rules that compute the model anew from its input are asked where no other explains it.

    A change is found only if the layer as the model says does not give what was observed, if the altered one does, by
    the bounds of `check` on all that was observed, and if it came closer in value, not by a wider bound.

    Raises:
        UnreadableModel: the layer cannot be computed as the model says.
    """
    deadline = time.monotonic() + seconds
    before = fit(question, unchanged(question), context)
    if before.good:
        return Diagnosis(before)
    part = part_of(question, before.index if not before.weight else ())
    search = _Search(question, context, before, part)
    singles = search.alone([rule for rule in rules if not rule.reruns])
    if not search.found:
        singles += search.alone([rule for rule in rules if rule.reruns])
    if not search.found:
        search.pairs(singles, rules, deadline)
    order = {rule.code: place for place, rule in enumerate(rules)}
    found = sorted(search.found, key=lambda f: (len(f.rules), f.alternatives, [order[r.code] for r in f.rules]))
    distinct: dict[tuple[str, ...], Found] = {}
    for one in found:
        distinct.setdefault(tuple(rule.code for rule in one.rules), one)
    tried = sorted(search.tried, key=lambda a: a.left)
    return Diagnosis(before, tuple(distinct.values()), tuple(tried), tuple(search.same), search.count, search.complete)


class _Search:
    """What was found so far."""

    def __init__(self, question: Question, context: Context, before: Fit, part: Part | None) -> None:
        self.question, self.before, self.part = question, before, part
        self.context, self.quick = context, replace(context, seeded=False)
        self.found: list[Found] = []
        self.tried: list[Attempt] = []
        self.same: list[Attempt] = []
        self.count, self.complete = 0, True

    def proposed(self, question: Question, rule: Rule) -> list[Change]:
        """The rule's changes of the question's case, each once, without those that change nothing."""
        distinct: list[Change] = []
        for change in _propose(rule, question):
            if change.within and change.case.same(question.case):
                if question is self.question:
                    self.same.append(Attempt(rule, change.label, self.before.used))
            elif not any(_alike(change, other) for other in distinct):
                distinct.append(change)
            if len(distinct) == MOST:
                break
        return distinct

    def alone(self, rules: Sequence[Rule]) -> list[tuple[Rule, list[Change]]]:
        """Try each rule's changes; returns those that were proposed."""
        singles = [(rule, changes) for rule in rules if (changes := self.proposed(self.question, rule))]
        for rule, changes in singles:
            for change in changes:
                self.single(rule, change, len(changes))
        return singles

    def single(self, rule: Rule, change: Change, alternatives: int) -> None:
        left = computable(self.question, change, self.part, self.quick)
        after = self._explained(change) if left <= 1 else None
        if after is not None and after.good:
            self.found.append(Found((rule,), (change,), after, alternatives))
        else:
            self.tried.append(Attempt(rule, change.label, left if after is None else after.used))

    def pairs(self, singles: Sequence[tuple[Rule, list[Change]]], rules: Sequence[Rule], deadline: float) -> None:
        """Every change of one rule, and of that call every change of a later rule, until one pair explains it."""
        for place, rule in enumerate(rules):
            for first in next((changes for r, changes in singles if r is rule), []):
                if not first.within:
                    continue
                for other in rules[place + 1 :]:
                    if time.monotonic() > deadline:
                        self.complete = False
                        return
                    self._pair(rule, first, other, deadline)

    def _pair(self, rule: Rule, first: Change, other: Rule, deadline: float) -> None:
        seconds = self.proposed(self.question.of(first.case), other)
        for second in seconds:
            self.count += 1
            if computable(self.question, second, self.part, self.quick) <= 1:
                after = self._explained(second)
                if after is not None and after.good:
                    self.found.append(Found((rule, other), (first, second), after, len(seconds)))
            if time.monotonic() > deadline:
                return

    def _explained(self, change: Change) -> Fit | None:
        """How all that was observed lies beside the altered call; None where it came no closer."""
        try:
            after = fit(self.question, change, self.context)
        except RefconvError:
            return None
        return after if after.error <= CLOSER * self.before.error or not after.good else None


def _propose(rule: Rule, question: Question) -> Iterator[Change]:
    """What the rule proposes, as far as it can: a call may lack what the altered one needs."""
    try:
        yield from rule.propose(question)
    except RefconvError:
        return


def _alike(one: Change, other: Change) -> bool:
    """Whether nothing tells them apart; a few places first, since kernels may be large."""
    plain = one.within and other.within and _print(one) == _print(other)
    return plain and one.case.same(other.case) and _stored(one, other)


def _print(change: Change) -> list[bytes]:
    arrays = [*change.case.weights.values(), *change.case.inputs]
    return [np.asarray(a.flat[:: max(a.size // 64, 1)]).tobytes() for a in arrays]


def _stored(one: Change, other: Change) -> bool:
    return TABLE[one.case.node.type].slots is None or one.case.stored is other.case.stored
