"""Interleaved timing: every round calls all of them once, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from speed.peers import PEERS, Call, Peer
from speed.shapes import Shape

DGEMM, SIDE = "dgemm", 1024  # float64 matrices of SIDE²: what the machine's BLAS makes of all its cores
SHORT = 0.02  # seconds that one measurement should last at least
REST = 0.12  # seconds before each: threads of OpenBLAS spin for 80 ms after their work, on the next one's core
AGREE = 1e-3  # of the largest value: float32 peers round, a wrong layer is further off


@dataclass(frozen=True)
class Measured:
    """Seconds a call: the median of all rounds, and the quartiles."""

    median: float
    low: float
    high: float


def measure(shape: Shape, batch: int, rounds: int, peers: tuple[Peer, ...] = PEERS) -> dict[str, Measured]:
    """Every peer that is there and has such a layer, and dgemm; all results are compared first, which warms up."""
    operands = shape.operands(batch, np.random.default_rng(0))
    calls: dict[str, Call] = {}
    expected: np.ndarray | None = None
    for peer in peers:
        if not peer.there or shape.operations(batch) > peer.most:
            continue
        call = peer.prepare(shape, operands)
        if call is None:
            continue
        got = peer.result(call())
        expected = got if expected is None else expected
        agree(f"{peer.name}, {shape.name}", got, expected)
        calls[peer.name] = call
    matrix = np.random.default_rng(1).random((SIDE, SIDE))
    calls[DGEMM] = lambda: matrix @ matrix
    return interleaved(calls, rounds)


def agree(what: str, got: np.ndarray, expected: np.ndarray) -> None:
    """A peer that computes something else is not worth timing."""
    if got.shape != expected.shape or not np.abs(got - expected).max() <= AGREE * np.abs(expected).max():
        raise ValueError(f"{what}: not the layer that the others compute")


def interleaved(
    calls: Mapping[str, Call], rounds: int, *, short: float = SHORT, rest: float = REST
) -> dict[str, Measured]:
    repeats = {name: max(1, round(short / max(_brief(call, short), 1e-7))) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(rest)
            times[name].append(_clock(call, repeats[name]))
    return {name: spread(t) for name, t in times.items()}


def spread(seconds: Sequence[float]) -> Measured:
    return Measured(*np.percentile(seconds, (50, 25, 75)).tolist())


def _brief(call: Call, short: float) -> float:
    """A call's time in seconds; of a short one the shortest of some, as the first finds nothing near it."""
    first = _clock(call, 1)
    return min(first, *(_clock(call, 1) for _ in range(5))) if first < short else first


def _clock(call: Call, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats
