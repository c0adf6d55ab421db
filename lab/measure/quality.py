"""How good a measurement is: which rounds count, and what has to be said about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lab.lazy import np
from lab.measure.rounds import BLOCK, half_width, samples_by_round

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SPREAD = 0.1
"""Standard deviation of the rounds' medians over their mean from which pyperf, too, calls a
benchmark unstable.
"""


def clean_turns(turns: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The undisturbed turns; all of them where they are of fewer than two rounds, which have no
    interval.
    """
    clean = [t for t in turns if not t["contended"]]
    return clean if len({t["round"] for t in clean}) > 1 else turns


def clean_rounds(turns: Sequence[Mapping[str, Any]]) -> dict[int, NDArray[np.float64]]:
    """Round number -> seconds of its undisturbed runs, 1-D; of all runs where fewer than two rounds
    are undisturbed.
    """
    return {
        number: np.asarray(samples)
        for number, samples in samples_by_round(clean_turns(turns)).items()
    }


def flags_of(turns: Sequence[Mapping[str, Any]], precision: float) -> list[str]:
    """What a reader has to know about a latency.

    Returns:
        "contended": too few turns were undisturbed to go without the others, or to be sure of them;
        "unstable": rounds differ by
        more than MOST_SPREAD; "imprecise": the budget ended before the interval was as narrow as
        asked for.
    """
    clean, rounds = sum(not t["contended"] for t in turns), list(clean_rounds(turns).values())
    medians = np.array([np.median(samples) for samples in rounds])
    told = {
        "contended": clean < min(BLOCK, len(turns)) or clean < len(turns) / 4,
        "unstable": float(medians.std()) > MOST_SPREAD * float(medians.mean()),
        "imprecise": half_width(rounds) > precision,
    }
    return [flag for flag, true in told.items() if true]


def timing_of(turns: Sequence[Mapping[str, Any]], session: str) -> dict[str, Any]:
    """What a trial keeps of its timing, so that it can be compared with any other without the raw
    samples.

    Args:
        session: names the process in which several variants took turns; rounds of one session are
            paired.

    Returns:
        session; rounds: numbers of the rounds with undisturbed turns; medians_s: of each;
        disturbed: what by -> how many turns;
        turns: in all; seconds: spent on timed runs and their warm-up; half_width: of the median's
            interval, over the median.
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
