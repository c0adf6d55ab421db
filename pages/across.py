"""Several studies at once: models or data of one task, one study on two machines, two versions of a study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import streamlit as st

import lab
from lab.analysis.across import Across, Member, discrepancies, twin_changes
from lab.analysis.front import baseline_of
from lab.analysis.pick import Limit, meets
from lab.plots import formats, words
from lab.plots.across import (
    COLORINGS,
    HEIGHT,
    TWINS_HEIGHT,
    Named,
    across_info,
    across_spec,
    across_table,
    discrepancy_rows,
    distinct_names,
    front_text,
    twin_rows,
    twins_spec,
    twins_text,
)
from lab.plots.table import leading, ordered_metrics
from lab.types import Study, Trial
from pages import _address, _entry
from pages._chart import chart
from pages._limits import slider
from pages._title import model_title
from pages._trial import runtime_titles

TITLE, ICON, ORDER = "Across studies", ":material/stacked_line_chart:", 0.6
WHAT_FOR = (
    "Put studies beside each other: several models of one task, to weigh architecture against compression; the same study on two machines; or "
    "two versions of a study."
)
NOT_IN_SPEC = ("recipes", "chains", "space", "targets", "further_targets", "metrics", "objectives")
"""What of a spec is told by the trials themselves."""


def main() -> None:
    st.title("Across studies", anchor=False)
    studies = chosen()
    if not studies:
        st.write(WHAT_FOR)
        if not lab.studies():
            st.page_link("pages/models.py", label="Pick a model to start with", icon=":material/arrow_forward:")
        return
    key = tuple((s.id, s.revision) for s in studies)
    everything = across_of(key, ())
    if not everything.groups:
        st.info(front_text(everything), icon=":material/hourglass_empty:")
        return
    limits = limits_control(everything)
    together(key, across_of(key, limits), limits)
    if len(studies) > 1:
        in_two(studies, everything)


# --- which studies --------------------------------------------------------------------------------------------------------


def chosen() -> list[Study]:
    """Those in the address; at first the newest of each model that shares the newest study's data."""
    known = {s.id: s for s in lab.studies() if not s.spec.about}
    given = [id_ for id_ in st.query_params.get("studies", "").split(",") if id_]
    if missing := [id_ for id_ in given if id_ not in known]:
        st.warning(f"Not in this lab: {formats.markdown(', '.join(missing))}.")
    asked = "studies" in st.query_params
    wanted = [id_ for id_ in dict.fromkeys(given) if id_ in known] if asked else related(list(known.values()))
    texts = names_of(list(known.values()))
    st.session_state.across_studies = wanted
    said = st.multiselect("Studies", list(known), format_func=lambda id_: texts[id_], key="across_studies", on_change=remember,
                          placeholder="Choose two or more")  # fmt: skip
    if said:
        st.query_params["studies"] = ",".join(said)
    return [known[id_] for id_ in said]


def related(studies: Sequence[Study]) -> list[str]:
    """The newest study, and the newest of every other model of its data."""
    found: dict[str, str] = {}
    data = {s.id: lab.card_of(s.id).dataset for s in studies}
    for study in studies:
        if study.state == "complete" and data[study.id] == data[studies[0].id]:
            found.setdefault(study.model, study.id)
    return list(found.values())


def names_of(studies: Sequence[Study]) -> dict[str, str]:
    """Distinct ones: what is chosen in a list is known by its text."""
    facts = {s.id: [model_title(s.model), s.title, formats.moment(s.created_at)] for s in studies}
    return distinct_names({id_: " · ".join(filter(None, parts)) for id_, parts in facts.items()})


def remember() -> None:
    st.query_params["studies"] = ",".join(st.session_state.across_studies)


# --- all together ---------------------------------------------------------------------------------------------------------


@st.cache_resource(max_entries=32, show_spinner=False)
def across_of(key: tuple[tuple[str, int], ...], limits: tuple[Limit, ...]) -> Across:
    ids = [id_ for id_, _ in key]
    if not limits:
        return lab.across(ids)
    allowed = feasible_of(key, limits)
    return lab.across(ids, lambda trial: trial.id in allowed)


@st.cache_resource(max_entries=32, show_spinner=False)
def feasible_of(key: tuple[tuple[str, int], ...], limits: tuple[Limit, ...]) -> frozenset[str]:
    """Trials that meet the limits; a drop is counted from the float baseline of a trial's own study."""
    found = across_of(key, ())
    floats = {m.study.id: [t for t in m.trials if t.is_baseline] for m in found.members}
    return frozenset(
        t.id for t in found.trials if all(meets(limit, t, baseline_of(t, floats[t.study])) for limit in limits)
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def named_of(key: tuple[tuple[str, int], ...]) -> Named:
    return lab.names_across(across_of(key, ()))


@st.cache_resource(max_entries=64, show_spinner=False)
def figure_of(
    key: tuple[tuple[str, int], ...], limits: tuple[Limit, ...], x: str, y: str, coloring: str
) -> tuple[str, int, int]:
    """The figure as JSON, how many trials it shows and how many lack one of its numbers."""
    feasible = feasible_of(key, limits) if limits else None
    info = across_info(
        across_of(key, limits), lab.available_metrics(), named_of(key), x=x, y=y, coloring=coloring, feasible=feasible
    )
    return json.dumps(across_spec(info, uirevision=f"{key}")), len(info.points), info.left_out


def limits_control(found: Across) -> tuple[Limit, ...]:
    """As on the Results page: the task's own metric, size and time."""
    quality = [id_ for id_ in leading()[:-2] if any(id_ in t.measurements for t in found.trials)]
    wanted = [(id_, "at_least") for id_ in quality[:1]] + [("size_bytes", "at_most"), ("latency_s", "at_most")]
    places = st.columns(len(wanted), gap="medium", vertical_alignment="bottom")
    limits = []
    for place, (metric, kind) in zip(places, wanted, strict=True):
        with place:
            limits.append(slider(found.trials, metric, kind))
    return tuple(limit for limit in limits if limit)


def together(key: tuple[tuple[str, int], ...], found: Across, limits: tuple[Limit, ...]) -> None:
    metrics = lab.available_metrics()
    follow()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        coloring = _address.segments("color", "Colour", list(COLORINGS), dict(COLORINGS))
        x, y = axes(found.trials)
    st.markdown(f":material/{'join' if len(found.groups) == 1 else 'alt_route'}: {formats.markdown(front_text(found))}")
    figure, shown, lacking = figure_of(key, limits, x, y, coloring)
    chart(figure, key="across", height=HEIGHT, on_choose=open_trial,
          alt=f"{metrics[y].title} against {metrics[x].title} of {shown} trials of several studies; the table has those on a front.")  # fmt: skip
    less = f" {formats.plural(lacking, 'trial')} without one of these numbers are not drawn." if lacking else ""
    st.caption(
        f"Shape: runtime. Large: on its front. Hollow: float. Faint: beaten by another. Click a point to open its trial.{less}"
    )
    info = across_table(found, metrics, named_of(key))
    columns = {name: st.column_config.NumberColumn(format=f, help=info.helps[name]) for name, f in info.formats.items()}
    columns |= {name: st.column_config.TextColumn(width="medium") for name in ("Study", "Front of")}
    st.dataframe(
        info.frame,
        hide_index=True,
        column_config=columns,
        placeholder="–",
        alt="The trials on a front and their numbers",
    )
    machines(key, found)


def machines(key: tuple[tuple[str, int], ...], found: Across) -> None:
    """In what the machines differ, where that is why there are several fronts."""
    if "environment" not in found.apart:
        return
    names = {id_: name for id_, name in named_of(key).machines.items() if id_}
    rows = discrepancy_rows(discrepancies(*(lab.environment(id_) for id_ in names)), list(names.values()))
    with st.expander(f"What differs between the machines ({len(rows)})", icon=":material/devices:"):
        st.dataframe(rows, hide_index=True, height="content", alt="In what the machines and their versions differ")


def axes(trials: Sequence[Trial]) -> tuple[str, str]:
    metrics = lab.available_metrics()
    ids = [id_ for id_ in ordered_metrics(trials, metrics) if id_ in metrics]
    titles = {id_: metrics[id_].title for id_ in ids}
    with st.container(width=220):
        x = _address.dropdown("x", "Across", sorted(ids, key=lambda id_: id_ != "latency_s"), titles)
    with st.container(width=220):
        y = _address.dropdown("y", "Up", ids, titles)
    return x, y


def open_trial(id_: str) -> None:
    st.session_state.across_clicked = id_


def follow() -> None:
    """Open the trial that was clicked; a callback may not leave the page."""
    if id_ := st.session_state.pop("across_clicked", None):
        st.switch_page("pages/study.py", query_params={"study": id_.rpartition("-")[0], "trial": id_})


# --- two of them, trial by trial --------------------------------------------------------------------------------------------


def in_two(studies: Sequence[Study], found: Across) -> None:
    """The same trials in two studies, where there are any of one model."""
    members = {m.study.id: m for m in found.members}
    alike = [(a, b) for i, a in enumerate(studies) for b in studies[i + 1 :] if a.model == b.model]
    if not alike:
        return
    st.subheader("The same trials in two studies", anchor=False)
    texts = names_of(studies)
    pairs = {f"{a.id}~{b.id}": f"{texts[a.id]} and {texts[b.id]}" for a, b in alike}
    with st.container(width=520):
        pair = _address.dropdown("pair", "Which two", list(pairs), pairs) if len(pairs) > 1 else next(iter(pairs))
    twins(*(members[id_] for id_ in pair.split("~")))


def twins(first: Member, second: Member) -> None:
    metrics, matched = lab.available_metrics(), lab.twins(first.study.id, second.study.id)
    ids = [id_ for id_ in ordered_metrics([p.first for p in matched.pairs], metrics) if id_ in metrics]
    if not ids:
        st.write(twins_text(matched, (), "", "the first", "the second"))
        return
    with st.container(width=320):
        titles = {id_: metrics[id_].title for id_ in ids}
        metric = _address.dropdown("number", "Number", sorted(ids, key=lambda id_: id_ != "latency_s"), titles)
    same_items = (first.data, first.items) == (second.data, second.items)
    changes = twin_changes(matched.pairs, metric, same_items=same_items)
    a, b = short_names(first, second)
    st.markdown(formats.markdown(twins_text(matched, changes, metric, a, b)))
    left, right = st.columns([9, 11], gap="medium")
    with left:
        chart(json.dumps(twins_spec(changes, metrics[metric], a, b, runtime_titles())), key=f"twins_{first.study.id}_{second.study.id}_{metric}",
              height=TWINS_HEIGHT, alt=f"{metrics[metric].title} in the second study over the first; the table has the same numbers.")  # fmt: skip
        st.caption(
            f"On the dashed line nothing changed. Hollow: may be chance. {formats.capital(words.plain(metric))} of equal recipe and target."
        )
    with right:
        st.dataframe(
            twin_rows(changes, a, b, runtime_titles()),
            hide_index=True,
            height=TWINS_HEIGHT,
            alt="The same trials in both, the biggest change first",
        )
    unlike(first, second, a, b)


def short_names(first: Member, second: Member) -> tuple[str, str]:
    """Their titles, where these tell them apart, else when they were made."""
    for names in (
        (first.study.title, second.study.title),
        *((formats.moment(first.study.created_at), formats.moment(second.study.created_at)),),
    ):
        if all(names) and names[0] != names[1]:
            return names
    return first.study.id, second.study.id


def unlike(first: Member, second: Member, a: str, b: str) -> None:
    """In what machines, versions and specs differ."""
    files = {"Model file": (first.source[:12], second.source[:12]), "Test data": (first.data[:12], second.data[:12])}
    rows = [{"What": what, a: one, b: other} for what, (one, other) in files.items() if one and other and one != other]
    rows += discrepancy_rows(discrepancies(spec_of(first), spec_of(second)), (a, b))
    rows += discrepancy_rows(discrepancies(machine_of(first), machine_of(second)), (a, b))
    with st.expander(f"What differs between the two ({len(rows)})"):
        if rows:
            st.dataframe(rows, hide_index=True, height="content", alt="In what machines, versions and settings differ")
        else:
            st.write("Machine, versions, settings, model file and test data are the same.")


def machine_of(member: Member) -> Mapping[str, object]:
    """The machine that most of a study's trials ran on."""
    ids = [t.environment for t in member.trials if t.environment]
    return lab.environment(max(set(ids), key=ids.count)) if ids else {}


def spec_of(member: Member) -> Mapping[str, object]:
    return {name: value for name, value in member.study.spec.to_json().items() if name not in NOT_IN_SPEC}


_entry.require()
main()
