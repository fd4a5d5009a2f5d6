"""What the rows say: detections per operator and size, false alarms, comparisons, and the goals of the benchmark."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from detection.baselines import POLICIES
from detection.measure import CLEAN, is_alarm
from detection.statistics import Paired, Share

REFCONV = "refconv"
BEYOND = 2.0  # structural faults further off than this many worst-case radii must all be found
Row = dict[str, Any]
Decide = Callable[[Row], "bool | None"]


@dataclass(frozen=True)
class Faults:
    """The rows of planted faults and of the clean layers beside them."""

    rows: Sequence[Row]

    @cached_property
    def clean(self) -> list[Row]:
        return [row for row in self.rows if row["operator"] == CLEAN]

    @cached_property
    def mutants(self) -> list[Row]:
        """Without the equivalent ones."""
        return [row for row in self.rows if row["operator"] != CLEAN and not row["equivalent"]]

    @cached_property
    def equivalent(self) -> list[Row]:
        return [row for row in self.rows if row["operator"] != CLEAN and row["equivalent"]]

    @cached_property
    def sloped(self) -> set[tuple[Any, ...]]:
        """Layers whose outputs are also judged together: sums, at least 50 of them, that no function bends."""
        return {_place(row) for row in self.clean if row["sloped"]}

    @cached_property
    def groups(self) -> dict[tuple[str, float], list[Row]]:
        """(operator, size) → its mutants that are not equivalent."""
        found: dict[tuple[str, float], list[Row]] = defaultdict(list)
        for row in self.mutants:
            found[row["operator"], row["size"]].append(row)
        return found

    @cached_property
    def false_alarms(self) -> dict[str, Share]:
        """Policy → alarms on clean layers, among those that it says anything about."""
        alarms = {REFCONV: Share(sum(is_alarm(row["verdict"]) for row in self.clean), len(self.clean))}
        return alarms | {name: _share(self.clean, as_it_is(name)) for name in POLICIES}

    @cached_property
    def factors(self) -> dict[str, float]:
        """Policy → what its tolerance must be multiplied by, so that no clean layer here raises an alarm.

        Below 1 where the policy is looser than it needs to be: the comparison grants it the tighter tolerance.
        """
        return {name: max((row["scores"][name] or 0.0 for row in self.clean), default=0.0) for name in POLICIES}

    @cached_property
    def misses(self) -> list[Row]:
        """What refconv did not find, the furthest outside its usual rounding first."""
        missed = (row for row in self.mutants if not row["found"])
        return sorted(missed, key=lambda row: (-row["bound_used"], row["model"], row["layer"]))

    def at_no_alarm(self, name: str) -> Decide:
        """The policy with its tolerance multiplied by its factor."""
        factor = self.factors[name]

        def decide(row: Row) -> bool | None:
            score = row["scores"][name]
            return None if score is None else score > factor

        return decide

    def paired(self, decide: Decide, rows: Iterable[Row]) -> Paired:
        """refconv beside a policy, on the mutants that the policy says anything about."""
        pairs = [(row["found"], other) for row in rows if (other := decide(row)) is not None]
        only = Counter(pairs)
        return Paired(only[True, False], only[False, True], len(pairs))

    def beaten(self) -> list[tuple[str, float, str, Paired]]:
        """Operators and sizes at which a policy with as few false alarms finds more than refconv does."""
        allowed = self.false_alarms[REFCONV].value
        return self._more({n: as_it_is(n) for n in POLICIES if self.false_alarms[n].value <= allowed})

    def beaten_at_no_alarm(self) -> list[tuple[str, float, str, Paired]]:
        """The same of every policy whose tolerance is multiplied by its factor."""
        return self._more({name: self.at_no_alarm(name) for name in POLICIES})

    def _more(self, policies: Mapping[str, Decide]) -> list[tuple[str, float, str, Paired]]:
        pairs = [
            (operator, size, name, self.paired(decide, rows))
            for (operator, size), rows in self.groups.items()
            for name, decide in policies.items()
        ]
        return [pair for pair in pairs if pair[-1].difference < 0]


def _place(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("model", "layer", "seed", "mode"))


def as_it_is(name: str) -> Decide:
    """The policy with its own tolerance."""

    def decide(row: Row) -> bool | None:
        score = row["scores"][name]
        return None if score is None else score > 1

    return decide


def found_by(rows: Sequence[Row], name: str) -> Share:
    """Detections of refconv, or of a policy as it is among the mutants that it says anything about."""
    if name == REFCONV:
        return Share(sum(row["found"] for row in rows), len(rows))
    return _share(rows, as_it_is(name))


def _share(rows: Iterable[Row], decide: Decide) -> Share:
    said = [decision for row in rows if (decision := decide(row)) is not None]
    return Share(sum(said), len(said))


def reason(row: Row) -> str:
    """Why refconv did not find a mutant, in one of few classes."""
    if row["verdict"] in ("vacuous", "unverified"):
        return row["verdict"]
    if row["signed_zero"]:
        return "only signs of zeros differ"
    if row["explained"]:
        return "explained by stage 2: the element's own terms allow it"
    if row["bound_used"] <= 1:
        return "inside the probable bound of every element"
    return "other"


@dataclass(frozen=True)
class Goal:
    """One figure that the benchmark promises, and what was measured."""

    what: str
    wanted: float
    share: Share

    @property
    def met(self) -> bool:
        return math.isnan(self.share.value) or self.share.value >= self.wanted


def promised(faults: Faults) -> dict[str, list[Row]]:
    """The kinds of mutants whose detection the benchmark promises, by the words of the short table."""
    sized = {
        "tensor or channel off by ≥ 1e-5": lambda r: r["scope"] in ("tensor", "channel") and r["size"] >= 0.99e-5,
        "one weight off by ≥ 1e-2": lambda r: r["scope"] == "weight" and r["size"] >= 0.99e-2,
        "structural": lambda r: r["scope"] == "structure",
        "all weights × (1 + 1e-6)": lambda r: r["operator"] == "all weights" and 0.99e-6 <= r["size"] < 0.99e-5,
    }
    return {words: [row for row in faults.mutants if belongs(row)] for words, belongs in sized.items()}


def goals(faults: Faults) -> list[Goal]:
    """The promised detection rates."""
    large, single, structures, scaled = promised(faults).values()
    parameters = [r for r in faults.mutants if r["scope"] == "parameter" and r["size"] >= 0.99e-5]
    beyond = [r for r in structures if r["ratio"] > BEYOND]
    together = [r for r in scaled if _place(r) in faults.sloped]
    return [
        Goal("weights of a whole tensor or channel off by 1e-5 and more", 0.99, found_by(large, REFCONV)),
        Goal("the same, biases and epsilon among them", 0.99, found_by([*large, *parameters], REFCONV)),
        Goal("one weight off by 1e-2 and more", 0.97, found_by(single, REFCONV)),
        Goal(f"structural faults beyond {BEYOND:g} worst-case radii", 1.0, found_by(beyond, REFCONV)),
        Goal("all weights of a layer off by 1e-6", 0.99, found_by(scaled, REFCONV)),
        Goal("the same, where the layer has outputs enough for the slope test", 0.99, found_by(together, REFCONV)),
    ]


def structural(faults: Faults) -> list[Row]:
    return [row for row in faults.mutants if row["scope"] == "structure"]


def near(faults: Faults) -> list[Row]:
    """Structural faults within the promised distance, the furthest first."""
    rows = [row for row in structural(faults) if not row["ratio"] > BEYOND]
    return sorted(rows, key=lambda row: -row["ratio"])


def clean_summary(rows: Sequence[Row]) -> Mapping[str, Any]:
    """Clean runs counted: runs, layer checks, alarms by verdict, runs that the framework could not do."""
    alarms = [
        {"model": r["model"], "mode": r["mode"], "seed": r["seed"], "onednn": r["onednn"], "threads": r["threads"], **a}
        for r in rows
        for a in r["alarms"]
    ]
    top = max(rows, key=lambda row: row["bound_used"], default=None)
    return {
        "runs": len(rows),
        "checks": sum(row["counts"]["verified"] for row in rows),
        "by_verdict": dict(sum((Counter(_verdicts(row)) for row in rows), Counter())),
        "alarms": alarms,
        "alarms_by_verdict": dict(Counter(alarm["verdict"] for alarm in alarms)),
        "plain_alarms": [_where(row) for row in rows if row["plain_ok"] is False],
        "not_run": [{**_where(row), "why": row["failure"]} for row in rows if row["failure"]],
        "explained": sum(row["explained"] for row in rows),
        "bound_used": top["bound_used"] if top else 0.0,
        "bound_used_where": f"{top['model']} {top['where']}" if top else "",
    }


def _verdicts(row: Row) -> dict[str, int]:
    return {
        name: n for name, n in row["counts"].items() if n and name not in ("layers", "verified", "nondeterministic")
    }


def _where(row: Row) -> Row:
    return {name: row[name] for name in ("model", "mode", "seed", "onednn", "threads")}
