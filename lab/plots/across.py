"""Several studies in one plot, with one front where their numbers may be compared and one a group where they may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lab.analysis.across import Across, Discrepancy, Group, Member, TwinChange, Twins
from lab.analysis.front import non_dominated
from lab.plots import formats, theme, words
from lab.plots.table import TableInfo, trials_info
from lab.plugs import Metric
from lab.types import Measurement, Trial

if TYPE_CHECKING:
    import pandas as pd

HEIGHT, TWINS_HEIGHT = 460, 380
WEBGL_FROM = 400
SPREAD = 30.0
DASHES = ("solid", "dash", "dot", "dashdot")
Coloring = Literal["study", "model", "machine"]
COLORINGS: Mapping[Coloring, str] = {"study": "Study", "model": "Model", "machine": "Machine"}
WHY_APART = {
    "objectives": "what accuracy means to their tasks", "data": "the test data", "items": "how many test items were asked",
    "environment": "the machine or the versions on it", "sources": "where the numbers come from (measured, emulated or estimated)",
}  # fmt: skip
"""Field of `lab.analysis.across.Terms` -> what differs, in words."""


@dataclass(frozen=True)
class Named:
    """What studies, models and machines are called.

    Attributes:
        studies, models: study id -> name; machines: environment id -> name; data: digest -> name; runtimes: id -> title.
    """

    studies: Mapping[str, str]
    models: Mapping[str, str]
    machines: Mapping[str | None, str]
    data: Mapping[str, str]
    runtimes: Mapping[str, str]

    def of(self, trial: Trial, coloring: Coloring) -> str:
        """What a trial is coloured by."""
        if coloring == "machine":
            return self.machines.get(trial.environment, "unknown machine")
        return (self.models if coloring == "model" else self.studies).get(trial.study, trial.study)


def machine_names(environments: Mapping[str, Mapping[str, Any]]) -> dict[str | None, str]:
    """Environment id -> its processor, with its host or the beginning of its id where two would have the same name."""
    cpu = {
        id_: f"{facts.get('cpu', 'unknown CPU')}, {facts.get('cores', '?')} cores"
        for id_, facts in environments.items()
    }
    host = {id_: f"{cpu[id_]} ({facts.get('machine', '?')})" for id_, facts in environments.items()}
    once = {**_once(cpu), **{k: v for k, v in _once(host).items() if k not in _once(cpu)}}
    return {id_: once.get(id_, f"{cpu[id_]} ({id_[:6]})") for id_ in environments}


def _once(names: Mapping[str, str]) -> dict[str, str]:
    counts = Counter(names.values())
    return {id_: name for id_, name in names.items() if counts[name] == 1}


def distinct_names(names: Mapping[str, str]) -> dict[str, str]:
    """The same names, with the id where two are the same."""
    once = _once(names)
    return {id_: once.get(id_, f"{name} ({id_})") for id_, name in names.items()}


@dataclass(frozen=True)
class AcrossAxis:
    """One axis; SI values by `divisor` are what it shows, in `suffix`."""

    metric: str
    title: str
    unit: str
    direction: Literal["maximize", "minimize"]
    divisor: float
    suffix: str
    log: bool

    @property
    def label(self) -> str:
        """Title, unit and better direction."""
        word = formats.better_word(self.metric, self.unit, self.direction)
        unit = f" in {self.suffix}" if self.suffix else ""
        arrow = f"← {word}" if self.direction == "minimize" else f"{word} →"
        return f"{self.title}{unit}{', log scale' if self.log else ''}   {arrow}"


@dataclass(frozen=True)
class AcrossPoint:
    """A trial in the plot; numbers in SI units."""

    trial: str
    name: str
    study: str
    target: str
    runtime: str
    color: str
    group: int
    on_front: bool
    excluded: bool
    is_baseline: bool
    x: Measurement
    y: Measurement


@dataclass(frozen=True)
class AcrossInfo:
    """All that the figure shows.

    Attributes:
        lines: for each group the (x, y) that nothing of it beats in the two axes shown, by rising x.
        groups: name of each group, "" where there is only one.
        left_out: trials without one of the two numbers.
    """

    x: AcrossAxis
    y: AcrossAxis
    points: tuple[AcrossPoint, ...]
    lines: tuple[tuple[tuple[float, float], ...], ...]
    groups: tuple[str, ...]
    left_out: int = 0


def across_info(
    found: Across, metrics: Mapping[str, Metric], named: Named, *, x: str = "latency_s", y: str = "top1_accuracy",
    coloring: Coloring = "study", feasible: Collection[str] | None = None,
) -> AcrossInfo:  # fmt: skip
    """Lay out several studies.

    Args:
        x, y: ids of the metrics shown; a group's own objectives say what its front is, whichever two are drawn.
        feasible: ids that meet the limits; None means all.
    """
    shown, front = formats.varying_options(t.target for t in found.trials), found.front
    points = [
        _point(t, number, front, x, y, coloring, named, shown, feasible)
        for number, group in enumerate(found.groups) for t in group.trials if x in t.measurements and y in t.measurements
    ]  # fmt: skip
    x_axis, y_axis = _axis(x, [p.x for p in points], metrics), _axis(y, [p.y for p in points], metrics)
    lines = tuple(
        _line([p for p in points if p.group == n and not p.excluded], x_axis, y_axis) for n in range(len(found.groups))
    )
    names = tuple(group_texts(found, named, metrics)) if len(found.groups) > 1 else ("",) * len(found.groups)
    return AcrossInfo(x_axis, y_axis, tuple(points), lines, names, len(found.trials) - len(points))


def _point(
    t: Trial, group: int, front: Collection[str], x: str, y: str, coloring: Coloring, named: Named, shown: Sequence[str],
    feasible: Collection[str] | None,
) -> AcrossPoint:  # fmt: skip
    runtime = named.runtimes.get(t.target.runtime, t.target.runtime)
    excluded = feasible is not None and t.id not in feasible
    return AcrossPoint(t.id, t.name, named.studies.get(t.study, t.study), formats.target_text(t.target, named.runtimes, shown), runtime,
                       named.of(t, coloring), group, t.id in front and not excluded, excluded, t.is_baseline, t.measurements[x],
                       t.measurements[y])  # fmt: skip


def _axis(metric: str, values: Sequence[Measurement], metrics: Mapping[str, Metric]) -> AcrossAxis:
    plug = metrics.get(metric)
    unit = values[0].unit if values else (plug.unit if plug else "")
    divisor, suffix = formats.axis_scale(unit, [m.value for m in values])
    log = formats.kind_of(unit) in (formats.SECONDS, formats.BYTES) and all(m.value > 0 for m in values)
    title, direction = (plug.title, plug.direction) if plug else (metric, "minimize")
    return AcrossAxis(metric, title, unit, direction, divisor, suffix, log)


def _line(points: Sequence[AcrossPoint], x: AcrossAxis, y: AcrossAxis) -> tuple[tuple[float, float], ...]:
    pairs = np.array([[p.x.value, p.y.value] for p in points]).reshape(-1, 2)
    best = pairs[non_dominated(pairs, [x.direction, y.direction])]
    return tuple((float(a), float(b)) for a, b in np.unique(best, axis=0))


# --- in words -----------------------------------------------------------------------------------------------------------


def group_texts(found: Across, named: Named, metrics: Mapping[str, Metric]) -> list[str]:
    """What tells each group from the others, in a few words."""
    texts = [", ".join(filter(None, (_term(g, field, named, metrics) for field in found.apart))) for g in found.groups]
    counts = Counter(texts)
    return [t if t and counts[t] == 1 else f"{t or 'group'} {n}" for n, t in enumerate(texts, 1)]


def _term(group: Group, field: str, named: Named, metrics: Mapping[str, Metric]) -> str:
    terms = group.terms
    if field == "environment":
        return named.machines.get(terms.environment, "unknown machine")
    if field == "data":
        return named.data.get(terms.data, terms.data[:8])
    if field == "items":
        return "all test items" if terms.items is None else f"{terms.items:,} test items"
    if field == "sources":
        return "/".join(dict.fromkeys(terms.sources))
    first = terms.objectives[0][0] if terms.objectives else ""
    return metrics[first].title if first in metrics else first


def front_text(found: Across) -> str:
    """Whether there is one front, and why not, in a sentence or two."""
    count = len(found.groups)
    if not count:
        return "None of these studies has a finished trial with all its numbers yet."
    left = (
        f" {formats.plural(found.incomplete, 'trial')} without all their numbers are not shown."
        if found.incomplete
        else ""
    )
    if count == 1:
        return f"One joint front: all numbers come from the same test data, the same machine and versions, and the same kind of measurement.{left}"
    why = _listed([WHY_APART[field] for field in found.apart])
    return f"{count} fronts, each for itself, since trials differ in {why}: numbers that were not found alike are never on one front.{left}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""


# --- drawing ------------------------------------------------------------------------------------------------------------


def across_spec(info: AcrossInfo, mode: theme.Mode = "light", uirevision: str = "") -> dict[str, Any]:
    """The figure as plain JSON values: colour by what was chosen, shape by runtime, a step line a group; each point's customdata
    begins with its trial's id."""
    ink = theme.INKS[mode]
    colors = {name: style.color for name, style in theme.styles({p.color for p in info.points}, mode).items()}
    shapes = {name: style.symbol for name, style in theme.styles({p.runtime for p in info.points}, mode).items()}
    traces = [_line_trace(info, n, mode) for n, line in enumerate(info.lines) if len(line) > 1]
    traces += [_legend(name, color, "circle", "color") for name, color in colors.items()]
    traces += [_legend(name, ink.muted, symbol, "shape") for name, symbol in shapes.items()] if len(shapes) > 1 else []
    for front in (False, True):
        for name, color in colors.items():
            if mine := [p for p in info.points if p.color == name and p.on_front == front]:
                traces.append(_points(info, mine, color, shapes, ink))
    return {
        "data": traces,
        "layout": {
            "template": theme.template(mode).to_plotly_json(), "height": HEIGHT, "hovermode": "closest", "clickmode": "event",
            "xaxis": _axis_layout(info.x, [p.x.value for p in info.points]), "yaxis": _axis_layout(info.y, [p.y.value for p in info.points]),
            "uirevision": f"{uirevision} {info.x.label} {info.y.label}",
        },
    }  # fmt: skip


def _line_trace(info: AcrossInfo, number: int, mode: theme.Mode) -> dict[str, Any]:
    name = f"front: {escape(info.groups[number])}" if info.groups[number] else "joint front"
    line = {"shape": "hv" if info.x.direction == "minimize" else "vh", "width": 1.5, "color": theme.INKS[mode].muted,
            "dash": DASHES[number % len(DASHES)]}  # fmt: skip
    return {"type": _kind(info), "mode": "lines", "name": name, "line": line, "hoverinfo": "skip",
            "x": [x / info.x.divisor for x, _ in info.lines[number]], "y": [y / info.y.divisor for _, y in info.lines[number]]}  # fmt: skip


def _kind(info: AcrossInfo) -> str:
    """All traces are of one kind: what WebGL draws would cover what SVG draws."""
    return "scattergl" if len(info.points) >= WEBGL_FROM else "scatter"


def _legend(name: str, color: str, symbol: str, group: str) -> dict[str, Any]:
    marker = {"color": color, "symbol": symbol, "size": 11}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "marker": marker,
        "name": escape(name),
        "legendgroup": f"{group} {escape(name)}",
    }


def _points(
    info: AcrossInfo, points: Sequence[AcrossPoint], color: str, shapes: Mapping[str, str], ink: theme.Ink
) -> dict[str, Any]:
    return {
        "type": _kind(info), "mode": "markers", "showlegend": False, "name": escape(points[0].color),
        "legendgroup": f"color {escape(points[0].color)}",
        "x": [p.x.value / info.x.divisor for p in points], "y": [p.y.value / info.y.divisor for p in points],
        "marker": {"color": [ink.ground if p.is_baseline else color for p in points], "symbol": [shapes[p.runtime] for p in points],
                   "size": [13 if p.on_front else 9 for p in points],
                   "opacity": [0.1 if p.excluded else 0.95 if p.on_front or p.is_baseline else 0.35 for p in points],
                   "line": {"color": color if any(p.is_baseline for p in points) else ink.ground,
                            "width": [2.5 if p.is_baseline else 0 for p in points]}},
        "customdata": [[p.trial] for p in points], "hovertext": [_hover(info, p) for p in points], "hoverinfo": "text",
    }  # fmt: skip


def _hover(info: AcrossInfo, p: AcrossPoint) -> str:
    role = (
        "on its front: nothing beats it"
        if p.on_front
        else "outside the limits"
        if p.excluded
        else "beaten by another trial"
    )
    group = f" ({escape(info.groups[p.group])})" if info.groups[p.group] else ""
    return "<br>".join([f"<b>{escape(p.name)}</b> on {escape(p.target)}", escape(p.study), f"{info.x.title}: {formats.measurement(p.x)}",
                        f"{info.y.title}: {formats.measurement(p.y)}", role + group])  # fmt: skip


def _axis_layout(axis: AcrossAxis, values: Sequence[float]) -> dict[str, Any]:
    title = {"title": {"text": axis.label}}
    if not axis.log:
        return {**title, "type": "linear"}
    decades = float(np.log10(max(values) / min(values))) + 0.2 if values else 0.0
    return {**title, "type": "log", "tickformat": ".3~r", "nticks": 8 if decades < 1 else max(2, int(decades * 3))}


def across_table(
    found: Across, metrics: Mapping[str, Metric], named: Named, feasible: Collection[str] | None = None
) -> TableInfo:
    """The trials on a front, those of the largest group first, each with its study and, where there are several, its front."""
    texts = group_texts(found, named, metrics)
    rows = [
        (n, t)
        for n, g in enumerate(found.groups)
        for t in g.trials
        if t.id in g.front and (feasible is None or t.id in feasible)
    ]
    shown = formats.varying_options(t.target for t in found.trials)
    info = trials_info([t for _, t in rows], metrics, named.runtimes, found.front, shown)
    frame: pd.DataFrame = info.frame.drop(columns=["State", "Front"])
    frame.insert(2, "Study", [named.studies.get(t.study, t.study) for _, t in rows])
    if len(found.groups) > 1:
        frame.insert(3, "Front of", [texts[n] for n, _ in rows])
    printf = {name: _format(frame[name], usual) for name, usual in info.formats.items()}
    return replace(info, frame=frame, formats=printf, helps={k: v for k, v in info.helps.items() if k != "Front"})


def _format(values: pd.Series, usual: str) -> str:
    """Three significant digits where one column holds what is large for one model and what is small for another."""
    known = values.dropna()
    return "%.3g" if len(known) and known.min() > 0 and known.max() > SPREAD * known.min() else usual


def across_json(found: Across) -> dict[str, Any]:
    """Groups with their terms, trials and fronts as JSON values."""
    return {
        "studies": [m.study.id for m in found.members],
        "apart": list(found.apart), "incomplete": found.incomplete,
        "groups": [{"terms": asdict(g.terms), "front": list(g.front), "trials": [{"study": t.study, **t.to_json()} for t in g.trials]} for g in found.groups],
    }  # fmt: skip


# --- the same trials in two studies ---------------------------------------------------------------------------------------


def twins_text(found: Twins, changes: Sequence[TwinChange], metric: str, first: str, second: str) -> str:
    """How many trials both have, and the biggest change of a metric, in a sentence or two."""
    pairs = len(found.pairs)
    if not pairs:
        return "The two studies have no recipe on the same target in common."
    sure = [c for c in changes if c.differs]
    text = (f"{formats.plural(pairs, 'trial')} of equal recipe and target; {len(found.only_first)} only in {first}, {len(found.only_second)} only "
            f"in {second}.")  # fmt: skip
    if not changes:
        return text
    chance = "" if changes[0].differs else " (may be chance)"
    biggest = (
        f" The biggest: {changes[0].twin.first.name}, {change_text(changes[0])}{chance}." if changes[0].extent else ""
    )
    return f"{text} {formats.capital(words.plain(metric))} differs by more than chance in {len(sure)} of {len(changes)}.{biggest}"


def change_text(c: TwinChange) -> str:
    """ "1.8× faster", "0.6 points lower", "no change"."""
    a, b = c.twin.first.measurements[c.metric], c.twin.second.measurements[c.metric]
    return formats.change(b, a, plainly=True)


def twin_rows(
    changes: Sequence[TwinChange], first: str, second: str, titles: Mapping[str, str]
) -> list[dict[str, str]]:
    """One row a pair, in the given order."""
    shown = formats.varying_options(c.twin.first.target for c in changes)
    return [
        {"Trial": c.twin.first.name, "Runs on": formats.target_text(c.twin.first.target, titles, shown),
         first: formats.measurement(c.twin.first.measurements[c.metric]), second: formats.measurement(c.twin.second.measurements[c.metric]),
         "Change": change_text(c), "Verdict": "differs" if c.differs else "equal" if c.change == 0 else "may be chance"}
        for c in changes
    ]  # fmt: skip


def twins_spec(
    changes: Sequence[TwinChange], metric: Metric, first: str, second: str, titles: Mapping[str, str], mode: theme.Mode = "light"
) -> dict[str, Any]:  # fmt: skip
    """The second study over the first, a point a pair; on the dashed line nothing changed; hollow may be chance."""
    ink = theme.INKS[mode]
    pairs = [(c.twin.first.measurements[c.metric], c.twin.second.measurements[c.metric]) for c in changes]
    axis = _axis(metric.id, [m for pair in pairs for m in pair], {metric.id: metric})
    ends = [m.value / axis.divisor for pair in pairs for m in pair]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    diagonal = {"type": "scatter", "mode": "lines", "x": [low, high], "y": [low, high], "hoverinfo": "skip", "showlegend": False,
                "line": {"color": ink.muted, "width": 1, "dash": "dash"}}  # fmt: skip
    runtimes = theme.styles(
        {titles.get(c.twin.first.target.runtime, c.twin.first.target.runtime) for c in changes}, mode
    )
    traces = [_twins(changes, name, style, axis, titles, ink) for name, style in runtimes.items()]
    layout = {"template": theme.template(mode).to_plotly_json(), "height": TWINS_HEIGHT, "hovermode": "closest"}
    unit = f" in {axis.suffix}" if axis.suffix else ""
    for name, side in (("xaxis", first), ("yaxis", second)):
        layout[name] = {**_axis_layout(axis, ends), "title": {"text": escape(f"{axis.title}{unit}, {side}")}}
    return {"data": [diagonal, *traces], "layout": layout}


def _twins(
    changes: Sequence[TwinChange], runtime: str, style: theme.Style, axis: AcrossAxis, titles: Mapping[str, str], ink: theme.Ink
) -> dict[str, Any]:  # fmt: skip
    mine = [c for c in changes if titles.get(c.twin.first.target.runtime, c.twin.first.target.runtime) == runtime]
    return {
        "type": "scatter", "mode": "markers", "name": escape(runtime),
        "x": [c.twin.first.measurements[c.metric].value / axis.divisor for c in mine],
        "y": [c.twin.second.measurements[c.metric].value / axis.divisor for c in mine],
        "marker": {"symbol": style.symbol, "size": 10, "color": [style.color if c.differs else ink.ground for c in mine],
                   "line": {"color": style.color, "width": 1.8}},
        "hovertext": [f"<b>{escape(c.twin.first.name)}</b><br>{change_text(c)}<br>{'differs' if c.differs else 'may be chance'}" for c in mine],
        "hoverinfo": "text",
    }  # fmt: skip


_FACTS = {
    "machine": "Host", "os": "Operating system", "python": "Python", "cpu": "Processor", "features": "Instruction sets", "cores": "Cores",
    "architecture": "Architecture", "memory_bytes": "Memory", "governor": "Clock governor",
}  # fmt: skip


def discrepancy_rows(found: Sequence[Discrepancy], names: Sequence[str]) -> list[dict[str, str]]:
    """What machines or specs do not share, as text.

    Args:
        names: of the machines or studies, in the order of the values.
    """
    return [
        {"What": _fact(d.about), **{n: _value(d.about, v) for n, v in zip(names, d.values, strict=True)}} for d in found
    ]


def _fact(name: str) -> str:
    head, _, rest = name.partition(" · ")
    if head == "versions":
        return f"Version of {rest}"
    return _FACTS.get(head, formats.capital(head.replace("_", " "))) + (f": {rest}" if rest else "")


def _value(about: str, value: Any) -> str:
    if value is None:
        return formats.UNKNOWN
    if about == "memory_bytes":
        return formats.value(value, "B")
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def member_title(member: Member, model: str) -> str:
    """A study's name where several stand beside each other: its model, its title and when it was made."""
    return " · ".join(filter(None, [model, member.study.title, formats.moment(member.study.created_at)]))
