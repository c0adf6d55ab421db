"""Matching trials of two studies: each metric in both, and the differences between the studies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import streamlit as st

import lab
from lab.analysis.across import Across, Member, Twins, discrepancies, twin_changes
from lab.plots import formatting, words
from lab.plots.matched_trials import (
    TWINS_HEIGHT,
    discrepancy_rows,
    twin_rows,
    twins_spec,
    twins_text,
)
from lab.plots.table import ordered_metrics
from lab.types import Study
from pages.widgets import address
from pages.widgets.chart import chart

COLUMNS = {"Trial", "Runs on", "Change", "Verdict", "Property"}
NOT_IN_SPEC = ("recipes", "chains", "space", "targets", "further_targets", "metrics", "objectives")
"""Fields of a spec that the trials themselves show."""


@st.cache_resource(max_entries=16, show_spinner=False)
def twins_of(first: tuple[str, int], second: tuple[str, int]) -> Twins:
    return lab.twins(first[0], second[0])


@st.cache_resource(max_entries=16, show_spinner=False)
def changes_of(
    first: tuple[str, int],
    second: tuple[str, int],
    metric: str,
    names: tuple[str, str],
    same_items: bool,
) -> tuple[str, str, list[dict[str, str]]]:
    """Return a sentence, the figure as JSON, and the table's rows."""
    matched = twins_of(first, second)
    changes = twin_changes(matched.pairs, metric, same_items=same_items)
    spec = twins_spec(changes, lab.available_metrics()[metric], *names)
    return (
        twins_text(matched, changes, metric, *names),
        json.dumps(spec),
        twin_rows(changes, *names),
    )


def in_two(studies: Sequence[Study], texts: Mapping[str, str], comparison: Across) -> None:
    """Show the matching trials of two studies of one model, if there are any."""
    members = {m.study.id: m for m in comparison.members}
    alike = [(a, b) for i, a in enumerate(studies) for b in studies[i + 1 :] if a.model == b.model]
    if not alike:
        return
    st.subheader("The same trials in two studies", anchor=False)
    pairs = {f"{a.id}~{b.id}": f"{texts[a.id]} and {texts[b.id]}" for a, b in alike}
    with st.container(width=520):
        pair = (
            address.dropdown("pair", "Studies", list(pairs), pairs)
            if len(pairs) > 1
            else next(iter(pairs))
        )
    twins(*(members[id_] for id_ in pair.split("~")))


def twins(first: Member, second: Member) -> None:
    metrics, matched = (
        lab.available_metrics(),
        twins_of(*((m.study.id, m.study.revision) for m in (first, second))),
    )
    ids = [
        id_ for id_ in ordered_metrics([p.first for p in matched.pairs], metrics) if id_ in metrics
    ]
    if not ids:
        st.write(twins_text(matched, (), "", "the first", "the second"))
        return
    with st.container(width=320):
        titles = {id_: metrics[id_].title for id_ in ids}
        metric = address.dropdown(
            "number", "Metric", sorted(ids, key=lambda id_: id_ != "latency_s"), titles
        )
    names = a, b = short_names(first, second)
    same_items = (first.data, first.items) == (second.data, second.items)
    text, figure, rows = changes_of(
        *((m.study.id, m.study.revision) for m in (first, second)), metric, names, same_items
    )
    st.markdown(formatting.markdown(text))
    left, right = st.columns([9, 11], gap="medium")
    with left:
        chart(
            figure,
            key=f"twins_{first.study.id}_{second.study.id}_{metric}",
            height=TWINS_HEIGHT,
            alt=(
                f"{metrics[metric].title} in the second study over the first; the table has the"
                " same numbers."
            ),
        )
        st.caption(
            "Dashed line: no change. Hollow: may be chance. A point is one recipe on one target:"
            f" its {words.plain(metric)} in both studies."
        )
    with right:
        st.dataframe(
            rows,
            hide_index=True,
            height=min(38 + 35 * len(rows), TWINS_HEIGHT),
            alt="Trials in both studies, the biggest change first",
        )
    unlike(first, second, a, b)


def short_names(first: Member, second: Member) -> tuple[str, str]:
    """Return two distinct names that are no other column's name: titles, else creation times, else
    ids.
    """
    titles = first.study.title, second.study.title
    moments = tuple(formatting.moment(m.study.created_at) for m in (first, second))
    fit = (
        names
        for names in (titles, moments)
        if all(names) and names[0] != names[1] and not COLUMNS & set(names)
    )
    a, b = next(fit, (first.study.id, second.study.id))
    return a, b


def unlike(first: Member, second: Member, a: str, b: str) -> None:
    """Show the differences in machines, versions and specs."""
    files = {
        "Model file": (first.source[:12], second.source[:12]),
        "Test data": (first.data[:12], second.data[:12]),
    }
    rows = [
        {"Property": what, a: one, b: other}
        for what, (one, other) in files.items()
        if one and other and one != other
    ]
    rows += discrepancy_rows(discrepancies(spec_of(first), spec_of(second)), (a, b))
    rows += discrepancy_rows(discrepancies(machine_of(first), machine_of(second)), (a, b))
    with st.expander(f"Differences between the two studies ({len(rows)})"):
        if rows:
            st.dataframe(
                rows,
                hide_index=True,
                height="content",
                alt="Differences in machines, versions and settings",
            )
        else:
            st.write("Machine, versions, settings, model file and test data are identical.")


def machine_of(member: Member) -> Mapping[str, object]:
    """Return the machine of most of a study's trials."""
    ids = [t.environment for t in member.trials if t.environment]
    return lab.environment(max(set(ids), key=ids.count)) if ids else {}


def spec_of(member: Member) -> Mapping[str, object]:
    return {
        name: value
        for name, value in member.study.spec.to_json().items()
        if name not in NOT_IN_SPEC
    }
