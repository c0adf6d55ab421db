"""Warm latency in interleaved rounds: all variants take turns in shuffled order, so that drift hits all alike."""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from lab.lazy import np
from lab.measure.energy import Counter
from lab.measure.gate import Watch, disturbances
from lab.statistics import cluster_bootstrap

WARM_UP_RUNS = 3
"""Before each turn; one where a turn has so few runs that warming up would double its time."""
FEWEST_RUNS = 3
BLOCK = 5
"""Rounds between two looks at the intervals, and the fewest that are made when the budget is gone."""
MOST_ROUNDS = 3
"""Times the rounds asked for, at most, however much of the budget is left."""


@dataclass(frozen=True)
class Protocol:
    """How long and how precisely to measure.

    Attributes:
        rounds: undisturbed rounds at least; runs: timed runs in a turn at most; turn_s: seconds a turn aims at.
        precision: half-width of the median's 95 % interval over the median at which a variant has enough rounds.
        budget_s: seconds for each variant after which no further rounds begin.
        threads: what the runtime was told.
    """

    rounds: int
    runs: int
    turn_s: float
    precision: float = 0.02
    budget_s: float = 3.0
    threads: int = 1
    seed: int = 0


@dataclass
class Turns:
    """A variant's call and all that was timed of it."""

    call: Callable[[], Any]
    runs: int = 1
    rounds: list[dict[str, Any]] = field(default_factory=list)

    def clean(self) -> list[Sequence[float]]:
        """Samples of the undisturbed rounds."""
        return [r["samples"] for r in self.rounds if not r["contended"]]


def time_rounds(calls: Mapping[str, Callable[[], Any]], protocol: Protocol) -> dict[str, Any]:
    """Time every call in shuffled rounds; go on with those that were disturbed, or whose interval is still too wide.

    Args:
        calls: variant -> a call to time.

    Returns:
        variant -> list of turns {"round", "samples" s, "warmup" s, "cpu_ratio", "waiting", "pace_s", "contended", "disturbed" (by
        what, or ""), "joules" (or None), "started_at"}; disturbed turns stay in the list. Turns of equal "round" are paired.
    """
    order = random.Random(protocol.seed)
    turns = {name: Turns(call) for name, call in calls.items()}
    end = time.monotonic() + protocol.budget_s * len(turns)
    gc.disable()
    for turn in turns.values():
        turn.runs = _runs_per_turn(turn.call, protocol.runs, protocol.turn_s)
    left, made = list(turns.values()), 0
    while left and made < MOST_ROUNDS * protocol.rounds and (made == 0 or time.monotonic() < end):
        block = min(BLOCK, protocol.rounds - made) if made < protocol.rounds else BLOCK
        for number in range(made, made + block):
            _one_round(left, order, number)
        made += block
        _mark(turns, protocol.threads)
        left = [t for t in turns.values() if not _enough(t, protocol)]
    gc.enable()
    return {name: turn.rounds for name, turn in turns.items()}


def _enough(turn: Turns, protocol: Protocol) -> bool:
    clean = turn.clean()
    return len(clean) >= protocol.rounds and half_width(clean) <= protocol.precision


def half_width(rounds: Sequence[Sequence[float]]) -> float:
    """Half of the median's 95 % interval, over the median; infinite for fewer than two rounds."""
    if len(rounds) < 2:
        return float("inf")
    arrays = [np.asarray(r) for r in rounds]
    low, high = cluster_bootstrap(arrays, 0.5)
    return (high - low) / 2 / float(np.median(np.concatenate(arrays)))


def _one_round(turns: list[Turns], order: random.Random, number: int) -> None:
    order.shuffle(turns)
    for turn in turns:
        turn.rounds.append({"round": number, **_take_turn(turn)})


def _runs_per_turn(call: Callable[[], Any], runs: int, turn_s: float) -> int:
    seconds = median(_timed(call, 5))
    fitting = int(turn_s / max(seconds, 1e-9))
    return max(FEWEST_RUNS, min(runs, fitting)) if runs >= FEWEST_RUNS else runs


def _take_turn(turn: Turns) -> dict[str, Any]:
    warmup, started_at = _timed(turn.call, WARM_UP_RUNS if turn.runs > FEWEST_RUNS else 1), time.time()
    energy, watch = Counter(), Watch()
    samples = _timed(turn.call, turn.runs)
    seen, joules = watch.seen(), energy.joules()
    return {"samples": samples, "warmup": warmup, **seen, "joules": joules, "contended": False, "disturbed": "",
            "started_at": started_at}  # fmt: skip


def _timed(call: Callable[[], Any], n: int) -> list[float]:
    clock, samples = time.perf_counter, []
    for _ in range(n):
        start = clock()
        call()
        samples.append(clock() - start)
    return samples


def _mark(turns: Mapping[str, Turns], threads: int) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for turn in turns.values():
        for r, by in zip(turn.rounds, disturbances(turn.rounds, threads, cores), strict=True):
            r["disturbed"], r["contended"] = by, bool(by)
