"""Differences between recipes: their steps are aligned, and only unequal ones are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from lab.options import Option
from lab.plugs import Runtime, Technique
from lab.types import Recipe, Step, Target, Trial, canonical_json


class _Absent:
    """Marker for a step or an option that a recipe or a runtime does not have."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(frozen=True)
class DiffRow:
    """One difference between the trials.

    Attributes:
        step: its number among the aligned steps, from 1; None for the target.
        technique: id, where all have the same there; "" where the techniques themselves differ, and
            for the target.
        option: id of the option that differs; "" where whole steps do: then values are Steps with
            the options that are not at their default. "runtime" for the target's runtime.
        values: one a trial, in their order; ABSENT where it has none.
    """

    step: int | None
    technique: str
    option: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class RecipeDiff:
    """Differences between trials, steps first.

    Attributes:
        same: ids of the techniques that are the same, with the same options, in all of them.
    """

    rows: tuple[DiffRow, ...]
    same: tuple[str, ...] = ()


def recipe_diff(
    trials: Sequence[Trial], techniques: Mapping[str, Technique], runtimes: Mapping[str, Runtime]
) -> RecipeDiff:
    """Compare recipes and targets of two or more trials.

    An option that a stored step does not name is at its default: the step may be older than the
    option.
    """
    rows, same = [], []
    for number, slot in enumerate(aligned([t.recipe for t in trials]), 1):
        differing = _of_slot(number, slot, techniques)
        rows += differing
        if not differing and slot[0] is not None:
            same.append(slot[0].technique)
    return RecipeDiff((*rows, *_of_targets([t.target for t in trials], runtimes)), tuple(same))


def aligned(recipes: Sequence[Recipe]) -> list[tuple[Step | None, ...]]:
    """Align steps, one tuple per place: equal techniques in the same order share a place, and the
    steps between such places are aligned in their order.
    """
    slots: list[list[Step | None]] = []
    for done, recipe in enumerate(recipes):
        slots = _with(slots, recipe.steps, done)
    return [tuple(slot) for slot in slots]


def _with(
    slots: list[list[Step | None]], steps: Sequence[Step], done: int
) -> list[list[Step | None]]:
    """Return the slots with one more recipe, with a step or None in each."""
    names = [next(step.technique for step in slot if step) for slot in slots]
    merged: list[list[Step | None]] = []
    matcher = SequenceMatcher(None, names, [s.technique for s in steps], autojunk=False)
    for _, a, a_end, b, b_end in matcher.get_opcodes():
        for place in range(max(a_end - a, b_end - b)):
            before = slots[a + place] if a + place < a_end else [None] * done
            merged.append([*before, steps[b + place] if b + place < b_end else None])
    return merged


def _of_slot(
    number: int, slot: Sequence[Step | None], techniques: Mapping[str, Technique]
) -> list[DiffRow]:
    steps = [step for step in slot if step]
    if len(steps) < len(slot) or len({s.technique for s in steps}) > 1:
        return [
            DiffRow(number, "", "", tuple(_folded(s, techniques) if s else ABSENT for s in slot))
        ]
    technique = steps[0].technique
    options = techniques[technique].options if technique in techniques else ()
    return [
        DiffRow(number, technique, o, v)
        for o, v in _varying([dict(s.params) for s in steps], [options] * len(steps))
    ]


def _folded(step: Step, techniques: Mapping[str, Technique]) -> Step:
    """Return the step with only the options that are not at their default."""
    usual = (
        {o.id: o.default for o in techniques[step.technique].options}
        if step.technique in techniques
        else {}
    )
    return Step(
        step.technique,
        {k: v for k, v in step.params.items() if k not in usual or not _equal(v, usual[k])},
    )


def _varying(
    params: Sequence[Mapping[str, Any]], options: Sequence[Sequence[Option]]
) -> list[tuple[str, tuple[Any, ...]]]:
    """Return option -> values, for the options that are not equal in all steps that have them."""
    whole = [
        {**{o.id: o.default for o in declared}, **values}
        for declared, values in zip(options, params, strict=True)
    ]
    names = dict.fromkeys(name for values in whole for name in values)
    by_option = [(name, tuple(values.get(name, ABSENT) for values in whole)) for name in names]
    return [
        (name, values)
        for name, values in by_option
        if not all(_equal(values[0], v) for v in values[1:])
    ]


def _of_targets(targets: Sequence[Target], runtimes: Mapping[str, Runtime]) -> list[DiffRow]:
    ids = tuple(t.runtime for t in targets)
    declared = [runtimes[t.runtime].options if t.runtime in runtimes else () for t in targets]
    varying = _varying([dict(t.options) for t in targets], declared)
    rows = [DiffRow(None, "", "runtime", ids)] if len(set(ids)) > 1 else []
    defaults = [{o.id: o.default for o in options} for options in declared]
    return rows + [
        DiffRow(None, "", o, v)
        for o, v in varying
        if len(set(ids)) == 1 or _matters(o, v, defaults)
    ]


def _matters(option: str, values: Sequence[Any], defaults: Sequence[Mapping[str, Any]]) -> bool:
    """Return True if an option differs between runtimes that both have it, or is set in the only
    runtime that has it.
    """
    there = [(v, d.get(option)) for v, d in zip(values, defaults, strict=True) if v is not ABSENT]
    if len(there) > 1 and not all(_equal(there[0][0], v) for v, _ in there[1:]):
        return True
    return any(not _equal(v, usual) for v, usual in there) and len(there) < len(values)


def _equal(a: Any, b: Any) -> bool:
    """Return True for equal values; a tuple equals the list that JSON makes of it."""
    return a is b or (ABSENT not in (a, b) and canonical_json(a) == canonical_json(b))
