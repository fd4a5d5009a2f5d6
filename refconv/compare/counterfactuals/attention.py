"""Faults of attention: who sees whom, and what is asked of what."""

from __future__ import annotations

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.attention import Called
from refconv.ops.multi_head import GroupQuery, MultiHead

ROLES = ("query", "key")


def _seeing_all(case: Case) -> Case:
    return case.with_attrs(use_causal_mask=False)


def _causal(case: Case) -> bool:
    return bool(case.attrs.use_causal_mask)


def _turned(case: Case) -> Case:
    """The weights of the query in place of the key's, and the other way round."""
    other = dict(zip(ROLES, reversed(ROLES), strict=True))
    changed = {
        f"{role}_{kind}": case.weights[f"{other[role]}_{kind}"]
        for role in ROLES
        for kind in ("kernel", "bias")
        if f"{role}_{kind}" in case.weights
    }
    return case.with_weights(**changed)


def _alike(case: Case) -> bool:
    return case.weights["query_kernel"].shape == case.weights["key_kernel"].shape


ROWS = (
    Counterfactual("causal mask left out", (Called,), _seeing_all, _causal),
    Counterfactual("query and key swapped", (MultiHead, GroupQuery), _turned, _alike),
)
