"""Every number that `evaluate` reports, from the reference's predictions, beside the framework's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np

from refconv.result import Verdict
from refconv.scoring.compiled import OutputTerms
from refconv.scoring.means import loss_mean, metric_mean, root
from refconv.scoring.names import ACCURACY, Term, by_loss, called, resolve, snake_case
from refconv.scoring.predictions import Predictions, Unsettled
from refconv.scoring.result import Reading, Score
from refconv.scoring.spread import Samples, Spread, U, zero
from refconv.scoring.table import NAMES

READ_AS = ("binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy")


@dataclass(frozen=True)
class OutputData:
    """One output: its name, predictions, targets (None: none are given), sample weights, and what is asked of it."""

    name: str
    predictions: Predictions
    target: np.ndarray | None
    weights: np.ndarray | None
    terms: OutputTerms


@dataclass
class Framework:
    """What the framework reports; each value is matched once."""

    values: Mapping[str, float]
    reason: str = ""
    metrics: Mapping[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def of(self, *names: str) -> tuple[str, float | None]:
        """The first of the names that it reports and that is not yet matched, and its value."""
        name = next((n for n in names if n in self.values and n not in self.taken), None)
        if name is None:
            return names[0], None
        self.taken.add(name)
        return name, self.values[name]


@dataclass(frozen=True)
class Found:
    """A value of the reference: its range, and what a fraction counts."""

    spread: Spread
    counts: str = ""
    fraction: bool = False


def unverified(framework: Framework, reason: str) -> tuple[Score, ...]:
    """What the framework reports, where the reference has no predictions."""
    return tuple(
        Score(name, framework.metrics.get(name, "loss"), Verdict.UNVERIFIED, got=value, reason=reason)
        for name, value in framework.values.items()
    )


def scores(
    outputs: Sequence[OutputData], regularization: Spread | Unsettled, framework: Framework, keras: int, batch: int
) -> tuple[Score, ...]:
    """The loss, the losses of several outputs, and all metrics, in this order."""
    losses = [_loss(output, keras, batch, several=len(outputs) > 1) for output in outputs]
    rows = [*_total(outputs, losses, regularization, framework, keras, batch)]
    if len(outputs) > 1:
        rows += _each_loss(outputs, losses, framework)
    for weighted in (False, True):
        for output in outputs:
            rows += _metrics(output, framework, keras, batch, weighted=weighted, several=len(outputs) > 1)
    return tuple(rows + _unknown(framework))


@dataclass(frozen=True)
class Loss:
    """An output's loss: what enters the total, and what is reported of it alone. `problem` says why there is none."""

    term: Term | None
    total: Spread | None = None
    own: Spread | None = None
    problem: str = ""


def _loss(output: OutputData, keras: int, batch: int, *, several: bool) -> Loss | None:
    """None where the output has no loss."""
    if output.terms.loss is None or output.target is None:
        return None
    term = None
    try:
        term = resolve(output.terms.loss, output.target.shape, output.predictions.shape, keras, loss=True)
        samples = _samples(term, output, keras)
    except Unsettled as unsettled:
        return Loss(term, problem=str(unsettled))
    total = loss_mean(samples, output.weights, batch)
    own = loss_mean(samples, output.weights, batch, of_batches=True) if several and keras == 3 else total
    return Loss(term, total, own)


def _samples(term: Term, output: OutputData, keras: int) -> Samples:
    assert term.row.by_sample is not None and output.target is not None
    with np.errstate(all="ignore"):
        return term.row.by_sample(output.target, output.predictions, term.parameters, keras)


def _total(
    outputs: Sequence[OutputData],
    losses: Sequence[Loss | None],
    regularization: Spread | Unsettled,
    framework: Framework,
    keras: int,
    batch: int,
) -> Iterator[Score]:
    """The sum of the outputs' losses and of the regularizers, which float32 adds in every batch."""
    name, got = framework.of("loss")
    there = [(o, loss) for o, loss in zip(outputs, losses, strict=True) if loss is not None]
    if not there:
        if got is not None:
            yield _judged(name, "loss", None, got, framework, "the reference knows of no loss")
        return
    total, said = zero(), []
    problem = next((loss.problem for _, loss in there if loss.problem), "")
    for output, loss in there:
        weight = output.terms.loss_weight
        total = total if loss.total is None else total.plus(loss.total.times(1.0 if weight is None else weight))
        words = loss.term.said if loss.term else called(output.terms.loss, keras)
        said.append(words if weight is None else f"{weight:g} × {words}")
    if isinstance(regularization, Unsettled):
        problem = problem or str(regularization)
    elif regularization.high > 0:
        total = total.plus(regularization)
        said.append(f"regularization {float(regularization.mid):.6g}")
    additions = len(there) + ceil(len(there[0][0].predictions.mid) / batch) + 8
    found = Found(total.widen(additions * U * total.largest))
    yield _judged(name, " + ".join(said), None if problem else found, got, framework, problem)


def _each_loss(outputs: Sequence[OutputData], losses: Sequence[Loss | None], framework: Framework) -> Iterator[Score]:
    if sum(loss is not None for loss in losses) < 2:
        return
    for output, loss in zip(outputs, losses, strict=True):
        if loss is not None:
            name, got = framework.of(f"{output.name}_loss")
            words = loss.term.said if loss.term else "loss"
            found = None if loss.own is None else Found(loss.own)
            yield _judged(name, words, found, got, framework, loss.problem)


def _metrics(
    output: OutputData, framework: Framework, keras: int, batch: int, *, weighted: bool, several: bool
) -> Iterator[Score]:
    if output.target is None:
        return
    for identifier in output.terms.weighted_metrics if weighted else output.terms.metrics:
        own = called(identifier, keras)
        short = (f"weighted_{own}", own) if weighted else (own,)
        names = tuple(f"{output.name}_{n}" for n in short) + short if several else short
        plain = f"{output.name}_{own}" if several else own
        if weighted and (plain in framework.values and plain not in framework.taken):
            names = (plain, *names)  # "weighted_" is put before a name only where it is there already
        name, got = framework.of(*names)
        yield _metric(identifier, name, got, output, framework, keras, batch, weighted=weighted)


def _metric(
    identifier: object,
    name: str,
    got: float | None,
    output: OutputData,
    framework: Framework,
    keras: int,
    batch: int,
    *,
    weighted: bool,
) -> Score:
    assert output.target is not None
    try:
        term = resolve(identifier, output.target.shape, output.predictions.shape, keras)
    except Unsettled as unsettled:
        return _judged(name, called(identifier, keras), None, got, framework, str(unsettled))
    said = f"weighted {term.said}" if weighted else term.said
    try:
        found = value(term, output, keras, batch, output.weights if weighted else None)
    except Unsettled as unsettled:
        return _judged(name, said, None, got, framework, str(unsettled), term.by)
    return _judged(name, said, found, got, framework, by=term.by)


def value(term: Term, output: OutputData, keras: int, batch: int, weights: np.ndarray | None) -> Found:
    """A metric of the reference's predictions.

    Raises:
        Unsettled: it has no reference for these targets or parameters.
    """
    assert output.target is not None
    if term.row.of_all is not None:
        share = term.row.of_all(output.target, output.predictions, term.parameters, weights)
        counts = "" if weights is not None else f"{share.part:.0f} of {share.whole:.0f} {share.unit}"
        return Found(share.value.widen(4 * U * share.value.high), counts, fraction=True)
    samples = _samples(term, output, keras)
    mean = metric_mean(samples, weights, batch)
    return Found(root(mean) if term.row.rooted else mean, _counts(samples, weights), samples.counts is not None)


def _counts(samples: Samples, weights: np.ndarray | None) -> str:
    """ "9 of 10 samples", and how many of the decisions the predictions' radius leaves open."""
    if samples.counts is None or weights is not None:
        return ""
    each = samples.terms
    text = f"{samples.counts.sum():.0f} of {len(samples.counts) * each} {samples.unit}"
    opened = float(np.sum(samples.values.high - samples.values.low)) * each
    return f"{text}, {opened:.0f} undecided" if opened > 0.5 else text


def _judged(
    name: str,
    said: str,
    found: Found | None,
    got: float | None,
    framework: Framework,
    problem: str = "",
    by: str = "",
) -> Score:
    score = Score(name, said, Verdict.UNVERIFIED, got=got, by=by)
    if found is not None:
        low, mid, high = _ends(found)
        score = replace(score, low=low, value=mid, high=high, counts=found.counts)
        if got is not None:
            return replace(score, verdict=_verdict(found, got))
    return replace(score, reason=problem or framework.reason or "the framework reports no such value")


def _ends(found: Found) -> tuple[float, float, float]:
    """Least, exact and greatest; a fraction's within [0, 1]."""
    low, mid, high = (float(v) for v in (found.spread.low, found.spread.mid, found.spread.high))
    return (max(low, 0.0), mid, min(high, 1.0)) if found.fraction else (low, mid, high)


def _verdict(found: Found, got: float) -> Verdict:
    low, mid, high = (float(v) for v in (found.spread.low, found.spread.mid, found.spread.high))
    if np.isnan(mid) or np.isnan(got):
        return Verdict.WITHIN if np.isnan(mid) and np.isnan(got) else Verdict.MISMATCH
    if not low <= got <= high:
        return Verdict.MISMATCH
    if (found.fraction and low <= 0 and high >= 1) or not np.isfinite([low, high]).all():
        return Verdict.VACUOUS
    return Verdict.EXACT if np.float32(mid) == np.float32(got) else Verdict.WITHIN


def _unknown(framework: Framework) -> list[Score]:
    """What the framework reports and nothing above asked for."""
    left = [name for name in framework.values if name not in framework.taken]
    reason = "neither the file nor the options name it"
    return [Score(n, "?", Verdict.UNVERIFIED, got=framework.values[n], reason=reason) for n in left]


def readings(outputs: Sequence[OutputData], keras: int, batch: int, version: str) -> tuple[Reading, ...]:
    """What each `accuracy`, and a crossentropy of the other function's logits, would have been in another sense."""
    found = [reading for output in outputs for reading in _read_as(output, keras, batch, version)]
    return tuple(
        found + [reading for output in outputs for reading in _of_probabilities(output, outputs, keras, batch)]
    )


def _read_as(output: OutputData, keras: int, batch: int, version: str) -> Iterator[Reading]:
    given = [*output.terms.metrics, *output.terms.weighted_metrics]
    named = [n for n in given if called(n, keras).rpartition("_")[2].lower() in ACCURACY]
    if output.target is None or not named:
        return
    own = resolve(named[0], output.target.shape, output.predictions.shape, keras)
    for name in READ_AS:
        row = NAMES[name]
        if row is own.row:
            continue
        try:
            found = value(Term(row, name, row.parameters), output, keras, batch, None)
        except Unsettled:
            continue
        note = _note(output, version) if name == "binary_accuracy" else ""
        yield Reading(output.name, own.called, row.said, float(found.spread.mid), found.counts, note)


def _note(output: OutputData, version: str) -> str:
    """What older Kerases took `accuracy` for, where the loss decided."""
    loss = output.terms.loss
    named = snake_case(called(loss, 2)) if loss is not None else ""
    if named not in ("binary_crossentropy", "bce"):
        return ""
    if by_loss(version):
        return f"beside binary_crossentropy this is what accuracy meant to Keras {version}, which wrote the file"
    return "beside binary_crossentropy this is what accuracy meant up to Keras 2.3 and TensorFlow 2.1"


# What gives the probabilities that each crossentropy is meant for.
MEANT = {
    "binary_crossentropy": "sigmoid",
    "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
}


def _of_probabilities(output: OutputData, outputs: Sequence[OutputData], keras: int, batch: int) -> Iterator[Reading]:
    """The loss of the probabilities, where Keras takes the logits of the other function instead."""
    p = output.predictions
    if output.terms.loss is None or output.target is None or p.logits is None:
        return
    try:
        term = resolve(output.terms.loss, output.target.shape, p.shape, keras, loss=True)
        if MEANT.get(term.row.name, p.squash) == p.squash:
            return
        plain = replace(output, predictions=Predictions(p.mid, p.radius))
        found = loss_mean(_samples(term, plain, keras), output.weights, batch)
    except Unsettled:
        return
    note = f"Keras takes back what the {p.squash} was given, and puts a {MEANT[term.row.name]} in its place"
    name = "loss" if len(outputs) == 1 else f"{output.name}_loss"
    yield Reading(output.name, name, f"{term.row.said} of the probabilities", float(found.mid), "", note)
