"""Comparison of several studies: groups of trials that may share a front, and pairs of the same
trial in two studies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from lab.analysis.differences import differs
from lab.analysis.front import front_of, overlap
from lab.types import Objective, Study, Trial


@dataclass(frozen=True)
class Member:
    """A study to compare.

    Attributes:
        data: digest of its test set; items: number of test items, None for all.
        source: digest of the model file that was compressed, "" where unknown.
    """

    study: Study
    trials: tuple[Trial, ...]
    task: str
    data: str
    items: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Terms:
    """Conditions that must be equal for numbers to be comparable.

    Attributes:
        objectives: (metric, direction) of each.
        data, items: the test set, and how many items of it.
        environment: machine and versions, None where they were not recorded.
        sources: of each objective: measured, emulated or estimated.
    """

    objectives: tuple[tuple[str, str], ...]
    data: str
    items: int | None
    environment: str | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Trials that may share a front, and the non-dominated ones among them."""

    terms: Terms
    trials: tuple[Trial, ...]
    front: tuple[str, ...]


@dataclass(frozen=True)
class Across:
    """Groups of comparable trials of several studies.

    Attributes:
        groups: the largest first; with one group there is one joint front.
        apart: names of the fields of `Terms` in which the groups differ: why there is more than
            one.
        incomplete: trials without all their numbers.
    """

    members: tuple[Member, ...]
    groups: tuple[Group, ...]
    apart: tuple[str, ...]
    incomplete: int = 0

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Trials of all groups."""
        return tuple(t for group in self.groups for t in group.trials)

    @property
    def front(self) -> frozenset[str]:
        """Ids of the trials that nothing in their own group beats."""
        return frozenset(id_ for group in self.groups for id_ in group.front)


def across(members: Sequence[Member], keep: Callable[[Trial], bool] = lambda trial: True) -> Across:
    """Sort the trials of several studies into groups that may be compared, and find each group's
    front.

    Args:
        keep: returns True for trials that may be on a front; the others stay in their group and do
            not affect the front.
    """
    trials_by_terms: dict[Terms, list[Trial]] = {}
    missing = 0
    for member in members:
        for trial in member.trials:
            terms = terms_of(trial, member)
            if terms is None:
                missing += 1
            else:
                trials_by_terms.setdefault(terms, []).append(trial)
    groups = [
        Group(terms, tuple(trials), _front(trials, terms, keep))
        for terms, trials in trials_by_terms.items()
    ]
    groups.sort(key=lambda g: -len(g.trials))
    return Across(tuple(members), tuple(groups), _apart([g.terms for g in groups]), missing)


def terms_of(trial: Trial, member: Member) -> Terms | None:
    """Return the conditions of a trial's measurements; None if the trial lacks one of its
    objectives.
    """
    objectives = member.study.spec.objectives
    if trial.state != "complete" or any(o.metric not in trial.measurements for o in objectives):
        return None
    sources = tuple(trial.measurements[o.metric].source for o in objectives)
    return Terms(
        tuple((o.metric, o.direction) for o in objectives),
        member.data,
        member.items,
        trial.environment,
        sources,
    )


def _front(trials: Sequence[Trial], terms: Terms, keep: Callable[[Trial], bool]) -> tuple[str, ...]:
    objectives = [Objective(metric, direction) for metric, direction in terms.objectives]  # type: ignore[arg-type]
    return tuple(t.id for t in front_of([t for t in trials if keep(t)], objectives))


def _apart(terms: Sequence[Terms]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(Terms) if len({getattr(t, f.name) for t in terms}) > 1)


# --- the same trials in two studies ---------------------------------------------------------------


@dataclass(frozen=True)
class Twin:
    """One recipe on one target, in two studies."""

    first: Trial
    second: Trial


@dataclass(frozen=True)
class Twins:
    """Trials that two studies share, and trials that only one of them has."""

    pairs: tuple[Twin, ...]
    only_first: tuple[Trial, ...]
    only_second: tuple[Trial, ...]


@dataclass(frozen=True)
class TwinChange:
    """Change of one metric between the two trials of a twin.

    Attributes:
        ratio: second over first; None for shares and where one is 0.
        change: second minus first.
        extent: distance for sorting: |log ratio|, or |change| of a share.
        differs: True if the difference is more than chance.
    """

    twin: Twin
    metric: str
    ratio: float | None
    change: float
    extent: float
    differs: bool


def twins(first: Sequence[Trial], second: Sequence[Trial], key: Callable[[Trial], str]) -> Twins:
    """Match the complete trials of two studies.

    Args:
        key: equal for trials of equal recipe and target; see `lab.spec.recipes.identity`.
    """
    mine, theirs = (
        {key(t): t for t in reversed(trials) if t.state == "complete"} for trials in (first, second)
    )
    pairs = tuple(
        Twin(t, theirs[k])
        for k, t in sorted(mine.items(), key=lambda item: item[1].position)
        if k in theirs
    )
    return Twins(pairs, _others(mine, theirs), _others(theirs, mine))


def _others(these: Mapping[str, Trial], those: Mapping[str, Trial]) -> tuple[Trial, ...]:
    return tuple(sorted((t for k, t in these.items() if k not in those), key=lambda t: t.position))


def twin_changes(pairs: Sequence[Twin], metric: str, *, same_items: bool) -> tuple[TwinChange, ...]:
    """One metric of every pair that has it, the biggest change first.

    Args:
        same_items: True if both studies have the same test items, so that predictions can be
            compared item by item.
    """
    changes = [_change(twin, metric, same_items) for twin in pairs if _has(twin, metric)]
    return tuple(sorted(changes, key=lambda c: (-c.extent, c.twin.first.position)))


def _has(twin: Twin, metric: str) -> bool:
    return metric in twin.first.measurements and metric in twin.second.measurements


def _change(twin: Twin, metric: str, same_items: bool) -> TwinChange:
    a, b = twin.first.measurements[metric], twin.second.measurements[metric]
    is_share = b.unit == "1"
    ratio = b.value / a.value if not is_share and a.value > 0 and b.value > 0 else None
    change = b.value - a.value
    exact = a.low is None or b.low is None
    by_chance = not differs(metric, twin.first, twin.second) if same_items else overlap(a, b)
    different = a.value != b.value and (exact or not by_chance)
    return TwinChange(
        twin, metric, ratio, change, abs(math.log(ratio)) if ratio else abs(change), different
    )


@dataclass(frozen=True)
class Discrepancy:
    """A fact that differs between machines or specs; one value each, None for a machine without
    it.
    """

    about: str
    values: tuple[Any, ...]


def discrepancies(*facts: Mapping[str, Any]) -> tuple[Discrepancy, ...]:
    """Return the facts that differ between machines or specs; a nested fact, such as the version of
    a package, is named "a · b".
    """
    flat = [_flat(f) for f in facts]
    names = dict.fromkeys(name for f in flat for name in f)
    every = [Discrepancy(name, tuple(f.get(name) for f in flat)) for name in names]
    return tuple(d for d in every if any(v != d.values[0] for v in d.values[1:]))


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = (
            {f"{key} · {k}": v for k, v in value.items()}
            if isinstance(value, Mapping)
            else {key: value}
        )
        flat.update(inner)
    return flat
