"""Tests of the difference between two trials: item by item for accuracy, round by round for
latency, otherwise by their intervals.

What is compared lies in a trial's details. `right = {"metric", "n", "bits"}` says which test items
it answered rightly, one bit an item, packed and in base64. `timing = {"session", "rounds",
"medians_s", …}` has the median of each undisturbed round; trials of one session took turns, so that
their rounds are paired (`lab.measure.quality.timing_of`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from lab import statistics
from lab.analysis.front import baseline_of, overlap
from lab.lazy import np
from lab.types import Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

LATENCY = "latency_s"


@dataclass(frozen=True)
class Difference:
    """Difference of one metric between two trials.

    Attributes:
        kind: "change": value is trial minus other; "ratio": trial over other.
        value, low, high: with its 95 % interval.
        p: two-sided p-value of there being no difference; adjusted: the same among all the
            comparisons that were made with it (false discovery rate, Benjamini and Hochberg), or
            None for a comparison alone.
        n: pairs: items or rounds.
        test: the test: "paired items", "paired rounds" or "separate rounds".
    """

    metric: str
    kind: Literal["change", "ratio"]
    value: float
    low: float
    high: float
    p: float
    n: int
    test: str
    adjusted: float | None = None

    @property
    def differs(self) -> bool:
        """True if chance is an unlikely cause (`lab.statistics.ERROR`)."""
        return (self.p if self.adjusted is None else self.adjusted) < statistics.ERROR


def pack(right: NDArray[np.bool_], metric: str) -> dict[str, Any]:
    """Pack the mask of correctly predicted items, shape (items,), for a trial's details."""
    return {
        "metric": metric,
        "n": len(right),
        "bits": base64.b64encode(np.packbits(right).tobytes()).decode(),
    }


@lru_cache(maxsize=1024)
def unpack(bits: str, n: int) -> NDArray[np.bool_]:
    """Invert `pack`: bool array, shape (items,)."""
    return np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8))[:n].astype(bool)


def difference(metric: str, trial: Trial, other: Trial) -> Difference | None:
    """Return the difference of a trial from another; None without records that are more precise
    than the two intervals.
    """
    if metric not in trial.measurements or metric not in other.measurements:
        return None
    return _by_rounds(trial, other) if metric == LATENCY else _by_items(metric, trial, other)


def _by_items(metric: str, trial: Trial, other: Trial) -> Difference | None:
    mine, theirs = (t.details.correct or {} for t in (trial, other))
    if mine.get("metric") != metric or theirs.get("metric") != metric or mine["n"] != theirs["n"]:
        return None
    n = int(mine["n"])
    won, lost = _won_and_lost(unpack(mine["bits"], n), unpack(theirs["bits"], n))
    low, high = statistics.paired_difference(won, lost, n)
    return Difference(
        metric,
        "change",
        (won - lost) / n,
        low,
        high,
        statistics.mcnemar(won, lost),
        n,
        "paired items",
    )


def _won_and_lost(mine: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> tuple[int, int]:
    return int((mine & ~theirs).sum()), int((theirs & ~mine).sum())


def _by_rounds(trial: Trial, other: Trial) -> Difference | None:
    mine, theirs = (t.details.timing or {} for t in (trial, other))
    if not mine or not theirs or trial.environment != other.environment:
        return None
    if (
        mine["session"] == theirs["session"]
        and len(pairs := _pairs(mine, theirs)) >= statistics.FEWEST_PAIRS
    ):
        ratio, test = (
            statistics.paired_ratio([b for _, b in pairs], [a for a, _ in pairs]),
            "paired rounds",
        )
    elif min(len(mine["medians_s"]), len(theirs["medians_s"])) > 1:
        ratio, test = (
            statistics.unpaired_ratio(theirs["medians_s"], mine["medians_s"]),
            "separate rounds",
        )
    else:
        return None
    return Difference(LATENCY, "ratio", ratio.value, ratio.low, ratio.high, ratio.p, ratio.n, test)


def _pairs(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[tuple[float, float]]:
    others = dict(zip(theirs["rounds"], theirs["medians_s"], strict=True))
    return [
        (m, others[r])
        for r, m in zip(mine["rounds"], mine["medians_s"], strict=True)
        if r in others
    ]


def against_baselines(
    trials: Sequence[Trial], metrics: Iterable[str]
) -> Mapping[str, Mapping[str, Difference]]:
    """Compare every complete trial with its float baseline, corrected for the number of
    comparisons.

    Returns:
        trial id -> metric -> Difference; baselines, and what cannot be compared, are left out.
    """
    complete = [t for t in trials if t.state == "complete"]
    floats = [t for t in complete if t.is_baseline]
    baselines = {t.id: baseline_of(t, floats) for t in complete if not t.is_baseline}
    by_trial: dict[str, dict[str, Difference]] = {}
    for metric in metrics:
        differences = {
            t.id: d
            for t in complete
            if (base := baselines.get(t.id)) and (d := difference(metric, t, base))
        }
        for id_, adjusted in zip(
            differences, statistics.adjusted([d.p for d in differences.values()]), strict=True
        ):
            by_trial.setdefault(id_, {})[metric] = replace(differences[id_], adjusted=adjusted)
    return by_trial


def differs(metric: str, trial: Trial, other: Trial) -> bool:
    """Return True if two trials differ in a metric by more than chance: by the test of
    `difference`, otherwise if their intervals do not overlap.
    """
    tested = difference(metric, trial, other)
    return (
        tested.differs
        if tested
        else not overlap(trial.measurements[metric], other.measurements[metric])
    )


def surely_faster(trial: Trial, other: Trial) -> bool:
    """Return True if a trial's latency is below another's by more than chance; False if one has no
    latency.
    """
    mine, theirs = (t.measurements.get(LATENCY) for t in (trial, other))
    return bool(mine and theirs and mine.value < theirs.value and differs(LATENCY, trial, other))


def against_float(metric: str, trial: Trial) -> tuple[float, float] | None:
    """Return the distances below and above its value within which a metric may lie, from the
    comparison with the float model on the same items.

    Narrower than the metric's own interval, which also holds that other items would have been
    harder or easier for all alike.

    Returns:
        None where items were not compared; (0, 0) for the float model itself.
    """
    change = trial.measurements.get("accuracy_change")
    if (trial.details.correct or {}).get("metric") != metric or not change:
        return None
    if trial.is_baseline or change.low is None or change.high is None:
        return 0.0, 0.0
    return change.value - change.low, change.high - change.value


def discordant(trial: Trial, other: Trial) -> float | None:
    """Return the share of test items on which exactly one of two trials is right; None if
    unknown.
    """
    mine, theirs = (t.details.correct or {} for t in (trial, other))
    if not mine or not theirs or (mine["metric"], mine["n"]) != (theirs["metric"], theirs["n"]):
        return None
    n = int(mine["n"])
    return sum(_won_and_lost(unpack(mine["bits"], n), unpack(theirs["bits"], n))) / n
