"""Next trials of a searched study. Its state is its trials: an engine that takes a study up again
chooses the same next ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.analysis.hypervolume import Clock
from lab.engine.known_results import look_up
from lab.search.samplers import sampler
from lab.search.space import candidate, limits_of, task
from lab.spec.plan import PlannedTrial, plan
from lab.spec.recipes import identity
from lab.store import records
from lab.types import ModelCard, StudySpec, Trial


def planned_first(
    study_id: str, spec: StudySpec, card: ModelCard, *, remeasure: bool = False
) -> list[PlannedTrial]:
    """Trials that run before anything is chosen: the float model on every target, then those that
    the store knows already.

    Args:
        remeasure: latencies of the study are measured again, so that the store knows nothing.
    """
    planned, left = _left(study_id, spec, card)
    if floats := [t for t in left.values() if t.is_baseline]:
        return floats
    return _known(spec, card, planned, left) if spec.search["known"] and not remeasure else []


def choose_on_worker(study_id: str) -> list[PlannedTrial]:
    """The next trials of the study's sampler; none once the budget is spent. A job, since it keeps
    a core busy for a second.
    """
    spec, trials = records.study(study_id).spec, records.trials(study_id)
    planned, left = _left(study_id, spec, records.card_of(study_id))
    count = min(spec.search["batch"], left_to_spend(study_id, spec, trials), len(left))
    if count <= 0:
        return []
    problem = task(
        [candidate(t) for t in planned.values()],
        trials,
        spec.objectives,
        limits_of(spec),
        spec.search["seed"],
    )
    return [planned[key] for key in sampler(spec.search["sampler"])(problem, count)]


def _left(
    study_id: str, spec: StudySpec, card: ModelCard
) -> tuple[dict[str, PlannedTrial], dict[str, PlannedTrial]]:
    """All trials of the spec, and those that were not tried, by identity."""
    planned = {identity(t.recipe, t.target): t for t in plan(spec, card).trials}
    tried = {identity(t.recipe, t.target) for t in records.trials(study_id)}
    return planned, {key: t for key, t in planned.items() if key not in tried}


def _known(
    spec: StudySpec,
    card: ModelCard,
    planned: dict[str, PlannedTrial],
    left: dict[str, PlannedTrial],
) -> list[PlannedTrial]:
    """Trials that the store knows. The whole plan is looked up, since evaluations depend on those
    of the float model.
    """
    is_known = look_up(spec, card, list(planned.values())).known
    return [
        t
        for (key, t), known in zip(planned.items(), is_known, strict=True)
        if known and key in left
    ]


def left_to_spend(study_id: str, spec: StudySpec, trials: Sequence[Trial]) -> int:
    """Number of trials that a search may still run."""
    minutes = spec.search["minutes"]
    if minutes and Clock(records.jobs(study_id)).until(float("inf")) >= 60 * minutes:
        return 0
    return int(spec.search["trials"]) - spent(spec, trials)


def spent(spec: StudySpec, trials: Sequence[Trial]) -> int:
    """Number of trials that count against the budget: those taken from the store do not, unless the
    search ignores the store.
    """
    return sum(not t.cached for t in trials) if spec.search["known"] else len(trials)


def outlook(study_id: str, total: int, seconds_left: float | None) -> tuple[int, float | None]:
    """Number of trials that a running search may reach, and about how many seconds that takes, from
    the seconds of its trials so far.
    """
    spec, trials = records.study(study_id).spec, records.trials(study_id)
    jobs, used = records.jobs(study_id), spent(spec, trials)
    worked, open_ = Clock(jobs).until(float("inf")), max(0, spec.search["trials"] - used)
    if not (open_ and worked and used):
        return total + open_, seconds_left
    rest = (seconds_left or 0.0) + worked * open_ / used
    minutes = spec.search["minutes"]
    return total + open_, min(rest, max(0.0, 60 * minutes - worked)) if minutes else rest


def rows_of(study_id: str, chosen: Sequence[PlannedTrial]) -> Callable[[int], list[Trial]]:
    """Function that makes queued trials of planned ones, given the first free position."""

    def rows(first: int) -> list[Trial]:
        return [
            Trial(
                f"{study_id}-{n:04d}",
                study_id,
                n,
                t.name,
                t.recipe,
                t.target,
                is_baseline=t.is_baseline,
            )
            for n, t in enumerate(chosen, first)
        ]

    return rows
