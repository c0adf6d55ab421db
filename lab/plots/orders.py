"""Orders of steps and seeds of trainings, as tables and in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.analysis.orders import OrderPair
from lab.analysis.spread import Range, Spread
from lab.plots import formatting, words
from lab.plots.differences import differences_json, interval_text, p_text
from lab.types import Trial


def order_rows(pairs: Sequence[OrderPair], shown: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return one row per pair and compared metric: the second order against the first.

    Args:
        shown: target options worth saying.
    """
    return [_row(p, metric, shown) for p in pairs for metric in _metrics(p)]


def _metrics(pair: OrderPair) -> list[str]:
    both = [m for m in pair.first.measurements if m in pair.second.measurements]
    exact = [m for m in both if m == "size_bytes"]
    return [*pair.differences, *(m for m in exact if m not in pair.differences)]


def _row(pair: OrderPair, metric: str, shown: Sequence[str]) -> dict[str, str]:
    mine, theirs, difference = (
        pair.second.measurements[metric],
        pair.first.measurements[metric],
        pair.differences.get(metric),
    )
    return {
        "First order": pair.first.name,
        "Second order": pair.second.name,
        "Runs on": formatting.target_text(pair.first.target, shown),
        "Metric": formatting.capital(words.plain(metric)),
        "First": formatting.value(theirs.value, theirs.unit),
        "Second": formatting.value(mine.value, mine.unit),
        "Second is": formatting.change(mine, theirs),
        "95 % interval": interval_text(difference) if difference else "",
        "p": p_text(_p(difference)) if difference else "",
    }


def _p(difference: Any) -> float:
    return float(difference.p if difference.adjusted is None else difference.adjusted)


def order_text(pairs: Sequence[OrderPair], metric: str) -> str:
    """Describe the effect of the orders on the study's accuracy in a sentence."""
    compared = [p for p in pairs if metric in p.differences]
    sure = [p for p in compared if p.differences[metric].differs]
    if not compared:
        return "The orders cannot be compared because there are no paired items."
    if not sure:
        return (
            f"The order changes {words.plain(metric)} by more than chance in none of"
            f" {formatting.plural(len(compared), 'pair')}."
        )
    best = max(sure, key=lambda p: abs(p.differences[metric].value))
    d = best.differences[metric]
    better, worse = (best.second, best.first) if d.value > 0 else (best.first, best.second)
    return (
        f"The order matters in {len(sure)} of {formatting.plural(len(compared), 'pair')}:"
        f" {better.name} beats {worse.name} by {100 * abs(d.value):.1f} points of"
        f" {words.plain(metric)}."
    )


def orders_json(pairs: Sequence[OrderPair]) -> list[dict[str, Any]]:
    """Return all values as JSON."""
    return [
        {
            "first": _trial_json(p.first),
            "second": _trial_json(p.second),
            "differences": differences_json(p.differences),
        }
        for p in pairs
    ]


def _trial_json(trial: Trial) -> dict[str, str]:
    return {"trial": trial.id, "name": trial.name}


# --- seeds ----------------------------------------------------------------------------------------


def spread_rows(spreads: Sequence[Spread]) -> list[dict[str, str]]:
    """Return one row per recipe: mean, lowest and highest value of each metric over the seeds."""
    return [
        {
            "Recipe": s.name,
            "Seeds": ", ".join(map(str, s.seeds)),
            **{formatting.capital(words.plain(m)): range_text(r) for m, r in s.ranges.items()},
        }
        for s in spreads
    ]


def range_text(over_seeds: Range) -> str:
    """ "94.8 % (94.3–95.1 %)": mean, lowest and highest; one number where all are equal."""
    if over_seeds.low == over_seeds.high:
        return formatting.value(over_seeds.mean, over_seeds.unit)
    divisor, suffix = formatting.scale(over_seeds.unit, over_seeds.mean)
    ends = "–".join(
        formatting.digits(v / divisor, suffix) for v in (over_seeds.low, over_seeds.high)
    )
    return f"{formatting.value(over_seeds.mean, over_seeds.unit)} ({ends} {suffix})".replace(
        " )", ")"
    )


def spread_text(spreads: Sequence[Spread], metric: str) -> str:
    """Describe the widest spread over seeds in a sentence; "" if the metric was not measured."""
    ranges = {s.name: s.ranges[metric] for s in spreads if metric in s.ranges}
    if not ranges:
        return ""
    name = max(ranges, key=lambda n: ranges[n].high - ranges[n].low)
    widest, noun = ranges[name], words.plain(metric)
    if widest.high == widest.low:
        return f"All seeds of the same training give the same {noun}."
    points = (
        f"up to {100 * (widest.high - widest.low):.1f} points"
        if formatting.kind_of(widest.unit) == formatting.SHARE
        else ""
    )
    of = points or f"the range {range_text(widest)}"
    return (
        f"Another seed of the same training changes {noun} by {of} ({name}); a smaller gain may be"
        " luck."
    )


def spread_json(spreads: Sequence[Spread]) -> list[dict[str, Any]]:
    """Return all values as JSON."""
    return [
        {
            "name": s.name,
            "trials": list(s.trials),
            "seeds": list(s.seeds),
            "ranges": {
                m: {"mean": r.mean, "low": r.low, "high": r.high, "unit": r.unit, "n": r.n}
                for m, r in s.ranges.items()
            },
        }
        for s in spreads
    ]
