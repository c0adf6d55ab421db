"""How good a measurement is: which rounds count, and what has to be said about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lab.lazy import np
from lab.measure.rounds import BLOCK, half_width

MOST_SPREAD = 0.1
"""Standard deviation of the rounds' medians over their mean from which pyperf, too, calls a benchmark unstable."""


def clean_rounds(rounds: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The undisturbed rounds; all of them where none is."""
    return [r for r in rounds if not r["contended"]] or rounds


def flags_of(rounds: Sequence[Mapping[str, Any]], precision: float) -> list[str]:
    """What a reader has to know about a latency.

    Returns:
        "contended": too few rounds were undisturbed to go without the others, or to be sure of them; "unstable": rounds differ by
        more than MOST_SPREAD; "imprecise": the budget ended before the interval was as narrow as asked for.
    """
    clean = sum(not r["contended"] for r in rounds)
    samples = [r["samples"] for r in clean_rounds(rounds)]
    medians = np.array([np.median(s) for s in samples])
    told = {
        "contended": clean < min(BLOCK, len(rounds)) or clean < len(rounds) / 4,
        "unstable": float(medians.std()) > MOST_SPREAD * float(medians.mean()),
        "imprecise": half_width(samples) > precision,
    }
    return [flag for flag, true in told.items() if true]


def timing_of(rounds: Sequence[Mapping[str, Any]], session: str) -> dict[str, Any]:
    """What a trial keeps of its timing, so that it can be compared with any other without the raw samples.

    Args:
        session: names the process in which several variants took turns; rounds of one session are paired.

    Returns:
        session; rounds: numbers of the undisturbed rounds; medians_s: of each; disturbed: what by -> how many turns; turns: in all;
        seconds: spent on timed runs and their warm-up; half_width: of the median's interval, over the median.
    """
    used = clean_rounds(rounds)
    return {
        "session": session, "rounds": [r["round"] for r in used],
        "medians_s": [float(f"{np.median(r['samples']):.6g}") for r in used],
        "disturbed": dict(Counter(r["disturbed"] for r in rounds if r["disturbed"])), "turns": len(rounds),
        "seconds": round(sum(sum(r["samples"]) + sum(r["warmup"]) for r in rounds), 4),
        "half_width": round(half_width([r["samples"] for r in used]), 5) if len(used) > 1 else None,
    }  # fmt: skip
