"""Comparison of two trials: differences, their size, and whether they may be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab import statistics
from lab.analysis.differences import Difference, difference, discordant
from lab.plots import formatting
from lab.plots.table import ordered_metrics
from lab.plots.words import certain
from lab.plugs import Metric
from lab.types import Trial

DROPS = (0.01, 0.005)
_HOW = {
    "paired items": "item by item (McNemar)",
    "paired rounds": "round by round (Wilcoxon)",
    "separate rounds": "rounds of two sessions (Welch)",
    "": "intervals only",
}


def difference_rows(
    trial: Trial, other: Trial, metrics: Mapping[str, Metric]
) -> list[dict[str, str]]:
    """Return one row per metric that both trials have and that does not itself compare with the
    float model.
    """
    rows = []
    for id_ in ordered_metrics([trial], metrics):
        if id_ in other.measurements and not (id_ in metrics and metrics[id_].about_both):
            rows.append(_row(id_, trial, other, metrics))
    return rows


def _row(metric: str, trial: Trial, other: Trial, metrics: Mapping[str, Metric]) -> dict[str, str]:
    mine, theirs = trial.measurements[metric], other.measurements[metric]
    tested = difference(metric, trial, other)
    exact = mine.low is None or theirs.low is None
    return {
        "Metric": metrics[metric].title if metric in metrics else metric,
        "Difference": formatting.change(mine, theirs, plainly=True),
        "Verdict": verdict(metric, trial, other),
        "95 % interval": interval_text(tested) if tested else "",
        "p": p_text(tested.p) if tested else "",
        "This": formatting.value(mine.value, mine.unit),
        "Other": formatting.value(theirs.value, theirs.unit),
        "Method": "exact numbers" if exact else _HOW[tested.test if tested else ""],
    }


def verdict(metric: str, trial: Trial, other: Trial) -> str:
    """ "equal", "differs" or "may be chance"."""
    if trial.measurements[metric].value == other.measurements[metric].value:
        return "equal"
    return "differs" if certain(metric, trial, other) else "may be chance"


def interval_text(difference: Difference) -> str:
    """ "-0.8 to +0.1 points", "0.97 to 1.02 ×"."""
    if difference.kind == "ratio":
        return f"{difference.low:.3g} to {difference.high:.3g} ×"
    return f"{100 * difference.low:+.2g} to {100 * difference.high:+.2g} points"


def p_text(p: float) -> str:
    """ "0.31", "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def items_text(trial: Trial, other: Trial) -> str:
    """Describe the smallest detectable difference of accuracy on these test items, and the items
    that a smaller one needs; "" if unknown.
    """
    share = discordant(trial, other)
    if share is None:
        return ""
    n = int((trial.details.correct or {})["n"])
    share = max(share, 1 / n)
    least = statistics.smallest_drop(n, share)
    wanted = [f"{statistics.items_needed(d, share):,} for {_points(d)}" for d in DROPS if d < least]
    more = f" Smaller drops need more items: {', '.join(wanted)}." if wanted else ""
    return (
        f"Exactly one of both trials is right on {100 * share:.1f} % of {n:,} test items, so a drop"
        f" of {100 * least:.1f} points would be detected in four of five cases.{more}"
    )


def _points(share: float) -> str:
    return "1 point" if share == 0.01 else f"{100 * share:g} points"


def differences_json(differences: Mapping[str, Difference]) -> dict[str, object]:
    """Return differences against the float baseline as JSON values."""
    return {
        metric: {
            "kind": d.kind,
            "value": d.value,
            "low": d.low,
            "high": d.high,
            "p": d.p,
            "adjusted_p": d.adjusted,
            "n": d.n,
            "test": d.test,
            "differs": d.differs,
        }
        for metric, d in differences.items()
    }


def time_text(trials: Sequence[Trial], seconds: float | None) -> str:
    """Describe the measurement of a study's latencies: seconds, timing rounds and disturbances."""
    kept = [t.details.timing for t in trials if t.details.timing]
    if not kept:
        return ""
    turns, disturbed = (
        sum(k["turns"] for k in kept),
        sum(sum(k["disturbed"].values()) for k in kept),
    )
    took = f"Measuring took {formatting.duration(seconds)}. " if seconds else ""
    repeated = (
        f"{disturbed:,} of {turns:,} timing rounds were disturbed and repeated."
        if disturbed
        else f"None of {turns:,} timing rounds was disturbed."
    )
    flagged = sum(bool(m and m.flags) for m in (t.measurements.get("latency_s") for t in trials))
    doubt = f" {flagged} of {len(kept)} latencies are flagged as uncertain." if flagged else ""
    return f"{took}{repeated}{doubt}"
