"""Warm latency in interleaved rounds: all variants take turns in shuffled order, so that drift
affects all equally.

Each round is a forked process that loads every variant again. The memory addresses of a model
decide how well it fits the caches; two copies of one file, loaded once, would differ by a percent
or two for their whole lifetime, and more runs would not reveal that this is chance. So the
addresses are drawn again in each round, and rounds are the samples of intervals and tests.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from lab.lazy import np
from lab.measure.conditions import usable_cores
from lab.measure.energy import Counter
from lab.measure.forked import forked
from lab.measure.gate import Watch, disturbances
from lab.statistics import cluster_bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

Call = Callable[[], Any]
TURNS = 2
"""Turns of each variant in a round; the second shows changes in the meantime."""
WARM_UP_RUNS = 3
"""Warm-up runs before each turn; one if a turn has so few runs that warming up would double its
time.
"""
FEWEST_RUNS = 3
BLOCK = 5
"""Rounds between two checks of the intervals, and the smallest number of rounds when the budget is
spent.
"""
MOST_ROUNDS = 3
"""Largest multiple of the requested rounds, regardless of the remaining budget."""
LIMIT_S = 600.0
DIGITS = 10
"""Decimal places of seconds: clocks are not more precise, and raw samples are stored."""


@dataclass(frozen=True)
class Protocol:
    """Duration and precision of a measurement.

    Attributes:
        rounds: smallest number of undisturbed rounds.
        runs: largest number of timed runs in a turn.
        turn_s: target duration of a turn in seconds.
        precision: half-width of the median's 95 % interval over the median at which a variant has
            enough rounds.
        budget_s: seconds for each variant after which no further rounds begin.
        threads: number of threads of the runtime.
        afresh: True loads the variants again in each round; else all rounds of a block share the
            loaded variants.
    """

    rounds: int
    runs: int
    turn_s: float
    precision: float = 0.02
    budget_s: float = 3.0
    threads: int = 1
    seed: int = 0
    afresh: bool = True


@dataclass
class Variant:
    """Variant with its loader and its timed turns."""

    load: Callable[[], Call]
    runs: int = 0
    turns: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None


def time_rounds(
    loads: Mapping[str, Callable[[], Call]],
    protocol: Protocol,
    isolate: Callable[..., dict[str, Any]] = forked,
) -> dict[str, Any]:
    """Time every variant in shuffled rounds; continue with those that were disturbed or whose
    interval is still too wide.

    Args:
        loads: variant -> function that loads it and returns the call to time.
        isolate: (work, limit in seconds, what) -> result of the work, or {"error"}.

    Returns:
        variant -> {"error"} or list of turns {"round", "samples" s, "warmup" s, "cpu_ratio",
        "waiting", "pace_s", "contended", "disturbed" (its cause, or ""), "joules" (or None),
        "started_at"}; disturbed turns stay in the list. Rounds of equal number are paired.
    """
    order = random.Random(protocol.seed)
    variants = {name: Variant(load) for name, load in loads.items()}
    end, made, left = time.monotonic() + protocol.budget_s * len(variants), 0, list(variants)
    while left and made < MOST_ROUNDS * protocol.rounds and (made == 0 or time.monotonic() < end):
        block = min(BLOCK, protocol.rounds - made) if made < protocol.rounds else BLOCK
        numbers = range(made, made + block)
        for together in [[n] for n in numbers] if protocol.afresh else [list(numbers)]:
            _make_rounds(
                {name: variants[name] for name in left}, together, protocol, order, isolate
            )
        made += block
        for variant in variants.values():
            _mark(variant.turns, protocol.threads)
        left = [
            name for name, v in variants.items() if v.error is None and not _enough(v, protocol)
        ]
    return {name: {"error": v.error} if v.error else v.turns for name, v in variants.items()}


def _make_rounds(
    variants: Mapping[str, Variant],
    numbers: Sequence[int],
    protocol: Protocol,
    order: random.Random,
    isolate: Callable[..., dict[str, Any]],
) -> None:
    """Run some rounds of some variants in one process; if that fails, run each variant in a
    separate process to find the failing one.
    """
    seed = order.random()
    results = isolate(
        lambda: _timed_rounds(variants, numbers, protocol, random.Random(seed)), LIMIT_S, "timing"
    )
    if "error" in results and len(variants) > 1:
        for name, variant in variants.items():
            _make_rounds({name: variant}, numbers, protocol, order, isolate)
        return
    for name, variant in variants.items():
        if "error" in results:
            variant.error = results["error"]
        else:
            variant.runs = results[name]["runs"]
            variant.turns += results[name]["turns"]


def _timed_rounds(
    variants: Mapping[str, Variant],
    numbers: Sequence[int],
    protocol: Protocol,
    order: random.Random,
) -> dict[str, Any]:
    """Run the rounds in this process and return variant -> {"runs", "turns"}."""
    names = list(variants)
    order.shuffle(names)
    calls = {name: variants[name].load() for name in names}
    gc.disable()
    runs = {
        name: variants[name].runs or _runs_per_turn(calls[name], protocol.runs, protocol.turn_s)
        for name in names
    }
    found: dict[str, Any] = {name: {"runs": runs[name], "turns": []} for name in names}
    for number in numbers:
        for _ in range(TURNS):
            order.shuffle(names)
            for name in names:
                found[name]["turns"].append(
                    {"round": number, **_take_turn(calls[name], runs[name])}
                )
    gc.enable()
    return found


def _enough(variant: Variant, protocol: Protocol) -> bool:
    clean = samples_by_round([t for t in variant.turns if not t["contended"]])
    return len(clean) >= protocol.rounds and half_width(list(clean.values())) <= protocol.precision


def samples_by_round(turns: Sequence[Mapping[str, Any]]) -> dict[int, list[float]]:
    """Return all samples by round number, in the order of the rounds."""
    found: dict[int, list[float]] = {}
    for turn in turns:
        found.setdefault(turn["round"], []).extend(turn["samples"])
    return found


def half_width(rounds: Sequence[Sequence[float] | NDArray[np.float64]]) -> float:
    """Return half of the median's 95 % interval over the median; infinite for fewer than two
    rounds.
    """
    if len(rounds) < 2:
        return float("inf")
    arrays = [np.asarray(r) for r in rounds]
    low, high = cluster_bootstrap(arrays, 0.5)
    return (high - low) / 2 / float(np.median(np.concatenate(arrays)))


def _runs_per_turn(call: Call, runs: int, turn_s: float) -> int:
    seconds = median(_timed(call, 5))
    fitting = int(turn_s / max(seconds, 1e-9))
    return max(FEWEST_RUNS, min(runs, fitting)) if runs >= FEWEST_RUNS else runs


def _take_turn(call: Call, runs: int) -> dict[str, Any]:
    warmup, started_at = _timed(call, WARM_UP_RUNS if runs > FEWEST_RUNS else 1), time.time()
    energy, watch = Counter(), Watch()
    samples = _timed(call, runs)
    seen, joules = watch.seen(), energy.joules()
    return {
        "samples": samples,
        "warmup": warmup,
        **seen,
        "joules": joules,
        "contended": False,
        "disturbed": "",
        "started_at": started_at,
    }


def _timed(call: Call, n: int) -> list[float]:
    clock, samples = time.perf_counter, []
    for _ in range(n):
        start = clock()
        call()
        samples.append(round(clock() - start, DIGITS))
    return samples


def _mark(turns: Sequence[dict[str, Any]], threads: int) -> None:
    cores = len(usable_cores())
    for turn, by in zip(turns, disturbances(turns, threads, cores) if turns else (), strict=True):
        turn["disturbed"], turn["contended"] = by, bool(by)
