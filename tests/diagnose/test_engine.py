"""The search: what is found, in which order, what is excluded, and what a part of an output can tell."""

import numpy as np
from support.asked import CONTEXT, ask, codes, conv, drawn, output, why, with_kernel

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.engine import diagnose
from refconv.diagnose.findings import findings
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Change, Question, Rule


def flipped(of: Case) -> Case:
    return with_kernel(of, of.weights["kernel"][::-1, ::-1].copy())


def unbiased(of: Case) -> Case:
    return of.with_weights(bias=np.zeros_like(of.weights["bias"]))


def told(question: Question) -> list[str]:
    return [f.code for f in findings(question, diagnose(question, CONTEXT), CONTEXT)]


def test_what_is_right_has_no_findings() -> None:
    right = conv()
    found = why(right, output(right))
    assert found.before.good and not found.found and not found.tried
    assert findings(ask(right, output(right)), found, CONTEXT) == ()


def test_one_change_is_found_and_its_evidence_told() -> None:
    right = conv()
    question = ask(right, output(flipped(right)))
    (finding,) = findings(question, diagnose(question, CONTEXT), CONTEXT, "refconv check model.h5")
    assert (finding.code, finding.title) == ("RC203", "kernel flipped")
    assert finding.before is not None and finding.before > 1 and finding.after is not None and finding.after < 1
    assert finding.line and finding.fix and finding.command == "refconv check model.h5"


def test_two_changes_are_found_where_none_alone_explains_it() -> None:
    right = conv()
    found = why(right, output(unbiased(flipped(right))))
    assert codes(found)[0] == "RC203+RC301"
    assert found.pairs > 0


def test_where_nothing_explains_it_what_was_tried_is_told() -> None:
    right = conv()
    question = ask(right, drawn(2, 7, 7, 6, seed=3))
    (finding,) = findings(question, diagnose(question, CONTEXT), CONTEXT)
    assert finding.code == "RC901"
    assert {tried.code for tried in finding.tried} >= {"RC203", "RC204", "RC301"}
    assert len({tried.code for tried in finding.tried}) == len(finding.tried)
    assert all(tried.left > 1 for tried in finding.tried)


def test_a_change_that_alters_nothing_never_fires() -> None:
    right = conv()
    symmetric = right.weights["kernel"] + right.weights["kernel"][::-1, ::-1]
    right = with_kernel(right, symmetric)
    found = why(right, output(right) * np.float32(1.5))
    assert "RC203" not in codes(found) and "RC203" in [same.rule.code for same in found.same]


def test_a_change_that_only_widens_the_bound_never_fires() -> None:
    """Weights in float64 that differ by nothing but a huge term that cancels: the bound is wide, the value the same."""

    def widened(question: Question) -> list[Change]:
        case = question.case
        x = np.concatenate([case.inputs[0], np.full_like(case.inputs[0], 1e6)], axis=-1)
        kernel = case.weights["kernel"]
        more = np.where(np.arange(3)[:, None] == 0, 1.0, 0.0) * np.ones(6)
        both = np.concatenate([kernel, np.broadcast_to(more - more.mean(0), kernel.shape)], axis=2)
        return [Change("", case.with_weights(kernel=both.astype(np.float32)).with_input(x))]

    right = conv(padding="valid")
    rule = Rule("RC999", "wide", __doc__ or "", widened)
    off = output(right) + np.float32(1e-4)
    assert not diagnose(ask(right, off), CONTEXT, rules=(rule,)).found


def part(values: np.ndarray, *at: list[int]) -> Observation:
    places = tuple(np.array(axis) for axis in at)
    return Observation(values[np.ix_(*places)], places)


def test_one_channel_or_one_pixel_is_enough() -> None:
    right = conv()
    wrong = output(flipped(right))
    channel = part(wrong, [0, 1], list(range(7)), list(range(7)), [4])
    pixel = part(wrong, [0], [3], [3], [2])
    assert told(ask(right, channel)) == ["RC203"] and told(ask(right, pixel)) == ["RC203"]


def test_values_that_cannot_tell_two_changes_apart_are_said_to() -> None:
    right = conv()
    wrong = output(flipped(right))
    rules = (named("RC998", lambda case: case), named("RC999", unlike))
    seen = part(wrong, [0], [3], [3], [0, 1])
    question = ask(right, seen)
    diagnosis = diagnose(question, CONTEXT, rules=rules)
    assert codes(diagnosis) == ["RC998", "RC999"]
    assert [f.code for f in findings(question, diagnosis, CONTEXT)][2:] == ["RC902"]


def named(code: str, then: object) -> Rule:
    doc = "T.\n## What\na.\n## Why\nb.\n## Example\nc\n## Fix\nd."
    return Rule(code, code, doc, lambda question: [Change("", then(flipped(question.case)))])  # type: ignore[operator]


def unlike(case: Case) -> Case:
    """Another value in a corner alone."""
    x = case.inputs[0].copy()
    x[0, 0, 0] += 1
    return case.with_input(x)


def test_few_digits_of_one_value_are_too_few() -> None:
    right = conv()
    wrong = output(flipped(right))
    seen = part(wrong, [0], [3], [3], [2])
    coarse = Observation(np.round(seen.values), seen.at, 0.5)
    assert told(ask(right, coarse))[-1] == "RC903"
    assert "RC903" not in told(ask(right, seen))


def test_fewer_alternatives_come_first() -> None:
    def several(question: Question) -> list[Change]:
        scaled = question.case.with_weights(kernel=question.case.weights["kernel"] * np.float32(2))
        return [Change("twice", scaled), Change("turned", flipped(question.case))]

    doc = "T.\n## What\na.\n## Why\nb.\n## Example\nc\n## Fix\nd."
    rules = (Rule("RC998", "several", doc, several), named("RC999", lambda case: case))
    right = conv()
    assert codes(diagnose(ask(right, output(flipped(right))), CONTEXT, rules=rules)) == ["RC999", "RC998"]
