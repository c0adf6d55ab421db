"""The self-test for people to read: its groups, its lines in a terminal, and what more threads
bring.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from lab.plots import formatting, theme

GROUPS: Mapping[str, str] = {
    "timing": "Can timings be trusted?",
    "machine": "The processor, and what else it does",
    "computing": "What it can compute",
    "software": "The lab on it",
}
WORDS: Mapping[str, str] = {"ok": "ok", "warning": "WARNING", "unavailable": "unknown"}
WIDTH = 110
HEIGHT = 300


class Shown(Protocol):
    """What is shown of a check (`lab.measure.check.Check`)."""

    @property
    def title(self) -> str:
        """A few words."""
        ...

    @property
    def group(self) -> str:
        """One of GROUPS."""
        ...

    @property
    def state(self) -> str:
        """One of WORDS."""
        ...

    @property
    def text(self) -> str:
        """What was found."""
        ...

    @property
    def figures(self) -> Mapping[str, Any]:
        """The numbers by name."""
        ...

    @property
    def remedy(self) -> str:
        """What to do about it."""
        ...


C = TypeVar("C", bound=Shown)


def grouped(checks: Sequence[C]) -> dict[str, list[C]]:
    """Title of a group -> its checks, those that warn first; groups without any are left out."""
    order = list(WORDS)
    rank = {"warning": -1}
    found = {title: [c for c in checks if c.group == group] for group, title in GROUPS.items()}
    return {
        title: sorted(cs, key=lambda c: rank.get(c.state, order.index(c.state)))
        for title, cs in found.items()
        if cs
    }


def doctor_lines(checks: Sequence[C]) -> list[str]:
    """The checks as lines of a terminal, group by group."""
    lines: list[str] = []
    for title, found in grouped(checks).items():
        lines += ["", title]
        for check in found:
            head = f"  {WORDS[check.state]:8}{check.title:26}"
            said = check.text + (f" -> {check.remedy}" if check.remedy else "")
            lines += textwrap.wrap(
                said, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)
            )
    warned = sum(c.state == "warning" for c in checks)
    return [*lines[1:], "", f"{len(checks)} checks, {warned} with a warning"]


def summary(checks: Sequence[C]) -> str:
    """All of it in a sentence of Markdown: how many warn, and which."""
    warned = [
        c.title.lower() if not c.title.startswith("A/A") else c.title
        for c in checks
        if c.state == "warning"
    ]
    unknown = sum(c.state == "unavailable" for c in checks)
    more = f" {formatting.plural(unknown, 'thing')} cannot be known here." if unknown else ""
    if not warned:
        return f"**Nothing stands in the way of good timings.**{more}"
    return f"**{formatting.plural(len(warned), 'warning')}:** {', '.join(warned)}.{more}"


def figures_table(checks: Sequence[C]) -> list[dict[str, str]]:
    """One row a figure: the check, the figure's name with its unit, its value."""
    return [
        {"Check": c.title, "Figure": name.replace("_", " "), "Value": _value(value)}
        for c in checks
        for name, value in c.figures.items()
    ]


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_value(v)}" for name, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_value(v) for v in value)
    return formatting.UNKNOWN if value is None else str(value)


def scaling_figure(speedup: Mapping[int, float], mode: theme.Mode = "light") -> Any:
    """What so many threads bring, beside the ideal: as many times as fast as there are threads.

    Args:
        speedup: threads -> times as fast as one.
    """
    import plotly.graph_objects as go

    ink, counts = theme.INKS[mode], sorted(speedup)
    blue = theme.DARK_BLUE_FOR_DARK if mode == "dark" else theme.OKABE_ITO[0]
    ticks = {"tickvals": counts, "ticktext": [str(n) for n in counts]}
    figure = go.Figure(
        [
            go.Scatter(
                x=counts,
                y=counts,
                mode="lines",
                name="ideal",
                line={"color": ink.muted, "dash": "dot"},
                hoverinfo="skip",
            ),
            go.Scatter(
                x=counts,
                y=[speedup[n] for n in counts],
                mode="lines+markers",
                name="measured",
                line={"color": blue},
                marker={"size": 9},
                hovertemplate="%{x} threads: %{y:.2f} times as fast<extra></extra>",
            ),
        ]
    )
    figure.update_layout(template=theme.template(mode), height=HEIGHT)
    figure.update_xaxes(title="Threads", type="log", **ticks)
    figure.update_yaxes(title="Times as fast as one thread", type="log", **ticks)
    return figure
