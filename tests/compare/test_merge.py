"""The results of slices of the samples, as one: what is the gravest, what adds up, where the worst element was."""

from math import inf, isnan, nan

import pytest
from support.results import comparison, layer

from refconv.compare.merge import merge
from refconv.result import Drift, Verdict

V = Verdict


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((V.EXACT, V.EXACT), V.EXACT),
        ((V.EXACT, V.WITHIN), V.WITHIN),
        ((V.WITHIN, V.SUSPECT, V.EXACT), V.SUSPECT),
        ((V.WITHIN, V.MISMATCH), V.MISMATCH),
        ((V.WITHIN, V.UNVERIFIED), V.UNVERIFIED),
        ((V.VACUOUS, V.EXACT), V.EXACT),  # one slice of zeros among others
        ((V.VACUOUS, V.VACUOUS), V.VACUOUS),
    ],
)
def test_the_verdict(verdicts, expected):
    assert merge([layer(v) for v in verdicts], range(0, 9, 3)).verdict is expected


def test_one_slice_is_left_alone():
    only = layer(V.WITHIN)
    assert merge([only], range(0, 2, 2)) is only


def test_numbers_of_all_samples_together():
    first = comparison(V.WITHIN, 1e-6, 0.2, explained=1, slope=-0.5, accumulator_bits=None)
    second = comparison(V.SUSPECT, 3e-6, 1.5, failing=2, explained=3, slope=0.25)
    (both,) = merge([layer(V.WITHIN, outputs=(first,)), layer(V.SUSPECT, outputs=(second,))], range(0, 8, 4)).outputs
    assert (both.shape, both.verdict, both.certified) == ((2, 4, 4), V.SUSPECT, False)
    assert (both.max_abs_error, both.bound_used, both.failing, both.explained) == (3e-6, 1.5, 2, 4)
    assert both.slope == -0.5
    assert both.worst.index == (4, 2, 1)  # the second slice begins with sample 4


def test_accumulators_hold_every_slice():
    parts = [comparison(V.EXACT, 0.0, 0.0, accumulator_bits=bits) for bits in (9, 11)]
    results = [layer(V.EXACT, outputs=(part,)) for part in parts]
    assert merge(results, range(0, 2, 1)).outputs[0].accumulator_bits == 11
    results[1] = layer(V.WITHIN, outputs=(comparison(V.WITHIN),))
    assert merge(results, range(0, 2, 1)).outputs[0].accumulator_bits is None


def test_a_number_that_is_none_stays_seen():
    results = [layer(V.WITHIN), layer(V.MISMATCH, outputs=(comparison(V.MISMATCH, nan, inf),))]
    (both,) = merge(results, range(0, 2, 1)).outputs
    assert isnan(both.max_abs_error)
    assert both.bound_used == inf


def test_drift_is_that_of_all_samples():
    drifts = [Drift(0.5, 100.0, 1.0), Drift(0.25, 900.0, 9.0)]
    found = merge([layer(V.WITHIN, chained=drift) for drift in drifts], range(0, 2, 1)).chained
    assert (found.max_abs_error, found.sqnr_db) == (0.5, pytest.approx(20.0))
    assert merge([layer(V.WITHIN, chained=drifts[0]), layer(V.WITHIN)], range(0, 2, 1)).chained is None


def test_weights_seconds_and_what_was_told_once():
    weights = [comparison(V.EXACT, 0.0, 0.0), comparison(V.MISMATCH)]
    results = [layer(V.MISMATCH, weights={"kernel": w}, seconds={"isolated": 0.5}) for w in weights]
    merged = merge([results[0], results[1]], range(0, 2, 1))
    assert merged.weights["kernel"].verdict is V.MISMATCH
    assert merged.seconds == {"isolated": 1.0}


def test_a_slice_without_outputs_leaves_those_of_the_gravest():
    failed = layer(V.MISMATCH, outputs=(), reason="the output has another shape")
    merged = merge([layer(V.WITHIN), failed], range(0, 2, 1))
    assert (merged.verdict, merged.outputs, merged.reason) == (V.MISMATCH, (), "the output has another shape")
