"""Threads without effect: trials of one variant on one target that differ only in the number of
threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.analysis.differences import surely_faster
from lab.types import Trial, digest_of


@dataclass(frozen=True)
class NoGain:
    """A trial whose additional threads have no effect.

    Attributes:
        trial: the one with more threads; fewer: the one that is as quick with fewer.
        speedup: latency with fewer threads over latency with more; about 1, or below.
    """

    trial: str
    fewer: str
    threads: int
    fewer_threads: int
    speedup: float


def without_effect(trials: Iterable[Trial]) -> tuple[NoGain, ...]:
    """Return the trials that are no faster than the same variant with fewer threads: the difference
    may be chance, or they are slower.
    """
    timed = [t for t in trials if "threads" in t.target.options and "latency_s" in t.measurements]
    if len({t.target.options["threads"] for t in timed}) < 2:
        return ()
    alike: dict[str, list[Trial]] = {}
    for trial in timed:
        alike.setdefault(_key(trial), []).append(trial)
    gains = (_no_gain(group, trial) for group in alike.values() for trial in group)
    return tuple(gain for gain in gains if gain)


def _key(trial: Trial) -> str:
    rest = {k: v for k, v in trial.target.options.items() if k != "threads"}
    return digest_of([trial.recipe.to_json(), trial.target.runtime, rest, trial.environment])


def _no_gain(group: Sequence[Trial], trial: Trial) -> NoGain | None:
    """Compare a trial with the one of its group with the fewest threads."""
    fewest = min(group, key=lambda t: int(t.target.options["threads"]))
    mine, theirs = (t.measurements["latency_s"] for t in (trial, fewest))
    more, fewer = (int(t.target.options["threads"]) for t in (trial, fewest))
    if more == fewer or (surely_faster(trial, fewest)):
        return None
    return NoGain(trial.id, fewest.id, more, fewer, theirs.value / mine.value)
