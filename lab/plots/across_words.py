"""Names of studies, models, machines and fronts in a comparison of several studies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lab.analysis.across import Across, Group, Member
from lab.plots import formatting
from lab.plugs import Metric
from lab.types import Trial

Coloring = Literal["study", "model", "machine"]


COLORINGS: Mapping[Coloring, str] = {"study": "Study", "model": "Model", "machine": "Machine"}


WHY_APART = {
    "objectives": "the accuracy metric of their tasks",
    "data": "the test data",
    "items": "the number of test items",
    "environment": "the machine or its software versions",
    "sources": "the source of the numbers (measured, emulated or estimated)",
}
"""Field of `lab.analysis.across.Terms` -> its difference in words."""


@dataclass(frozen=True)
class Named:
    """Names of studies, models, machines and data.

    Attributes:
        studies, models: study id -> name; machines: environment id -> name; data: digest -> name.
    """

    studies: Mapping[str, str]
    models: Mapping[str, str]
    machines: Mapping[str | None, str]
    data: Mapping[str, str]

    def of(self, trial: Trial, coloring: Coloring) -> str:
        """Return the name that a trial is coloured by."""
        if coloring == "machine":
            return self.machines.get(trial.environment, "unknown machine")
        return (self.models if coloring == "model" else self.studies).get(trial.study, trial.study)


def machine_names(environments: Mapping[str, Mapping[str, Any]]) -> dict[str | None, str]:
    """Return environment id -> its processor, with its host or the start of its id for equal
    names.
    """
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
    """Return the same names, with the id added to equal ones."""
    once = _once(names)
    return {id_: once.get(id_, f"{name} ({id_})") for id_, name in names.items()}


def group_texts(comparison: Across, named: Named, metrics: Mapping[str, Metric]) -> list[str]:
    """Return a few words for each group that distinguish it from the others."""
    texts = [
        ", ".join(filter(None, (_term(g, field, named, metrics) for field in comparison.apart)))
        for g in comparison.groups
    ]
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


def front_text(comparison: Across) -> str:
    """Describe the number of fronts and its reason in one or two sentences."""
    count = len(comparison.groups)
    if not count:
        return "None of these studies has a finished trial with all its metrics yet."
    left = (
        f" Not shown: {formatting.plural(comparison.incomplete, 'trial')} without all metrics."
        if comparison.incomplete
        else ""
    )
    if count == 1:
        return (
            "One joint front: all numbers come from the same test data, the same machine and"
            f" versions, and the same kind of measurement.{left}"
        )
    why = _listed([WHY_APART[field] for field in comparison.apart])
    return (
        f"{count} separate fronts, because trials differ in {why} and cannot be compared across"
        f" these differences.{left}"
    )


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""


def member_title(member: Member, model: str) -> str:
    """Return a study's name in a comparison: model, title and creation time."""
    return " · ".join(
        filter(None, [model, member.study.title, formatting.moment(member.study.created_at)])
    )
