"""The figures as Markdown for people and JSON for programs. Formats a finished summary and computes nothing."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detection import summary
from detection.baselines import POLICIES
from detection.operators.base import Scope
from detection.operators.table import OPERATORS
from detection.statistics import Paired, Share
from detection.summary import REFCONV, Faults

NAMES = (REFCONV, *POLICIES)
TOP = 20


def markdown(faults: Faults, clean: Mapping[str, Any]) -> str:
    parts = [
        brief(faults),
        _clean(clean) if clean["runs"] else "",
        _goals(faults),
        _unsized(faults),
        _sized(faults),
        _alarms(faults),
        _paired(faults),
        _beaten(faults),
        _near(faults),
        _misses(faults),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def brief(faults: Faults) -> str:
    """The table for the README: refconv and every policy, on the same clean layers and the same mutants."""
    kinds = summary.promised(faults)
    totals = ["mutants", "", *(str(len(rows)) for rows in kinds.values())]
    rows = [totals]
    for name in NAMES:
        alarms = faults.false_alarms[name]
        shares = [summary.found_by(mutants, name) for mutants in kinds.values()]
        rows.append([name, f"{alarms.hits} of {alarms.total}", *(f"{s.value:.1%}" if s.total else "–" for s in shares)])
    return "## In short\n" + _table(["", "false alarms", *kinds], rows)


def as_json(faults: Faults, clean: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the tables show, and every miss."""
    rows = [
        {"operator": o, "size": size, "mutants": len(rows), "found": {n: summary.found_by(rows, n).hits for n in NAMES}}
        for (o, size), rows in faults.groups.items()
    ]
    return {
        "in_short": {
            words: {name: _share(summary.found_by(rows, name)) for name in NAMES}
            for words, rows in summary.promised(faults).items()
        },
        "clean_runs": clean,
        "clean_layers": {name: _share(share) for name, share in faults.false_alarms.items()},
        "tolerance_factors": faults.factors,
        "equivalent": dict(Counter(row["operator"] for row in faults.equivalent)),
        "operators": rows,
        "goals": [{"what": g.what, "wanted": g.wanted, "met": g.met, **_share(g.share)} for g in summary.goals(faults)],
        "beaten": _beaten_json(faults.beaten()),
        "beaten_at_equal_alarms": _beaten_json(faults.beaten_at_no_alarm()),
        "structural_near": summary.near(faults),
        "misses": [{**row, "reason": summary.reason(row)} for row in faults.misses],
        "false_alarms": [row for row in faults.clean if summary.is_alarm(row["verdict"])],
    }


def _clean(clean: Mapping[str, Any]) -> str:
    lines = [
        "## Clean runs",
        f"{clean['runs']} runs, {clean['checks']} layer checks: {_counts(clean['by_verdict'])}.",
        f"False alarms: {_counts(clean['alarms_by_verdict'])}; `predict`: {len(clean['plain_alarms'])}. Largest share"
        f" of a probable bound {clean['bound_used']:.2f} ({clean['bound_used_where']}); stage 2 explained"
        f" {clean['explained']} elements. {len(clean['not_run'])} runs that the framework could not finish here.",
    ]
    for a in clean["alarms"][:TOP]:
        where = f"{a['model']} {a['layer']} seed {a['seed']} {a['mode']}, oneDNN {a['onednn']}, {a['threads']} threads"
        lines.append(f"- **{a['verdict']}** {where}: {a['reason'] or a['used']}")
    return "\n".join(lines)


def _goals(faults: Faults) -> str:
    rows = [[g.what, f"{g.wanted:.0%}", _rate(g.share), "yes" if g.met else "**no**"] for g in summary.goals(faults)]
    return "## Goals\n" + _table(["faults", "wanted", "found, 95% interval", "met"], rows)


def _unsized(faults: Faults) -> str:
    equivalent = Counter(row["operator"] for row in faults.equivalent)
    rows = []
    for operator in OPERATORS:
        if operator.sizes == (0.0,):
            mutants = faults.groups.get((operator.name, 0.0), [])
            rows.append([operator.name, str(len(mutants)), str(equivalent[operator.name]), *_cells(mutants)])
    text = "Found of the mutants that differ in any bit; of TOSA, of those in dot products, which it speaks of."
    table = _table(["operator", "mutants", "equivalent", *NAMES], rows)
    return f"## Faults without a size\n{text}\n\n{table}"


def _sized(faults: Faults) -> str:
    equivalent = Counter((row["operator"], row["size"]) for row in faults.equivalent)
    rows = []
    for operator in OPERATORS:
        for size in operator.sizes if operator.sizes != (0.0,) else ():
            mutants = faults.groups.get((operator.name, size), [])
            count = [str(len(mutants)), str(equivalent[operator.name, size])]
            rows.append([operator.name, f"{size:.0e}", *count, *_cells(mutants)])
    return "## Faults by relative size\n" + _table(["operator", "size", "mutants", "equivalent", *NAMES], rows)


def _cells(mutants: Sequence[summary.Row]) -> list[str]:
    shares = [summary.found_by(mutants, name) for name in NAMES]
    return [f"{share.value:.1%}" if share.total else "–" for share in shares]


def _alarms(faults: Faults) -> str:
    rows = [[name, f"{share.hits} of {share.total}", _rate(share)] for name, share in faults.false_alarms.items()]
    return "## Alarms on the clean layers beside the mutants\n" + _table(["policy", "alarms", "95% interval"], rows)


def _paired(faults: Faults) -> str:
    """refconv's rate less the policy's, over all scopes and in each."""
    scopes = {"all": faults.mutants}
    scopes |= {scope.value: [r for r in faults.mutants if r["scope"] == scope.value] for scope in Scope}
    rows = []
    for name in POLICIES:
        decide = faults.at_no_alarm(name)
        factor = f"{faults.factors[name]:.3g}"
        rows.append([name, factor, *(_signed(faults.paired(decide, mutants)) for mutants in scopes.values())])
    text = (
        "## At equal false alarms\nEach policy's tolerance is multiplied by the factor at which none of the clean"
        " layers here raises an alarm, as none does with refconv unless the table above says so. refconv's detection"
        " rate less the policy's on the same mutants, in points, with 95% interval.\n\n"
    )
    return text + _table(["policy", "factor", *scopes], rows)


def _beaten(faults: Faults) -> str:
    heads = {
        "Operators at which a policy with as few alarms finds more": faults.beaten(),
        "Operators at which a policy finds more at equal false alarms": faults.beaten_at_no_alarm(),
    }
    return "\n\n".join(f"## {head}\n{_more(found)}" for head, found in heads.items())


def _more(found: Sequence[tuple[str, float, str, Paired]]) -> str:
    rows = [[o, _size({"size": size}), name, _signed(paired)] for o, size, name, paired in found]
    return _table(["operator", "size", "policy", "difference in points"], rows) if rows else "None."


def _near(faults: Faults) -> str:
    rows = summary.near(faults)
    if not rows:
        return ""
    found = sum(row["found"] for row in rows)
    lines = [[r["operator"], r["model"], r["layer"], f"{r['ratio']:.3g}", r["verdict"]] for r in rows[:TOP]]
    text = f"## Structural faults within two worst-case radii\n{len(rows)}, of which {found} were found.\n\n"
    return text + _table(["operator", "model", "layer", "worst-case radii", "verdict"], lines)


def _misses(faults: Faults) -> str:
    why = summary.reason
    groups: dict[tuple[str, str], list[summary.Row]] = defaultdict(list)
    for row in faults.misses:
        groups[row["scope"], why(row)].append(row)
    classes = [
        [scope, reason, str(len(rows)), _sizes(rows), _number(max(r["ratio"] for r in rows))]
        for (scope, reason), rows in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    # One line where several seeds missed the same; a fault without a size counts as large.
    largest = {(r["operator"], r["size"], r["model"], r["layer"]): r for r in faults.misses[::-1]}.values()
    top = [
        [r["operator"], _size(r), r["model"], r["layer"], _number(r["bound_used"]), _number(r["ratio"]), why(r)]
        for r in sorted(largest, key=lambda r: (-(r["size"] or 1.0), -r["bound_used"]))[:TOP]
    ]
    return (
        f"## What refconv missed\n{len(faults.misses)} of {len(faults.mutants)}; every one is in the JSON.\n\n"
        + _table(["scope", "reason", "missed", "by size", "largest share of the worst case"], classes)
        + f"\n\nThe {TOP} largest faults among them:\n\n"
        + _table(["operator", "size", "model", "layer", "of probable", "of worst case", "reason"], top)
    )


def _size(row: summary.Row) -> str:
    return f"{row['size']:.0e}" if row["size"] else ""


def _sizes(rows: Sequence[summary.Row]) -> str:
    counted = Counter(row["size"] for row in rows)
    return ", ".join(f"{size:.0e}: {n}" if size else str(n) for size, n in sorted(counted.items(), reverse=True))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _rate(share: Share) -> str:
    low, high = share.interval
    return f"{share.hits} of {share.total}, {share.value:.2%} ({low:.2%} … {high:.2%})" if share.total else "none"


def _signed(paired: Paired) -> str:
    if not paired.total:
        return "–"
    low, high = paired.interval
    return f"{100 * paired.difference:+.1f} ({100 * low:+.1f} … {100 * high:+.1f})"


def _share(share: Share) -> dict[str, Any]:
    value = None if math.isnan(share.value) else share.value
    return {"hits": share.hits, "total": share.total, "share": value, "interval": share.interval}


def _difference(paired: Paired) -> dict[str, Any]:
    counts = {"only_refconv": paired.first, "only_policy": paired.second, "mutants": paired.total}
    return {**counts, "difference": paired.difference, "interval": paired.interval}


def _beaten_json(found: Sequence[tuple[str, float, str, Paired]]) -> list[dict[str, Any]]:
    return [{"operator": o, "size": size, "by": name, **_difference(paired)} for o, size, name, paired in found]


def _number(value: float) -> str:
    return f"{value:.2g}"


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in found.items()) or "none"
