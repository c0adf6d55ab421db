"""Input of samplers: the trials of a grid as candidates, and the outcomes of tried ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lab import registry
from lab.analysis.front import comparable, nearest_baseline
from lab.analysis.hypervolume import Scale, gains_of, scales
from lab.analysis.pick import Limit, amount
from lab.spec.plan import PlannedTrial
from lab.spec.recipes import identity
from lab.types import FINISHED, Objective, Step, StudySpec, Target, Trial, canonical_json

BITS = re.compile(r"^(wi|wnf|wcb|wnvfp|ai|afp|fp|bf)\d+$")
DATA = re.compile(r"^(n\d+|seed\d+|noise|batch|norm)$")
NUMBER = re.compile(r"^([a-z]+)\d")
HOW, WHERE = ("bits", "kind", "data", "setting"), ("runtime", "option")
"""Groups of traits. Models learn a weight for each group, because calibration items matter little
and the number of bits matters much.
"""
Traits = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Candidate:
    """Trial that may be run.

    Attributes:
        key: equal for equal recipes on equal targets, see `lab.spec.recipes.identity`.
        techniques: ids of its techniques other than conversions, joined by "+".
        settings: "position.option" -> value, of the options of these techniques.
        traits: group, one of `HOW` for the recipe or `WHERE` for the target -> traits, the features
            of models.
    """

    key: str
    techniques: str
    settings: Mapping[str, Any]
    target: str
    traits: Traits


def candidate(planned: PlannedTrial) -> Candidate:
    """Describe a planned trial."""
    steps = [s for s in planned.recipe.steps if not registry.technique(s.technique).conversion]
    settings = {
        f"{n}.{option}": value
        for n, step in enumerate(steps)
        for option, value in step.params.items()
    }
    return Candidate(
        identity(planned.recipe, planned.target),
        "+".join(s.technique for s in steps) or "float32",
        settings,
        canonical_json(planned.target.to_json()),
        {**_how(planned, steps), **_where(planned.target)},
    )


def _how(planned: PlannedTrial, steps: Sequence[Step]) -> Traits:
    """Return the words of its speaking name, which techniques of several toolchains share, and its
    options that differ from their defaults.
    """
    words = {word for part in planned.name.split("+") for word in part.split("_")}
    bits, data = ({word for word in words if kind.match(word)} for kind in (BITS, DATA))
    made = {f"makes {registry.technique(s.technique).produces}" for s in planned.recipe.steps[-1:]}
    unusual = [
        (option, f"{s.technique}.{option}={value}") for s in steps for option, value in _unusual(s)
    ]
    calibrating = {text for option, text in unusual if option.startswith("calibration_")}
    other = words - bits - data
    return {
        "bits": frozenset(bits),
        "kind": frozenset({*made, *(f"by {s.technique}" for s in steps)}),
        "data": frozenset({*data, *calibrating}),
        "setting": frozenset(
            {*other, *_kinds(other), *(text for _, text in unusual if text not in calibrating)}
        ),
    }


def _kinds(words: Iterable[str]) -> set[str]:
    """Return the words without their numbers: "channels50" is nearer to "channels25" than to
    "sparse50".
    """
    return {found.group(1) for word in words if (found := NUMBER.match(word))}


def _unusual(step: Step) -> list[tuple[str, Any]]:
    """Return the step's options that differ from their defaults."""
    options = [o for o in registry.technique(step.technique).options if o.id in step.params]
    return [
        (o.id, step.params[o.id])
        for o in options
        if o.restored(step.params[o.id]) != o.restored(o.default)
    ]


def _where(target: Target) -> Traits:
    options = frozenset(
        f"{target.runtime} {name}={value}" for name, value in target.options.items()
    )
    shared = frozenset(f"{name}={value}" for name, value in target.options.items())
    return {"runtime": frozenset({target.runtime}), "option": options | shared}


@dataclass(frozen=True)
class Outcome:
    """Outcome of a trial.

    Attributes:
        gains: gains over the reference point, see `lab.analysis.hypervolume`; None if a value is
            missing.
        excess: amount by which it exceeds each limit, at most 0 if it keeps the limit; None like
            `gains`.
        failed: it ran into an error, and would again.
    """

    gains: tuple[float, ...] | None = None
    excess: tuple[float, ...] | None = None
    failed: bool = False

    @property
    def counts(self) -> bool:
        """Return True if it has all values and keeps all limits."""
        return self.gains is not None and all(e <= 0 for e in self.excess or ())


@dataclass(frozen=True)
class Task:
    """Question to a sampler: the whole grid, and the outcome of every candidate that must not be
    proposed again.

    Attributes:
        objectives, limits: number of them in each outcome.
    """

    candidates: tuple[Candidate, ...]
    outcomes: Mapping[str, Outcome]
    seed: int
    objectives: int
    limits: int = 0

    @cached_property
    def left(self) -> tuple[Candidate, ...]:
        """Return the candidates that were not tried, in grid order."""
        return tuple(c for c in self.candidates if c.key not in self.outcomes)

    @property
    def randomness(self) -> tuple[int, int]:
        """Return the seed of a sampler, which is the same after a restart."""
        return self.seed, len(self.outcomes)


def limits_of(spec: StudySpec) -> tuple[Limit, ...]:
    """Return the limits of a search."""
    return tuple(Limit(**limit) for limit in spec.search.get("limits", ()))


def task(
    candidates: Sequence[Candidate],
    trials: Sequence[Trial],
    objectives: Sequence[Objective],
    limits: Sequence[Limit],
    seed: int,
) -> Task:
    """Return the question of a study after these trials."""
    by, alike = scales(trials, objectives), {t.id for t in comparable(trials, objectives)}
    outcomes = {identity(t.recipe, t.target): outcome(t, trials, by, limits, alike) for t in trials}
    return Task(tuple(candidates), outcomes, seed, len(objectives), len(limits))


def outcome(
    trial: Trial,
    trials: Sequence[Trial],
    by: Sequence[Scale] | None,
    limits: Sequence[Limit],
    alike: set[str],
) -> Outcome:
    """Return the outcome of a trial; an empty one if it was measured on another machine than most,
    or has not ended.
    """
    if trial.state in FINISHED and trial.state != "complete":
        return Outcome(failed=trial.state == "failed")
    gains = gains_of(trial, by) if by and trial.id in alike else None
    if gains is None:
        return Outcome()
    reference = nearest_baseline(trial, trials) if limits else None
    excess = [_excess(limit, amount(limit, trial, reference)) for limit in limits]
    known = tuple(e for e in excess if e is not None)
    return Outcome(gains, known) if len(known) == len(limits) else Outcome(failed=True)


def _excess(limit: Limit, given: float | None) -> float | None:
    if given is None:
        return None
    beyond = limit.value - given if limit.kind == "at_least" else given - limit.value
    return beyond / abs(limit.value) if limit.value else beyond
