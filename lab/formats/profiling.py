"""Profiling shared by all runtimes: timing calls in turns, classifying operators, subtracting the
cost of profiling.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from lab.evidence import Kind, OperatorTime
from lab.formats.feeding import fit_items
from lab.lazy import np
from lab.plugs import Array, Session

WARM_UP, BUDGET_S, FEWEST = 3, 1.0, 5
_SAID_S = 1e-7
_KINDS: tuple[tuple[Kind, str], ...] = (
    (
        "compute",
        r"conv(?!ert)|gemm|mat_?mul|matrix"
        r" multiply|fully.?connected|(?<![a-z])(?<!upsample_)linear|addmm|(?<![a-z])b?mm(?![a-z])"
        r"|gru|lstm|rnn|attention|einsum",
    ),
    ("dequantize", r"dequantize"),
    ("quantize", r"quantize(?!d)"),
    (
        "layout",
        r"transpose|permute|reorder|memcpy|copy|(?<![a-z])clone|contiguous|(?<![a-z])identity",
    ),
)
"""What the names of operators contain, in the runtimes' spellings; the first that fits counts, and
the rest is "other".
"""


def kind_of(operator: str) -> Kind:
    """Return the kind of an operator by its type: "QLinearConv" computes, "Transpose (ND, X8)" is
    layout.
    """
    return next(
        (kind for kind, pattern in _KINDS if re.search(pattern, operator, re.IGNORECASE)), "other"
    )


def fed(session: Session, item: Array) -> Array:
    """An item, shape (1, *item), as a session takes it: in its shape and type, repeated where it
    takes a batch.
    """
    fixed = session.input.shape[0]
    x = item if fixed in (None, len(item)) else np.repeat(item[:1], int(fixed or 1), axis=0)
    return session.prepare(fit_items(x, session.input.shape))


def typical(values: Array) -> Array:
    """Mean of the middle half of the rows: what interrupts a run now and then does not count, shape
    (runs, n) -> (n,).
    """
    ordered, runs = np.sort(values, axis=0), len(values)
    middle: Array = ordered[runs // 4 : runs - runs // 4].mean(axis=0)
    return middle


def warmed(runs: int, *calls: Callable[[], object]) -> int:
    """Return how many of the wanted runs of all calls fit into BUDGET_S, but at least FEWEST; each
    is called WARM_UP times to find out.
    """
    for call in calls:
        for _ in range(WARM_UP - 1):
            call()
    start = time.perf_counter()
    for call in calls:
        call()
    fitting = BUDGET_S / max(time.perf_counter() - start, 1e-9)
    return min(runs, max(FEWEST, int(fitting)))


def in_turns(runs: int, *calls: Callable[[], object]) -> list[float]:
    """Typical seconds of each call, which take turns so that other work on the machine slows all of
    them alike.
    """
    taken = np.zeros((runs, len(calls)))
    for row in taken:
        for column, call in enumerate(calls):
            start = time.perf_counter()
            call()
            row[column] = time.perf_counter() - start
    return [float(value) for value in typical(taken)]


def self_times(spans: Sequence[tuple[float, float]]) -> list[float]:
    """Time of each (start, duration) without that of the spans inside it, such as a loop's body, in
    the order given.
    """
    order = sorted(range(len(spans)), key=lambda i: (spans[i][0], -spans[i][1]))
    own, open_ = [duration for _, duration in spans], list[int]()
    for i in order:
        start, duration = spans[i]
        while open_ and start >= sum(spans[open_[-1]]):
            open_.pop()
        if open_:
            own[open_[-1]] -= duration
        open_.append(i)
    return [max(value, 0.0) for value in own]


def fitted(
    operators: Sequence[OperatorTime], total_s: float
) -> tuple[tuple[OperatorTime, ...], float]:
    """The operators without what timing them costs, and these seconds, for one run of an operator.

    Profilers time themselves along with each operator, some µs. What all operators take together
    beyond a whole call without
    the profiler is taken off each run of an operator alike, though of none more than it took, and
    no more than half of the
    operators take at all: what is beyond that is not the profiler's.

    Args:
        total_s: seconds of a call without the profiler.
    """
    times, calls = np.array([o.time_s for o in operators]), np.array([o.calls for o in operators])
    cost = min(_level(times, calls, float(times.sum()) - total_s), float(np.median(times / calls)))
    rest = np.maximum(times - cost * calls, 0.0)
    return tuple(replace(o, time_s=float(t)) for o, t in zip(operators, rest, strict=True)), cost


def _level(times: Array, calls: Array, excess: float) -> float:
    """Return the time to subtract from each call so that `excess` is subtracted in all; calls that
    are shorter give all they have.
    """
    each = np.sort(times / calls)
    order = np.argsort(times / calls)
    for first in range(len(order)):  # the ones before give all
        left = excess - times[order[:first]].sum()
        cost = left / calls[order[first:]].sum()
        if cost <= each[first]:
            return float(max(cost, 0.0))
    return 0.0


def said(note: str, cost_s: float) -> str:
    """A profile's note, with what profiling cost where it was taken off."""
    cost = (
        f"Timing itself took {1e6 * cost_s:.1f} µs an operator, which is taken off."
        if cost_s >= _SAID_S
        else ""
    )
    return " ".join(part for part in (note, cost) if part)
