"""What pruning costs, as a plot over the share of weights that is gone, as a table, and in
sentences that teach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lab.analysis.differences import LATENCY, difference, differs
from lab.analysis.pruning import Lesson, Point, Way, furthest
from lab.plots import formatting, theme, words
from lab.types import Measurement, Trial

HEIGHT, SMALL = 380, 300
NAMES: Mapping[tuple[Way, bool], str] = {
    ("structured", False): "whole channels",
    ("structured", True): "whole channels, fine-tuned",
    ("unstructured", False): "single weights",
    ("unstructured", True): "single weights, fine-tuned",
}
SYMBOLS = {"structured": "square", "unstructured": "circle"}
COSTS = {"size_bytes": "file", "download_bytes": "compressed download", "latency_s": "time"}
DROP, NEARLY = 0.01, 0.03
WORK = {"size_bytes": "less to store", "latency_s": "less to compute"}
SAME_SIZE, SAME_TIME = "as large as before", "as long as before"


@dataclass(frozen=True)
class Curve:
    """One way to prune, as drawn: shares and accuracies in percent.

    Attributes:
        points: (trial, removed, value, low, high), from the float model on; texts: what is said of
            each.
        costs: metric -> (removed, percent of the float model's).
    """

    name: str
    way: Way
    tuned: bool
    points: tuple[tuple[str, float, float, float, float], ...]
    texts: tuple[str, ...]
    costs: Mapping[str, tuple[tuple[float, float], ...]]


@dataclass(frozen=True)
class PruningInfo:
    """The plot; the baseline is (value, low, high) in percent, None before it is there."""

    curves: tuple[Curve, ...]
    baseline: tuple[float, float, float] | None
    noun: str


def pruning_info(found: Lesson) -> PruningInfo:
    """Lay out the four ways; each begins at what was not pruned."""
    base = _percent(found.baseline.quality) if found.baseline else None
    curves = tuple(
        _curve(found, way, tuned) for way, tuned in NAMES if found.line(way, tuned).points
    )
    return PruningInfo(curves, base, formatting.capital(words.plain(found.metric)))


def _curve(found: Lesson, way: Way, tuned: bool) -> Curve:
    start = found.tuned if tuned else found.baseline
    points = [*([start] if start else []), *found.line(way, tuned).points]
    drawn = tuple((p.trial, 100 * p.removed, *_percent(p.quality)) for p in points)
    costs = {m: _relative(points, found.baseline, m) for m in COSTS}
    return Curve(
        NAMES[way, tuned], way, tuned, drawn, tuple(_text(p, found.metric) for p in points), costs
    )


def _percent(m: Measurement) -> tuple[float, float, float]:
    low, high = (m.value if end is None else end for end in (m.low, m.high))
    return 100 * m.value, 100 * low, 100 * high


def _relative(
    points: Sequence[Point], baseline: Point | None, metric: str
) -> tuple[tuple[float, float], ...]:
    reference = baseline.measurements.get(metric) if baseline else None
    if reference is None or not reference.value:
        return ()
    known = [(p, p.measurements[metric].value) for p in points if metric in p.measurements]
    return tuple((100 * p.removed, 100 * value / reference.value) for p, value in known)


def _text(p: Point, metric: str) -> str:
    costs = [
        f"{COSTS[m]} {formatting.value(p.measurements[m].value, p.measurements[m].unit)}"
        for m in COSTS
        if m in p.measurements
    ]
    head = (
        f"{p.name}<br>{100 * p.removed:.1f} % of the weights"
        f" gone{'' if p.counted else ' (as asked for)'}"
    )
    return "<br>".join([head, f"{words.plain(metric)} {formatting.measurement(p.quality)}", *costs])


# --- figures --------------------------------------------------------------------------------------


def pruning_figure(info: PruningInfo, mode: theme.Mode = "light") -> Any:
    """Accuracy over the share of weights gone: squares for channels, dots for single weights,
    dashed without fine-tuning.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        layout=_layout(mode, HEIGHT, f"{info.noun.lower() if info.noun != 'AUC' else info.noun}, %")
    )
    if info.baseline:
        for trace in _band(info.baseline, theme.INKS[mode].muted):
            figure.add_trace(trace)
    for curve in info.curves:
        figure.add_trace(_trace(curve, mode))
    return figure


def _layout(mode: theme.Mode, height: int, y: str) -> dict[str, Any]:
    return {
        "template": theme.template(mode),
        "height": height,
        "hovermode": "closest",
        "xaxis": {"title": {"text": "weights gone or zero, %"}, "range": [-2, 101]},
        "yaxis": {"title": {"text": y}},
    }


def _band(baseline: tuple[float, float, float], color: str) -> Iterator[dict[str, Any]]:
    value, low, high = baseline
    line = {"type": "scatter", "mode": "lines", "x": [-2, 101], "hoverinfo": "skip"}
    yield line | {"y": [low, low], "line": {"width": 0}, "showlegend": False}
    yield line | {
        "y": [high, high],
        "line": {"width": 0},
        "fill": "tonexty",
        "fillcolor": f"rgba({theme.rgb(color)},0.15)",
        "showlegend": False,
    }
    yield line | {
        "y": [value, value],
        "name": "float model",
        "line": {"color": color, "width": 1, "dash": "dot"},
    }


def _trace(curve: Curve, mode: theme.Mode) -> dict[str, Any]:
    ids, x, y, low, high = zip(*curve.points, strict=True)
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [h - v for h, v in zip(high, y, strict=True)],
        "arrayminus": [v - b for v, b in zip(y, low, strict=True)],
        "thickness": 1,
        "width": 3,
        "color": _color(curve, mode),
    }
    return _line(curve, mode) | {
        "x": x,
        "y": y,
        "customdata": [[id_] for id_ in ids],
        "hovertext": curve.texts,
        "hoverinfo": "text",
        "error_y": bars,
    }


def _line(curve: Curve, mode: theme.Mode) -> dict[str, Any]:
    color = _color(curve, mode)
    symbol = SYMBOLS[curve.way] + ("" if curve.tuned else "-open")
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": curve.name,
        "line": {
            "color": color,
            "width": 2 if curve.tuned else 1.5,
            "dash": "solid" if curve.tuned else "dash",
        },
        "marker": {"color": color, "symbol": symbol, "size": [9.0] * len(curve.points)},
    }


def _color(curve: Curve, mode: theme.Mode) -> str:
    blue = theme.DARK_BLUE_FOR_DARK if mode == "dark" else theme.OKABE_ITO[0]
    return blue if curve.way == "structured" else theme.OKABE_ITO[1]


def cost_figure(info: PruningInfo, metric: str, mode: theme.Mode = "light") -> Any:
    """One cost over the share of weights gone, in percent of the float model's; fine-tuning changes
    neither file nor time.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        layout=_layout(mode, SMALL, f"{COSTS[metric]}, % of float") | {"showlegend": False}
    )
    figure.add_trace(
        {
            "type": "scatter",
            "mode": "lines",
            "x": [-2, 101],
            "y": [100, 100],
            "hoverinfo": "skip",
            "line": {"color": theme.INKS[mode].muted, "width": 1, "dash": "dot"},
        }
    )
    for curve in info.curves:
        if curve.costs[metric]:
            x, y = zip(*curve.costs[metric], strict=True)
            figure.add_trace(
                _line(curve, mode)
                | {
                    "x": x,
                    "y": y,
                    "hovertemplate": f"{curve.name}: %{{y:.0f}} %<extra></extra>",
                }
            )
    figure.update_yaxes(rangemode="tozero")
    return figure


# --- in words and numbers -------------------------------------------------------------------------


def pruning_texts(found: Lesson, trials: Mapping[str, Trial]) -> tuple[str, ...]:
    """What the study shows, a sentence each: how far each way goes, what fine-tuning wins back,
    what zeros weigh.

    Args:
        trials: id -> trial, for comparisons item by item.
    """
    base = found.baseline
    if base is None or not any(line.points for line in found.lines):
        return ()
    return tuple(
        text
        for text in (
            _reach(found, base),
            _won_back(found, trials),
            _alone(found, trials),
            _zeros(found, base, trials),
            _channels(found, base, trials),
        )
        if text
    )


def _reach(found: Lesson, base: Point) -> str:
    parts = []
    ways: tuple[tuple[Literal["structured", "unstructured"], str], ...] = (
        ("structured", "whole channels"),
        ("unstructured", "single weights"),
    )
    for way, name in ways:
        lines = {tuned: found.line(way, tuned) for tuned in (False, True)}
        ends = {tuned: furthest(line, base.quality, DROP) for tuned, line in lines.items()}
        told = {tuned: f"{100 * p.removed:.0f} %" if p else "none" for tuned, p in ends.items()}
        parts.append(f"{told[False]} of the weights as {name}, {told[True]} with fine-tuning")
    return f"At most {100 * DROP:.0f} point below the float model one can take {'; '.join(parts)}."


def _won_back(found: Lesson, trials: Mapping[str, Trial]) -> str:
    pairs = [
        (bare, tuned)
        for way in ("structured", "unstructured")
        for bare in found.line(way, False).points
        for tuned in found.line(way, True).points
        if tuned.asked == bare.asked
    ]
    if not pairs:
        return ""
    bare, tuned = max(pairs, key=lambda p: p[1].quality.value - p[0].quality.value)
    gain = tuned.quality.value - bare.quality.value
    if gain <= 0:
        return "Fine-tuning won nothing back here."
    between = _between(found.metric, trials.get(tuned.trial), trials.get(bare.trial))
    return (
        f"Fine-tuning wins back most for {bare.name}: {100 * gain:.1f} points{between}, from"
        f" {100 * bare.quality.value:.1f} to {100 * tuned.quality.value:.1f} %."
    )


def _alone(found: Lesson, trials: Mapping[str, Trial]) -> str:
    """What the training itself does, told where it is more than chance."""
    tuned, base = (trials.get(p.trial) if p else None for p in (found.tuned, found.baseline))
    d = difference(found.metric, tuned, base) if tuned and base else None
    if d is None or not d.differs:
        return ""
    what = "harms" if d.value < 0 else "improves"
    why = (
        ": more steps or a smaller learning rate would do better"
        if d.value < 0
        else ", so not all that it wins back was lost by pruning"
    )
    return (
        f"Fine-tuning alone {what} the model that was not pruned, by {100 * abs(d.value):.1f}"
        f" points{why}."
    )


def _between(metric: str, trial: Trial | None, other: Trial | None) -> str:
    d = difference(metric, trial, other) if trial and other else None
    return f" (95 % interval {100 * d.low:.1f} to {100 * d.high:.1f})" if d else ""


def _zeros(found: Lesson, base: Point, trials: Mapping[str, Trial]) -> str:
    """Zeros are stored like any number, where the numbers show it."""
    most = _most(found, "unstructured")
    if most is None:
        return ""
    told = _told(most, base, trials)
    stored = told["size_bytes"] == SAME_SIZE
    why = ": zeros are stored and multiplied like any number" if stored else ""
    download = (
        f"; compressed for a download it is {told['download_bytes']}"
        if told["download_bytes"]
        else ""
    )
    return (
        f"With {100 * most.removed:.0f} % of the weights at zero the file"
        f" {_file_and_time(told)}{why}{download}."
    )


def _channels(found: Lesson, base: Point, trials: Mapping[str, Trial]) -> str:
    most = _most(found, "structured")
    if most is None:
        return ""
    told = _told(most, base, trials)
    less = [
        work for metric, work in WORK.items() if told[metric].endswith(("smaller", "less time"))
    ]
    why = f": smaller tensors are {' and '.join(less)}" if less else ""
    return (
        f"With {100 * most.removed:.0f} % of the weights gone as whole channels the file"
        f" {_file_and_time(told)}{why}."
    )


def _most(found: Lesson, way: Way) -> Point | None:
    """The most pruned model, fine-tuned where there is such a one."""
    points = found.line(way, True).points or found.line(way, False).points
    return max(points, key=lambda p: p.removed, default=None)


def _file_and_time(told: Mapping[str, str]) -> str:
    parts = [
        f"is {told['size_bytes']}" if told["size_bytes"] else "",
        f"takes {told['latency_s']}" if told["latency_s"] else "",
    ]
    return " and ".join(part for part in parts if part) or "has not been measured yet"


def _told(p: Point, base: Point, trials: Mapping[str, Trial]) -> dict[str, str]:
    return {metric: _change(metric, p, base, trials) for metric in COSTS}


def _change(metric: str, p: Point, base: Point, trials: Mapping[str, Trial]) -> str:
    """ "as large as before", "3.1× smaller", "1.6× less time"; "" where it is not known yet."""
    mine, theirs = p.measurements.get(metric), base.measurements.get(metric)
    if mine is None or theirs is None or not mine.value:
        return ""
    ratio, seconds = theirs.value / mine.value, metric == LATENCY
    if abs(ratio - 1) < NEARLY or (
        seconds and not differs(metric, trials[p.trial], trials[base.trial])
    ):
        return SAME_TIME if seconds else SAME_SIZE
    word = (
        ("less time" if ratio > 1 else "more time")
        if seconds
        else "smaller"
        if ratio > 1
        else "larger"
    )
    return f"{formatting.digits(max(ratio, 1 / ratio))}× {word}"


def pruning_rows(found: Lesson) -> list[dict[str, str]]:
    """The numbers behind the plots, one row a model; what failed, with its reason."""
    unpruned = [("float model", found.baseline), ("float model, fine-tuned", found.tuned)]
    rows = [_row(name, p, found) for name, p in unpruned if p]
    for (way, tuned), name in NAMES.items():
        rows += [_row(name, p, found) for p in found.line(way, tuned).points]
        rows += [_broken(name, *failure, found) for failure in found.line(way, tuned).failed]
    return rows


def _row(name: str, p: Point, found: Lesson) -> dict[str, str]:
    removed = f"{100 * p.removed:.1f} %" + ("" if p.counted else " asked")
    told = [formatting.measurement(m) for m in (p.quality, *(p.measurements.get(m) for m in COSTS))]
    return dict(zip(_columns(found), (name, p.name, removed, *told, ""), strict=True))


def _broken(name: str, recipe: str, why: str, found: Lesson) -> dict[str, str]:
    return dict.fromkeys(_columns(found), "") | {"Pruned": name, "Recipe": recipe, "Remarks": why}


def _columns(found: Lesson) -> tuple[str, ...]:
    costs = (formatting.capital(name) for name in COSTS.values())
    return (
        "Pruned",
        "Recipe",
        "Weights gone",
        formatting.capital(words.plain(found.metric)),
        *costs,
        "Remarks",
    )


def pruning_json(found: Lesson) -> dict[str, Any]:
    """Everything as JSON: {"metric", "baseline", "fine_tuned", "lines": [{"way", "fine_tuned",
    "points", "failed"}]}.
    """
    lines = [
        {
            "way": x.way,
            "fine_tuned": x.tuned,
            "points": [_point_json(p) for p in x.points],
            "failed": [{"name": n, "message": why} for n, why in x.failed],
        }
        for x in found.lines
    ]
    return {
        "metric": found.metric,
        "baseline": found.baseline and _point_json(found.baseline),
        "fine_tuned": found.tuned and _point_json(found.tuned),
        "lines": lines,
    }


def _point_json(p: Point) -> dict[str, Any]:
    return {
        "trial": p.trial,
        "name": p.name,
        "removed": p.removed,
        "counted": p.counted,
        "ratio": p.asked,
        "measurements": {m: v.to_json() for m, v in p.measurements.items()},
    }
