"""Quality of a measurement: the rounds that count, and warnings about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lab.lazy import np
from lab.measure.rounds import BLOCK, half_width, samples_by_round

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SPREAD = 0.1
"""Relative standard deviation of the rounds' medians above which a benchmark is unstable, as in
pyperf.
"""


def clean_turns(turns: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the undisturbed turns, or all turns if the undisturbed ones have fewer than two
    rounds, which give no interval.
    """
    clean = [t for t in turns if not t["contended"]]
    return clean if len({t["round"] for t in clean}) > 1 else turns


def clean_rounds(turns: Sequence[Mapping[str, Any]]) -> dict[int, NDArray[np.float64]]:
    """Return the seconds of the undisturbed runs by round, 1-D; of all runs if fewer than two
    rounds are undisturbed.
    """
    return {
        number: np.asarray(samples)
        for number, samples in samples_by_round(clean_turns(turns)).items()
    }


def flags_of(turns: Sequence[Mapping[str, Any]], precision: float) -> list[str]:
    """Return the warnings about a latency.

    Returns:
        "contended": too few turns were undisturbed to use only these, or to recognize them;
        "unstable": rounds differ by more than MOST_SPREAD; "imprecise": the budget ended before the
        interval was as narrow as requested.
    """
    clean, rounds = sum(not t["contended"] for t in turns), list(clean_rounds(turns).values())
    medians = np.array([np.median(samples) for samples in rounds])
    applies = {
        "contended": clean < min(BLOCK, len(turns)) or clean < len(turns) / 4,
        "unstable": float(medians.std()) > MOST_SPREAD * float(medians.mean()),
        "imprecise": half_width(rounds) > precision,
    }
    return [flag for flag, true in applies.items() if true]


def timing_of(turns: Sequence[Mapping[str, Any]], session: str) -> dict[str, Any]:
    """Return the summary of a trial's timing, with which it can be compared to any other without
    the raw samples.

    Args:
        session: name of the process in which several variants took turns; rounds of one session are
            paired.

    Returns:
        session: the same name.
        rounds: numbers of the rounds with undisturbed turns.
        medians_s: median of each of these rounds.
        disturbed: number of disturbed turns by cause.
        turns: total number of turns.
        seconds: time spent on timed runs and their warm-up.
        half_width: half-width of the median's interval over the median.
    """
    used = clean_rounds(turns)
    return {
        "session": session,
        "rounds": list(used),
        "medians_s": [float(f"{np.median(samples):.6g}") for samples in used.values()],
        "disturbed": dict(Counter(t["disturbed"] for t in turns if t["disturbed"])),
        "turns": len(turns),
        "seconds": round(sum(sum(t["samples"]) + sum(t["warmup"]) for t in turns), 4),
        "half_width": round(half_width(list(used.values())), 5) if len(used) > 1 else None,
    }
