"""Values of a study's trade-off plot: `pareto_info` computes, `lab.plots.pareto.figure` and the
modules beside it draw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Literal

import numpy as np

from lab.analysis.differences import against_float
from lab.analysis.front import comparable, front, non_dominated
from lab.plots import formatting, words
from lab.plugs import Metric
from lab.types import Measurement, Objective, Trial

Role = Literal["front", "tied", "dominated", "excluded"]
Grouping = Literal["runtime", "method"]
GROUPS = 6
"""Number of colours; rarer groups than the first of them are drawn as others."""
OTHERS = "others"


@dataclass(frozen=True)
class Axis:
    """Metric shown by an axis or by the marker size.

    Attributes:
        divisor: SI values are divided by it to become what the axis shows, in `suffix`.
        log: True for times and sizes: equal ratios lie equally far apart, and no outlier crowds the
            rest. It does not depend on the values, so that a study's zoom survives its next result.
        ratio: True for times and sizes, whatever shows them.
    """

    metric: str
    title: str
    unit: str
    direction: Literal["maximize", "minimize"]
    divisor: float
    suffix: str
    log: bool = False
    ratio: bool = False

    @property
    def label(self) -> str:
        """Title, unit and better direction: "Latency in ms, log scale   ← faster"; the arrows turn
        with a y axis's title.
        """
        word = formatting.better_word(self.metric, self.unit, self.direction)
        arrow = f"← {word}" if self.direction == "minimize" else f"{word} →"
        unit = f" in {self.suffix}" if self.suffix else ""
        return f"{self.title}{unit}{', log scale' if self.log else ''}   {arrow}"


@dataclass(frozen=True)
class Point:
    """A trial in the plot; numbers in SI units.

    Attributes:
        group: name of the group that shares a colour and a shape.
        paired: metric -> how far below and above its value it may lie, compared with float on the
            same items.
    """

    trial: str
    name: str
    runtime: str
    target: str
    role: Role
    is_baseline: bool
    x: Measurement
    y: Measurement
    size: Measurement | None
    others: tuple[Measurement, ...] = ()
    paired: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True)
class ParetoInfo:
    """Values of the trade-off plot.

    Attributes:
        points: the comparable trials, in order.
        line: (x, y) of the non-dominated trials in the two axes shown, by rising x.
        band: (x, y) corners of the area in which the front may lie in truth, by 95 % intervals in
            the two axes shown; for accuracy those of the difference from the float model on the
            same items.
        left_out: complete trials that were not compared: another environment, or not measured
            alike.
        pick: id of the trial to name, if any.
        limits: (metric, value) to draw as lines.
        groups: names of the points' groups, those of a study's runtimes also where no point is of
            them.
        tinted: True to show `size` as colour instead of the markers' area; groups then differ by
            shape only.
    """

    x: Axis
    y: Axis
    size: Axis | None
    points: tuple[Point, ...]
    line: tuple[tuple[float, float], ...]
    left_out: int = 0
    pick: str | None = None
    limits: tuple[tuple[str, float], ...] = ()
    band: tuple[tuple[float, float], ...] = ()
    groups: tuple[str, ...] = ()
    tinted: bool = False


def pareto_info(
    trials: Sequence[Trial],
    objectives: Sequence[Objective],
    metrics: Mapping[str, Metric],
    *,
    x: str = "latency_s",
    y: str = "top1_accuracy",
    size: str | None = "size_bytes",
    feasible: Collection[str] | None = None,
    pick: str | None = None,
    limits: Sequence[tuple[str, float]] = (),
    tied: Collection[str] = (),
    grouping: Grouping = "runtime",
    tinted: bool = False,
) -> ParetoInfo:
    """Lay out a study's trade-off.

    Args:
        x, y, size: ids of the metrics shown; objectives say what the front is, whichever two are
            drawn.
        feasible: ids that meet the limits; the others are drawn as excluded and take no part in the
            front.
        tied: ids in the front's tie band (`lab.analysis.ties`).
        grouping: trials of one colour: those of one runtime, or those of one technique.
        tinted: see `ParetoInfo`.
    """
    group = [
        t for t in comparable(trials, objectives) if x in t.measurements and y in t.measurements
    ]
    possible = None if feasible is None else set(feasible)
    allowed = [t for t in group if possible is None or t.id in possible]
    on_front = set(front(allowed, objectives))
    shown = formatting.varying_options(t.target for t in trials)
    roles: dict[str, Role] = {
        t.id: "front" if t.id in on_front else "tied" if t.id in tied else "dominated"
        for t in allowed
    }
    group_of = _groups(group, grouping)
    points = tuple(
        _point(t, roles.get(t.id, "excluded"), x, y, size, objectives, shown, group_of[t.id])
        for t in group
    )
    x_axis, y_axis = _axis(x, points, "x", metrics), _axis(y, points, "y", metrics)
    size_axis = (
        _axis(size, points, "size", metrics) if size and any(p.size for p in points) else None
    )
    complete = sum(t.state == "complete" for t in trials)
    return ParetoInfo(
        x_axis,
        y_axis,
        size_axis,
        points,
        _line(points, x_axis, y_axis),
        complete - len(group),
        pick if pick in roles else None,
        tuple(pair for pair in limits if pair[0] in (x, y)),
        _band(points, x_axis, y_axis),
        _group_names(group_of, grouping),
        tinted and size_axis is not None,
    )


def _groups(trials: Sequence[Trial], grouping: Grouping) -> dict[str, str]:
    """Trial id -> name of its group, as HTML: Plotly reads names so."""
    if grouping == "runtime":
        return {t.id: formatting.runtime_title(t.target.runtime) for t in trials}
    methods = {t.id: escape(words.method(t)) for t in trials}
    usual = [name for name, _ in Counter(methods.values()).most_common()]
    kept = set(usual if len(usual) <= GROUPS else usual[: GROUPS - 1])
    return {id_: name if name in kept else OTHERS for id_, name in methods.items()}


def _group_names(group_of: Mapping[str, str], grouping: Grouping) -> tuple[str, ...]:
    runtimes = formatting.runtime_titles() if grouping == "runtime" else ()
    return tuple(sorted({*runtimes, *group_of.values()}))


def _point(
    trial: Trial,
    role: Role,
    x: str,
    y: str,
    size: str | None,
    objectives: Sequence[Objective],
    shown: Sequence[str],
    group: str,
) -> Point:
    m = trial.measurements
    others = tuple(m[o.metric] for o in objectives if o.metric not in (x, y, size))
    runtime = formatting.runtime_title(trial.target.runtime)
    target = formatting.target_text(trial.target, shown)
    paired = {id_: spread for id_ in (x, y) if (spread := against_float(id_, trial))}
    return Point(
        trial.id,
        trial.name,
        runtime,
        target,
        role,
        trial.is_baseline,
        m[x],
        m[y],
        m.get(size or ""),
        others,
        paired,
        group,
    )


def _axis(metric: str, points: Sequence[Point], role: str, metrics: Mapping[str, Metric]) -> Axis:
    plug, measured = metrics.get(metric), [(p, m) for p in points if (m := getattr(p, role))]
    unit = measured[0][1].unit if measured else (plug.unit if plug else "")
    baseline = [m.value for p, m in measured if p.is_baseline][
        :1
    ]  # measured first: the unit stays as results come in
    divisor, suffix = formatting.axis_scale(unit, baseline or [m.value for _, m in measured])
    ratio = formatting.kind_of(unit) in (formatting.SECONDS, formatting.BYTES) and all(
        m.value > 0 for _, m in measured
    )
    title, direction = (plug.title, plug.direction) if plug else (metric, "minimize")
    return Axis(metric, title, unit, direction, divisor, suffix, ratio and role != "size", ratio)


def _line(points: Sequence[Point], x: Axis, y: Axis) -> tuple[tuple[float, float], ...]:
    allowed = [p for p in points if p.role != "excluded"]
    pairs = np.array([[p.x.value, p.y.value] for p in allowed]).reshape(-1, 2)
    best = pairs[non_dominated(pairs, [x.direction, y.direction])]
    return tuple((float(a), float(b)) for a, b in np.unique(best, axis=0))


def _band(points: Sequence[Point], x: Axis, y: Axis) -> tuple[tuple[float, float], ...]:
    """Corners of the area between the front of the intervals' good ends and the front of their bad
    ends.
    """
    allowed = [p for p in points if p.role != "excluded"]
    if not any(m.low is not None for p in allowed for m in (p.x, p.y)):
        return ()
    good = _steps([(_end(p, p.x, x, True), _end(p, p.y, y, True)) for p in allowed], x, y)
    bad = _steps([(_end(p, p.x, x, False), _end(p, p.y, y, False)) for p in allowed], x, y)
    return (*good, *reversed(bad))


def _end(point: Point, m: Measurement, axis: Axis, good: bool) -> float:
    below = (axis.direction == "minimize") == good
    if axis.metric in point.paired:
        less, more = point.paired[axis.metric]
        return m.value - less if below else m.value + more
    end = m.low if below else m.high
    return m.value if end is None else end


def _steps(pairs: Sequence[tuple[float, float]], x: Axis, y: Axis) -> list[tuple[float, float]]:
    """Return the corners of the step line through the non-dominated pairs."""
    array = np.array(pairs).reshape(-1, 2)
    best = np.unique(array[non_dominated(array, [x.direction, y.direction])], axis=0).tolist()
    between = [
        (b[0], a[1]) if x.direction == "minimize" else (a[0], b[1]) for a, b in pairwise(best)
    ]
    return [
        corner for n, point in enumerate(best) for corner in (tuple(point), *between[n : n + 1])
    ]
