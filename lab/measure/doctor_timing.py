"""Checks of timing quality: the clock, the steadiness of the processor, and comparisons by the
lab's own rounds with a known result.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

from lab.errors import LabError
from lab.measure import doctor_models
from lab.measure.check import Check
from lab.measure.gate import pace_s
from lab.measure.rounds import Protocol, samples_by_round, time_rounds
from lab.statistics import ERROR, FEWEST_PAIRS, Ratio, paired_ratio
from lab.types import StudySpec

SLOW_READING_S = 1e-6
WATCH_S, WINDOW_S, UNSTEADY = 2.0, 0.05, 0.10
SLOWER, HARD_TO_SEE, CALLS = 0.05, 0.05, 40
POWER, MANY = 0.8, 10
Call = Callable[[], Any]


def timer(readings: int = 20_000) -> Check:
    """Check the resolution of the clock and the cost of reading it."""
    clock = time.perf_counter
    seen = [clock() for _ in range(readings)]
    steps = [b - a for a, b in pairwise(seen)]
    cost, finest = (
        (seen[-1] - seen[0]) / readings,
        min((s for s in steps if s > 0), default=math.inf),
    )
    slow = cost > SLOW_READING_S
    text = (
        f"Reading the clock takes {1e9 * cost:.0f} ns, so calls of {1e6 * 100 * cost:.0f} µs or"
        " more are timed within 1 %."
    )
    return Check(
        "timer",
        "Timer",
        "warning" if slow else "ok",
        text,
        {"reading_s": cost, "finest_step_s": finest},
        (
            "The clock source is slow; see"
            " /sys/devices/system/clocksource/clocksource0/current_clocksource (tsc is fast)."
            if slow
            else ""
        ),
    )


def steadiness(watch_s: float = WATCH_S, loop: Callable[[], float] = pace_s) -> Check:
    """Check whether the same loop, which waits for nothing, always takes the same time."""
    windows: list[float] = []
    end = time.perf_counter() + watch_s
    while time.perf_counter() < end:
        windows.append(_window(loop))
    fastest, slowest = min(windows), max(windows)
    spread = slowest / fastest - 1
    figures = {
        "spread": spread,
        "fastest_loop_s": fastest,
        "slowest_loop_s": slowest,
        "watched_s": watch_s,
    }
    text = (
        f"The slowest run of the same loop took {100 * spread:.0f} % longer than the fastest within"
        f" {watch_s:.0f} s."
    )
    unsteady = spread > UNSTEADY
    return Check(
        "steadiness",
        "Steadiness",
        "warning" if unsteady else "ok",
        text,
        figures,
        (
            "Stop other programs. On a virtual machine, another machine on the host may be the"
            " cause: trust paired comparisons within a study, and measure again before comparing"
            " studies."
            if unsteady
            else ""
        ),
    )


def _window(loop: Callable[[], float]) -> float:
    end, seen = time.perf_counter() + WINDOW_S, [loop()]
    while time.perf_counter() < end:
        seen.append(loop())
    return median(seen)


# --- comparisons with a known result --------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """Results of the lab's rounds for two variants that are one file, and for one that is slower by
    SLOWER.

    Attributes:
        of: name of the workload.
        same, slower: one ratio per repetition.
        rounds, disturbed: total numbers of turns and of disturbed turns.
    """

    of: str
    same: tuple[Ratio, ...]
    slower: tuple[Ratio, ...]
    rounds: int
    disturbed: int


@cache
def compared(repeat: int) -> Compared:
    """Measure repeatedly as a study does: the same file twice, and once with a delay after each
    call.
    """
    same, slower, turns = [], [], list[Mapping[str, Any]]()
    with tempfile.TemporaryDirectory() as folder:
        of, load = doctor_models.loader(Path(folder))
        loads = {"a": load, "b": load, "slower": lambda: delayed(load(), SLOWER)}
        for number in range(repeat):
            measured = _timed_turns(loads, number)
            same.append(ratio(measured["a"], measured["b"]))
            slower.append(ratio(measured["a"], measured["slower"]))
            turns += [turn for each in measured.values() for turn in each]
    return Compared(
        of, tuple(same), tuple(slower), len(turns), sum(bool(t["contended"]) for t in turns)
    )


def _timed_turns(
    loads: Mapping[str, Callable[[], Call]], seed: int
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    turns_by_variant: Mapping[str, Any] = time_rounds(loads, protocol(seed))
    for turns in turns_by_variant.values():
        if "error" in turns:
            raise LabError(
                "A network of the self-test failed to run", given=turns["error"]["message"]
            )
    return turns_by_variant


def protocol(seed: int) -> Protocol:
    """Return the schedule of a study, with overrides."""
    usual = StudySpec("")
    return Protocol(
        usual.rounds, usual.runs, usual.turn_s, usual.precision, usual.budget_s, 1, seed
    )


def delayed(call: Call, by: float) -> Call:
    """Return the call followed by a busy wait of a known share of its usual time."""
    clock = time.perf_counter
    for _ in range(CALLS):
        call()
    usual = median(_timed(call) for _ in range(CALLS))

    def slower() -> None:
        call()
        end = clock() + by * usual
        while clock() < end:
            pass

    return slower


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ratio(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> Ratio:
    """Return the paired ratio of the medians of common undisturbed rounds, or of all rounds if
    those are too few.
    """
    first, second = (_medians([t for t in turns if not t["contended"]]) for turns in (a, b))
    if len(first.keys() & second.keys()) < FEWEST_PAIRS:
        first, second = _medians(a), _medians(b)
    both = sorted(first.keys() & second.keys())
    return paired_ratio([first[n] for n in both], [second[n] for n in both])


def _medians(turns: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    return {number: median(samples) for number, samples in samples_by_round(turns).items()}


def false_differences(repeat: int) -> Check:
    """Run the A/A test: the rate at which the same file is called faster or slower than itself."""
    found = compared(repeat)
    false, n = sum(r.differs for r in found.same), len(found.same)
    worst = max((abs(r.value - 1) for r in found.same), default=0.0)
    figures = {
        "false_differences": false,
        "repetitions": n,
        "rate": false / n,
        "largest_difference": worst,
        "ratios": [r.value for r in found.same],
        "p_values": [r.p for r in found.same],
        "rounds": found.rounds,
        "disturbed_rounds": found.disturbed,
    }
    text = (
        f"{found.of}, measured twice, was called different from itself in {false} of {n}"
        f" measurements ({100 * ERROR:.0f} % are expected); the largest difference was"
        f" {100 * worst:.1f} %. {found.disturbed} of {found.rounds} timing rounds were disturbed."
    )
    if found.disturbed > found.rounds / 2:
        return Check(
            "a_a",
            "A/A test",
            "warning",
            text,
            figures,
            "Most timing rounds were disturbed: stop other programs, and test again.",
        )
    bad = at_least(false, n, ERROR) < 0.05
    return Check(
        "a_a",
        "A/A test",
        "warning" if bad else "ok",
        text,
        figures,
        (
            "Do not trust differences in studies made now: fix the checks with warnings, and"
            " measure again."
            if bad
            else ""
        ),
    )


def at_least(k: int, n: int, p: float) -> float:
    """Return the probability of k or more hits in n tries with probability p each."""
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


def detection(repeat: int) -> Check:
    """Run the A/B test: detection of a variant that is slower by 5 %, and the smallest detectable
    difference.
    """
    found = compared(repeat)
    limit, seen, n = (
        detection_limit(found.same),
        sum(r.differs and r.value > 1 for r in found.slower),
        len(found.slower),
    )
    usual = median(r.value for r in found.slower) - 1
    figures = {
        "detection_limit": limit,
        "slower_by": SLOWER,
        "seen": seen,
        "repetitions": n,
        "measured_slower_by": usual,
        "ratios": [r.value for r in found.slower],
        "p_values": [r.p for r in found.slower],
    }
    text = (
        f"A variant slowed by {100 * SLOWER:.0f} % was detected in {seen} of {n} measurements, as"
        f" {100 * usual:.1f} % slower. A difference of {100 * limit:.1f} % would be detected in"
        f" {100 * POWER:.0f} of 100 measurements."
    )
    hard = limit > HARD_TO_SEE
    return Check(
        "a_b",
        "Detection limit",
        "warning" if hard else "ok",
        text,
        figures,
        (
            "Use more rounds or a quieter machine before relying on small differences."
            if hard
            else ""
        ),
    )


def detection_limit(same: Sequence[Ratio]) -> float:
    """Return the smallest relative difference that a paired comparison detects with POWER,
    estimated from pairs without a difference.

    The standard error is about a quarter of the interval's width, or the spread of many repetitions
    around no difference if that is larger.
    """
    errors = [(math.log(r.high) - math.log(r.low)) / 2 / _Z for r in same]
    spread = (
        math.sqrt(sum(math.log(r.value) ** 2 for r in same) / len(same))
        if len(same) >= MANY
        else 0.0
    )
    return math.expm1(
        (NormalDist().inv_cdf(1 - ERROR / 2) + NormalDist().inv_cdf(POWER))
        * max(median(errors), spread)
    )


_Z = NormalDist().inv_cdf(0.975)


# --- more threads ---------------------------------------------------------------------------------


def thread_scaling(cores: int, lasting_s: float = 0.1, rounds: int = 4) -> Check:
    """Check the speedup of a convolution in ONNX Runtime with 1, 2, 4 … threads."""
    counts = [n for n in (2**i for i in range(12)) if n < cores] + [cores]
    with tempfile.TemporaryDirectory() as folder:
        loads = {n: doctor_models.wide(Path(folder), n) for n in counts}
        if None in loads.values():
            return Check(
                "threads",
                "Threads",
                "unavailable",
                "ONNX Runtime, which this check needs, is not installed.",
                {},
                "Run: pip install onnx onnxruntime.",
            )
        seconds = dict.fromkeys(counts, math.inf)
        for _ in range(rounds):
            for n in counts:
                seconds[n] = min(seconds[n], _median_s(loads[n](), lasting_s))  # type: ignore[misc]
    return scaling(seconds)


def _median_s(call: Call, lasting_s: float) -> float:
    call()
    end, seen = time.perf_counter() + lasting_s, [_timed(call)]
    while time.perf_counter() < end:
        seen.append(_timed(call))
    return median(seen)


def scaling(seconds: Mapping[int, float]) -> Check:
    """Describe the speedup from the seconds of one call with each number of threads."""
    speedups = {n: seconds[1] / s for n, s in seconds.items()}
    most = max(seconds)
    figures = {
        "seconds": {str(n): s for n, s in seconds.items()},
        "speedup": {str(n): x for n, x in speedups.items()},
        "efficiency": {str(n): x / n for n, x in speedups.items()},
    }
    if most == 1:
        return Check(
            "threads",
            "Threads",
            "ok",
            "There is only one core, so more threads cannot help.",
            figures,
        )
    weak = speedups[most] < 0.6 * most
    text = (
        f"{most} threads are {speedups[most]:.2f} times as fast as one"
        f" ({100 * speedups[most] / most:.0f} % of the ideal)."
    )
    return Check(
        "threads",
        "Threads",
        "warning" if weak else "ok",
        text,
        figures,
        (
            "The cores may be hyper-threads of one core, or busy now: prefer one thread, or stop"
            " other programs and test again."
            if weak
            else ""
        ),
    )


def timing_checks(repeat: int, cores: int) -> tuple[Callable[[], Check], ...]:
    """Return the checks of this file, ready to run."""
    return (
        timer,
        steadiness,
        partial(false_differences, repeat),
        partial(detection, repeat),
        partial(thread_scaling, cores),
    )
