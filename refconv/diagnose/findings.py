"""What was found, as findings that a report can show."""

from __future__ import annotations

from collections.abc import Sequence

from refconv.diagnose.compatible import compatible
from refconv.diagnose.documented import documentation
from refconv.diagnose.engine import Attempt, Diagnosis, Found
from refconv.diagnose.power import NOT_CHANCE, apart, chance
from refconv.diagnose.rule import Question
from refconv.diagnose.rules import (
    rc901_nothing_explains,
    rc902_not_told_apart,
    rc903_too_few_values,
    rc904_compatible,
)
from refconv.diagnose.words import amount, times
from refconv.ops.base import Context
from refconv.result import Finding, Tried

EXCLUDED, UNDECIDED, TOO_FEW = rc901_nothing_explains.RULE, rc902_not_told_apart.RULE, rc903_too_few_values.RULE
COMPATIBLE = rc904_compatible.RULE


def findings(question: Question, diagnosis: Diagnosis, context: Context, command: str = "") -> tuple[Finding, ...]:
    """One finding for each explanation, the simplest first; then what speaks against trusting them.

    None where what was observed is right.
    """
    if diagnosis.before.good:
        return ()
    if not diagnosis.found:
        return (*_compatible(question, diagnosis, context, command), _excluded(diagnosis, command))
    told = [_finding(found, diagnosis, command) for found in diagnosis.found]
    return (*told, *_doubts(question, diagnosis, context, command))


def _finding(found: Found, diagnosis: Diagnosis, command: str) -> Finding:
    said = [documentation(rule) for rule in found.rules]
    named = [_named(rule.name, change.label) for rule, change in zip(found.rules, found.changes, strict=True)]
    before, after = diagnosis.before, found.fit
    as_said, altered = amount(before.error, before.used), amount(after.error, after.used)
    return Finding(
        "+".join(rule.code for rule in found.rules),
        ", and ".join(named),
        f"largest error as the model says: {as_said}; with this change: {altered}",
        " ".join(change.fix or doc.advice for change, doc in zip(found.changes, said, strict=True)),
        line="; ".join(dict.fromkeys(change.line for change in found.changes if change.line)),
        before=before.used,
        after=after.used,
        command=command,
    )


def _compatible(question: Question, diagnosis: Diagnosis, context: Context, command: str) -> tuple[Finding, ...]:
    """That a kernel nobody can simulate might give these values, which is no explanation."""
    names = compatible(question, context)
    if not names:
        return ()
    evidence = f"within the bound of {' or '.join(names)}, which many a fault would keep too"
    fix = documentation(COMPATIBLE).advice
    return (Finding(COMPATIBLE.code, COMPATIBLE.name, evidence, fix, before=diagnosis.before.used, command=command),)


def _named(name: str, label: str) -> str:
    return f"{name}: {label}" if label else name


def _excluded(diagnosis: Diagnosis, command: str) -> Finding:
    count = len(diagnosis.tried)
    pairs = f" and {diagnosis.pairs} pairs of them" if diagnosis.pairs else ""
    unfinished = "" if diagnosis.complete else " (there was no time for all pairs)"
    nearest = "; the nearest leaves " + times(diagnosis.tried[0].left) if count else ""
    return Finding(
        EXCLUDED.code,
        EXCLUDED.name,
        f"{count} changes{pairs} were tried{unfinished}, and none gives these values{nearest}",
        documentation(EXCLUDED).advice,
        before=diagnosis.before.used,
        command=command,
        tried=tuple(_tried(attempt) for attempt in _nearest(diagnosis.tried)),
    )


def _nearest(tried: Sequence[Attempt]) -> list[Attempt]:
    """Of each rule what came nearest, the nearest first."""
    found: dict[str, Attempt] = {}
    for attempt in tried:
        found.setdefault(attempt.rule.code, attempt)
    return list(found.values())


def _tried(attempt: Attempt) -> Tried:
    return Tried(attempt.rule.code, _named(attempt.rule.name, attempt.label), attempt.left)


def _doubts(question: Question, diagnosis: Diagnosis, context: Context, command: str) -> Sequence[Finding]:
    """That the observed values are too few, or do not tell the explanations apart."""
    doubts, codes = [], [found.rules[0].code for found in diagnosis.found]
    tries = len(diagnosis.tried) + len(diagnosis.found) + diagnosis.pairs
    if (probability := chance(question, diagnosis.found[0].last, tries, context)) > NOT_CHANCE:
        count = sum(o.values.size for o in question.observed)
        evidence = f"{tries} changes were tried, and one of them fits by chance with a probability of {probability:.2g}"
        title, fix = f"{TOO_FEW.name}: {count} observed", documentation(TOO_FEW).advice
        doubts.append(Finding(TOO_FEW.code, title, evidence, fix, command=command))
    if len(diagnosis.found) > 1 and (place := apart(question, [f.last for f in diagnosis.found], context)):
        where = "[" + ",".join(map(str, place)) + "]"
        title = f"these values cannot tell {' from '.join(codes)}"
        evidence = f"all of them fit what was observed; they differ most at {where}, which was not"
        doubts.append(Finding(UNDECIDED.code, title, evidence, f"Give the output at {where} too.", command=command))
    return doubts
