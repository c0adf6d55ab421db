"""Presentation of the self-test: its groups, its lines in a terminal, and the gain from more
threads.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from lab.plots import formatting, theme

GROUPS: Mapping[str, str] = {
    "timing": "Timing quality",
    "machine": "Processor and load",
    "computing": "Compute capabilities",
    "software": "Lab installation",
}
WORDS: Mapping[str, str] = {"ok": "ok", "warning": "WARNING", "unavailable": "unknown"}
WIDTH = 110
HEIGHT = 300


class Shown(Protocol):
    """Parts of a check that are shown (`lab.measure.check.Check`)."""

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
        """Result in a sentence."""
        ...

    @property
    def figures(self) -> Mapping[str, Any]:
        """The numbers by name."""
        ...

    @property
    def remedy(self) -> str:
        """Advice for the user."""
        ...


C = TypeVar("C", bound=Shown)


def grouped(checks: Sequence[C]) -> dict[str, list[C]]:
    """Return title of a group -> its checks, warnings first; empty groups are left out."""
    order = list(WORDS)
    rank = {"warning": -1}
    by_title = {title: [c for c in checks if c.group == group] for group, title in GROUPS.items()}
    return {
        title: sorted(cs, key=lambda c: rank.get(c.state, order.index(c.state)))
        for title, cs in by_title.items()
        if cs
    }


def doctor_lines(checks: Sequence[C]) -> list[str]:
    """Return the checks as lines of a terminal, group by group."""
    lines: list[str] = []
    for title, group in grouped(checks).items():
        lines += ["", title]
        for check in group:
            head = f"  {WORDS[check.state]:8}{check.title:26}"
            text = check.text + (f" -> {check.remedy}" if check.remedy else "")
            lines += textwrap.wrap(
                text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)
            )
    warned = sum(c.state == "warning" for c in checks)
    return [*lines[1:], "", f"{len(checks)} checks, {warned} with a warning"]


def summary(checks: Sequence[C]) -> str:
    """Summarise the checks in a sentence of Markdown: the number of warnings and their titles."""
    warned = [
        c.title.lower() if not c.title.startswith("A/A") else c.title
        for c in checks
        if c.state == "warning"
    ]
    unknown = sum(c.state == "unavailable" for c in checks)
    more = (
        (f" {formatting.plural(unknown, 'value')} cannot be read on this machine.")
        if unknown
        else ""
    )
    if not warned:
        return f"**No warnings: timings on this machine can be trusted.**{more}"
    return f"**{formatting.plural(len(warned), 'warning')}:** {', '.join(warned)}.{more}"


def figures_table(checks: Sequence[C]) -> list[dict[str, str]]:
    """Return one row per figure: the check, the figure's name with its unit, its value."""
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
    """Draw the speed-up by threads beside the ideal, which is proportional to the threads.

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
                hovertemplate="%{x} threads: %{y:.2f}× faster<extra></extra>",
            ),
        ]
    )
    figure.update_layout(template=theme.template(mode), height=HEIGHT)
    figure.update_xaxes(title="Threads", type="log", **ticks)
    figure.update_yaxes(title="Speed-up over one thread", type="log", **ticks)
    return figure
