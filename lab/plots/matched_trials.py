"""Matching trials of two studies, and the differences between machines or specs: in sentences, as
tables and as a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from lab.analysis.across import Discrepancy, TwinChange, Twins
from lab.plots import formatting, theme, words
from lab.plots.across import axis_of
from lab.plots.pareto.figure import axis_layout
from lab.plots.pareto.info import Axis
from lab.plugs import Metric

TWINS_HEIGHT = 380


def twins_text(
    matched: Twins, changes: Sequence[TwinChange], metric: str, first: str, second: str
) -> str:
    """Describe the number of matching trials and the biggest change of a metric in one or two
    sentences.
    """
    pairs = len(matched.pairs)
    if not pairs:
        return "The two studies have no recipe on the same target in common."
    sure = [c for c in changes if c.differs]
    text = (
        f"{formatting.plural(pairs, 'trial')} with the same recipe and target;"
        f" {len(matched.only_first)} only in {first}, {len(matched.only_second)} only in {second}."
    )
    if not changes:
        return text
    chance = "" if changes[0].differs else " (may be chance)"
    biggest = (
        f" Biggest change: {changes[0].twin.first.name}, {change_text(changes[0])}{chance}."
        if changes[0].extent
        else ""
    )
    return (
        f"{text} {formatting.capital(words.plain(metric))} differs by more than chance in"
        f" {len(sure)} of {len(changes)}.{biggest}"
    )


def change_text(c: TwinChange) -> str:
    """ "1.8× faster", "0.6 points lower", "no change"."""
    a, b = c.twin.first.measurements[c.metric], c.twin.second.measurements[c.metric]
    return formatting.change(b, a, plainly=True)


def twin_rows(changes: Sequence[TwinChange], first: str, second: str) -> list[dict[str, str]]:
    """Return one row per pair, in the given order."""
    shown = formatting.varying_options(c.twin.first.target for c in changes)
    return [
        {
            "Trial": c.twin.first.name,
            "Runs on": formatting.target_text(c.twin.first.target, shown),
            first: formatting.measurement(c.twin.first.measurements[c.metric]),
            second: formatting.measurement(c.twin.second.measurements[c.metric]),
            "Change": change_text(c),
            "Verdict": "differs" if c.differs else "equal" if c.change == 0 else "may be chance",
        }
        for c in changes
    ]


def twins_spec(
    changes: Sequence[TwinChange],
    metric: Metric,
    first: str,
    second: str,
    mode: theme.Mode = "light",
) -> dict[str, Any]:
    """Draw the second study over the first, a point per pair; hollow if the difference may be
    chance.
    """
    ink = theme.INKS[mode]
    pairs = [
        (c.twin.first.measurements[c.metric], c.twin.second.measurements[c.metric]) for c in changes
    ]
    axis = axis_of(metric.id, [m for pair in pairs for m in pair], {metric.id: metric})
    ends = [m.value / axis.divisor for pair in pairs for m in pair]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": [low, high],
        "y": [low, high],
        "hoverinfo": "skip",
        "showlegend": False,
        "line": {"color": ink.muted, "width": 1, "dash": "dash"},
    }
    runtimes = theme.styles({_runtime(c) for c in changes}, mode)
    traces = [_twins(changes, name, style, axis, ink) for name, style in runtimes.items()]
    layout = {
        "template": theme.template(mode).to_plotly_json(),
        "height": TWINS_HEIGHT,
        "hovermode": "closest",
    }
    unit = f" in {axis.suffix}" if axis.suffix else ""
    for name, side in (("xaxis", first), ("yaxis", second)):
        layout[name] = {
            **axis_layout(axis, ends),
            "title": {"text": escape(f"{axis.title}{unit}, {side}")},
        }
    return {"data": [diagonal, *traces], "layout": layout}


def _runtime(change: TwinChange) -> str:
    return formatting.runtime_title(change.twin.first.target.runtime)


def _twins(
    changes: Sequence[TwinChange],
    runtime: str,
    style: theme.Style,
    axis: Axis,
    ink: theme.Ink,
) -> dict[str, Any]:
    mine = [c for c in changes if _runtime(c) == runtime]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": escape(runtime),
        "x": [c.twin.first.measurements[c.metric].value / axis.divisor for c in mine],
        "y": [c.twin.second.measurements[c.metric].value / axis.divisor for c in mine],
        "marker": {
            "symbol": style.symbol,
            "size": 10,
            "color": [style.color if c.differs else ink.ground for c in mine],
            "line": {"color": style.color, "width": 1.8},
        },
        "hovertext": [
            f"<b>{escape(c.twin.first.name)}</b><br>{change_text(c)}<br>"
            + ("differs" if c.differs else "may be chance")
            for c in mine
        ],
        "hoverinfo": "text",
    }


_FACTS = {
    "machine": "Host", "os": "Operating system", "python": "Python", "cpu": "Processor",
    "features": "Instruction sets", "cores": "Cores", "architecture": "Architecture",
    "memory_bytes": "Memory", "governor": "Clock governor",
}  # fmt: skip


def discrepancy_rows(
    discrepancies: Sequence[Discrepancy], names: Sequence[str]
) -> list[dict[str, str]]:
    """Return the differences between machines or specs as text.

    Args:
        names: of the machines or studies, in the order of the values.
    """
    return [
        {
            "Property": _fact(d.about),
            **{n: _value(d.about, v) for n, v in zip(names, d.values, strict=True)},
        }
        for d in discrepancies
    ]


def _fact(name: str) -> str:
    head, _, rest = name.partition(" · ")
    if head == "versions":
        return f"Version of {rest}"
    return _FACTS.get(head, formatting.capital(head.replace("_", " "))) + (
        f": {rest}" if rest else ""
    )


def _value(about: str, value: Any) -> str:
    if value is None:
        return formatting.UNKNOWN
    if about == "memory_bytes":
        return formatting.value(value, "B")
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
