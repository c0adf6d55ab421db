"""Warm latency in interleaved rounds: all variants take turns in shuffled order, so that drift hits all alike."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

MINIMUM_CPU_RATIO = 0.9
WARM_UP_RUNS = 3


@dataclass
class Turns:
    """A variant's call and all that was timed of it."""

    call: Callable[[], Any]
    runs: int = 1
    rounds: list[dict[str, Any]] = field(default_factory=list)


def time_rounds(
    calls: Mapping[str, Callable[[], Any]], rounds: int, runs: int, turn_s: float, threads: int, seed: int
) -> dict[str, Any]:
    """Time every call in `rounds` shuffled rounds and repeat the contended turns.

    Args:
        calls: variant -> a call to time.
        runs: timed runs in a turn at most; fewer (at least 3) where a turn would last longer than `turn_s`.
        threads: what the runtime was told; decides how CPU time over wall time is read.

    Returns:
        variant -> list of turns {"samples" s, "warmup" s, "cpu_ratio", "contended"}; contended turns stay in the list.
    """
    order = random.Random(seed)
    turns = {name: Turns(call) for name, call in calls.items()}
    gc.disable()
    for turn in turns.values():
        turn.runs = _runs_per_turn(turn.call, runs, turn_s)
    for _ in range(rounds):
        _one_round(list(turns.values()), order)
    _mark(turns, threads)
    for _ in range(rounds):  # as many extra rounds at most, of contended variants only
        short = [t for t in turns.values() if _clean(t) < rounds]
        _one_round(short, order)
        _mark(turns, threads)
    gc.enable()
    return {name: turn.rounds for name, turn in turns.items()}


def _clean(turn: Turns) -> int:
    return sum(not r["contended"] for r in turn.rounds)


def _one_round(turns: list[Turns], order: random.Random) -> None:
    order.shuffle(turns)
    for turn in turns:
        turn.rounds.append(_take_turn(turn))


def _runs_per_turn(call: Callable[[], Any], runs: int, turn_s: float) -> int:
    seconds = median(_timed(call, 5))
    return max(3, min(runs, int(turn_s / max(seconds, 1e-9)))) if runs >= 3 else runs


def _take_turn(turn: Turns) -> dict[str, Any]:
    warmup = _timed(turn.call, WARM_UP_RUNS)
    wall, cpu = time.perf_counter(), time.process_time()
    samples = _timed(turn.call, turn.runs)
    ratio = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return {"samples": samples, "warmup": warmup, "cpu_ratio": ratio, "contended": False, "started_at": time.time()}


def _timed(call: Callable[[], Any], n: int) -> list[float]:
    clock, samples = time.perf_counter, []
    for _ in range(n):
        start = clock()
        call()
        samples.append(clock() - start)
    return samples


def _mark(turns: Mapping[str, Turns], threads: int) -> None:
    """A turn is contended where the process had clearly less CPU than in its own best turn (one thread: than all of it)."""
    for turn in turns.values():
        best = max(r["cpu_ratio"] for r in turn.rounds)
        expected = max(best, 1.0) if threads == 1 else best
        for r in turn.rounds:
            r["contended"] = r["cpu_ratio"] < MINIMUM_CPU_RATIO * min(expected, float(threads))
