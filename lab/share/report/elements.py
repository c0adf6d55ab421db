"""Elements that the sections of a report share: sections, tables, cells, links to trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.plots import formatting
from lab.plots.table import remarks
from lab.share.markup import Html, el
from lab.share.report.values import Report
from lab.types import Measurement, Trial


def section(id_: str, title: str, *children: object) -> Html:
    """A part with its heading; a link leads to it."""
    return el("section", el("h2", title), *children, id=id_)


def note(report: Report, of: str) -> Html | None:
    """A note on the study ("") or a trial, shown letter by letter."""
    text = report.notes.get(of, "").strip()
    return el("p", text, class_="note") if text else None


def link(report: Report, trial: Trial) -> Html:
    """A trial's name, leading to its row."""
    return el("a", report.name(trial), href=f"#row-{trial.id}")


def mark(report: Report, trial: Trial) -> str:
    """The sign of a trial on the front (★) or in its tie band (≈)."""
    return "★" if trial.id in report.pick.front else "≈" if trial.id in report.tied else ""


def metric_title(report: Report, metric: str) -> str:
    """A metric's title, or its id where this lab does not know it."""
    return report.metrics[metric].title if metric in report.metrics else metric


def table(
    caption: str, head: Sequence[str], rows: Sequence[Html], helps: Mapping[str, str] | None = None
) -> Html:
    """A table whose columns sort where there is JavaScript; its first column stays in view."""
    cells = [el("th", title, scope="col", title=(helps or {}).get(title) or None) for title in head]
    return el(
        "div",
        el("table", el("caption", caption), el("thead", el("tr", cells)), el("tbody", rows)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def cell(text: object, value: float | str | None = None, *small: str) -> Html:
    """A cell; `value` is its key for sorting, `small` are lines below the text."""
    return el("td", text, [el("small", line) for line in small if line], data_v=value)


def number(m: Measurement | None) -> Html:
    """A measurement with its interval below, and a remark where it is doubtful."""
    if m is None:
        return cell(formatting.UNKNOWN, "")
    return cell(formatting.value(m.value, m.unit), m.value, formatting.interval(m), remarks(m))


def definitions(facts: Mapping[str, str]) -> Html:
    """A list of names with their values; empty values are left out."""
    return el(
        "dl",
        [el("div", el("dt", name), el("dd", text)) for name, text in facts.items() if text],
        class_="facts",
    )
