"""Tables of trials, with the names and numbers of the plot."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import registry
from lab.analysis.differences import Difference
from lab.plots import formatting
from lab.plots.words import certain
from lab.plugs import Metric
from lab.types import Measurement, Trial

if TYPE_CHECKING:
    import pandas as pd

_STATE_WORDS = {"complete": "done", "queued": "waiting"}
_FLAG_WORDS = {
    "contended": "measured while other work was running",
    "unstable": "rounds differ by more than 10 %",
    "imprecise": "the measuring time ended before the interval was narrow enough",
}


def leading() -> tuple[str, ...]:
    """Return the leading metrics: the tasks' own metrics, then size and time."""
    return (*(task.primary for task in registry.tasks().values()), "size_bytes", "latency_s")


@dataclass(frozen=True)
class TableInfo:
    """A table ready to be shown.

    Attributes:
        frame: one row a trial, numbers in display units.
        formats: column -> printf format; helps: column -> what it means.
        ids: trial id of each row.
    """

    frame: pd.DataFrame
    formats: Mapping[str, str]
    helps: Mapping[str, str]
    ids: tuple[str, ...]


def ordered_metrics(trials: Sequence[Trial], metrics: Mapping[str, Metric]) -> list[str]:
    """Return the ids of the metrics of any trial: the usual objectives first, then in the metrics'
    own order.
    """
    present = {id_ for trial in trials for id_ in trial.measurements}
    order = [*leading(), *metrics, *sorted(present)]
    return [id_ for id_ in dict.fromkeys(order) if id_ in present]


def trials_info(
    trials: Sequence[Trial],
    metrics: Mapping[str, Metric],
    front: Collection[str],
    shown: Sequence[str] | None = None,
    tied: Collection[str] = (),
) -> TableInfo:
    """Return one row per trial, in the given order; `shown` names the target options worth showing,
    None means all; `tied` are in the front's tie band.
    """
    import pandas as pd

    columns: dict[str, list[object]] = {
        "Trial": [t.name for t in trials],
        "Runs on": [formatting.target_text(t.target, shown) for t in trials],
        "State": [state_words(t) for t in trials],
        "Front": ["★" if t.id in front else "≈" if t.id in tied else "" for t in trials],
    }
    printf: dict[str, str] = {}
    helps = {
        "Front": (
            "★ No other trial is at least as good in every objective and better in one. ≈"
            " Statistically tied with such a trial."
        ),
        "Trial": "Recipe that was applied to the model; float32 is the original model.",
    }
    for id_ in ordered_metrics(trials, metrics):
        label, columns_of, format_ = _metric_column(id_, trials, metrics)
        columns[label], printf[label] = columns_of, format_
        helps[label] = metrics[id_].help if id_ in metrics else ""
    if any(t.error for t in trials):
        columns["Problem"] = [problem_of(t) for t in trials]
    return TableInfo(pd.DataFrame(columns), printf, helps, tuple(t.id for t in trials))


def _metric_column(
    id_: str, trials: Sequence[Trial], metrics: Mapping[str, Metric]
) -> tuple[str, list[object], str]:
    measurements = [t.measurements.get(id_) for t in trials]
    unit = next(m.unit for m in measurements if m)
    divisor, suffix = formatting.axis_scale(unit, [m.value for m in measurements if m])
    title = metrics[id_].title if id_ in metrics else id_
    values: list[object] = [m.value / divisor if m else None for m in measurements]
    middle = sorted(m.value / divisor for m in measurements if m)[
        sum(1 for m in measurements if m) // 2
    ]
    return f"{title}, {suffix}" if suffix else title, values, formatting.printf(middle, suffix)


def state_words(trial: Trial) -> str:
    """ "done", "done (from cache)", "running", "waiting", "failed", "cancelled"."""
    return _STATE_WORDS.get(trial.state, trial.state) + (" (from cache)" if trial.cached else "")


def problem_of(trial: Trial) -> str:
    """Return the first line of a trial's error, or nothing."""
    return str((trial.error or {}).get("message", "")).strip().split("\n")[0]


def numbers_info(
    trial: Trial,
    base: Trial | None,
    metrics: Mapping[str, Metric],
    differences: Mapping[str, Difference] | None = None,
) -> pd.DataFrame:
    """Return one row per metric of one trial: value, interval, sample count, comparison, and
    remarks if there are any.

    Args:
        differences: corrected differences from the base, as in `lab.plots.words.certain`.
    """
    import pandas as pd

    rows = []
    for id_ in ordered_metrics([trial], metrics):
        m = trial.measurements[id_]
        comparable = (
            base and base.id != trial.id and not (id_ in metrics and metrics[id_].about_both)
        )
        against = base.measurements.get(id_) if base and comparable else None
        rows.append(
            {
                "Metric": metrics[id_].title if id_ in metrics else id_,
                "Value": formatting.value(m.value, m.unit),
                "95 % interval": formatting.interval(m) or "exact",
                "n": m.n,
                "Against float": versus(id_, trial, base, differences) if base and against else "",
                "Remarks": remarks(m),
            }
        )
    empty = [name for name in ("Against float", "Remarks") if not any(row[name] for row in rows)]
    return pd.DataFrame(rows).drop(columns=empty)


def parts_info(
    trial: Trial, base: Trial | None, names: Sequence[str]
) -> Mapping[str, pd.DataFrame]:
    """Return metric -> table of its parts, such as accuracy by class: one row per part, the lowest
    first.

    Args:
        names: of the parts, by number, such as class names.
    """
    import pandas as pd

    tables = {}
    for id_, m in trial.measurements.items():
        against = (
            {p.metric: p for p in base.measurements[id_].parts}
            if base and id_ in base.measurements
            else {}
        )
        rows = [
            _part(part, against.get(part.metric), names)
            for part in sorted(m.parts, key=lambda p: p.value)
        ]
        if rows:
            tables[id_] = pd.DataFrame(rows)
    return tables


def _part(part: Measurement, base: Measurement | None, names: Sequence[str]) -> dict[str, object]:
    number = int(part.metric) if part.metric.isdecimal() else len(names)
    return {
        "Class": names[number] if number < len(names) else part.metric,
        "Value": formatting.value(part.value, part.unit),
        "95 % interval": formatting.interval(part),
        "n": part.n,
        "Float": formatting.value(base.value, base.unit) if base else formatting.UNKNOWN,
    }


def versus(
    metric: str, trial: Trial, base: Trial, differences: Mapping[str, Difference] | None = None
) -> str:
    """Return the change, marked if it may be chance: "0.5 points lower (a tie)"."""
    change = formatting.change(trial.measurements[metric], base.measurements[metric], plainly=True)
    return (
        change
        if change == "no change" or certain(metric, trial, base, differences)
        else f"{change} (a tie)"
    )


def remarks(m: Measurement) -> str:
    """Return the warnings about a number: its flags, and its source unless it was measured."""
    warnings = [_FLAG_WORDS.get(flag, flag.replace("_", " ")) for flag in m.flags]
    return ", ".join([*warnings, *([] if m.source == "measured" else [m.source])])
