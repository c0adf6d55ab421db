"""What a searched study runs next. Its state is its trials: whoever takes a study up again asks for
the same next ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.analysis.hypervolume import Clock
from lab.engine.known_results import stored
from lab.search.samplers import sampler
from lab.search.space import candidate, limits_of, task
from lab.spec.plan import PlannedTrial, plan
from lab.spec.recipes import identity
from lab.store import records
from lab.store.blobs import locate_card
from lab.types import ModelCard, StudySpec, Trial


def given(
    study_id: str, spec: StudySpec, card: ModelCard, *, remeasure: bool = False
) -> list[PlannedTrial]:
    """What is run before anything is chosen: the float model on every target, then what the store
    knows already.

    Args:
        remeasure: latencies of the study are measured again, so that the store knows nothing.
    """
    planned, left = _left(study_id, spec, card)
    if floats := [t for t in left.values() if t.is_baseline]:
        return floats
    return _known(spec, card, planned, left) if spec.search["known"] and not remeasure else []


def choose(study_id: str) -> list[PlannedTrial]:
    """What the study's sampler takes next; nothing once the budget is spent. A job, since it keeps
    a core busy for a second.
    """
    spec, trials = records.study(study_id).spec, records.trials(study_id)
    planned, left = _left(
        study_id, spec, ModelCard.from_json(locate_card(records.study_row(study_id).card))
    )
    count = min(spec.search["batch"], left_to_spend(study_id, spec, trials), len(left))
    if count <= 0:
        return []
    asked = task(
        [candidate(t) for t in planned.values()],
        trials,
        spec.objectives,
        limits_of(spec),
        spec.search["seed"],
    )
    return [planned[key] for key in sampler(spec.search["sampler"])(asked, count)]


def _left(
    study_id: str, spec: StudySpec, card: ModelCard
) -> tuple[dict[str, PlannedTrial], dict[str, PlannedTrial]]:
    """Everything that the spec comes to, and what of it was not tried."""
    planned = {identity(t.recipe, t.target): t for t in plan(spec, card).trials}
    tried = {identity(t.recipe, t.target) for t in records.trials(study_id)}
    return planned, {key: t for key, t in planned.items() if key not in tried}


def _known(
    spec: StudySpec,
    card: ModelCard,
    planned: dict[str, PlannedTrial],
    left: dict[str, PlannedTrial],
) -> list[PlannedTrial]:
    """Asked of the whole plan: whether answers are known depends on the float model's."""
    found = stored(spec, card, list(planned.values())).known
    return [
        t for (key, t), known in zip(planned.items(), found, strict=True) if known and key in left
    ]


def left_to_spend(study_id: str, spec: StudySpec, trials: Sequence[Trial]) -> int:
    """How many trials a search may still run."""
    minutes = spec.search["minutes"]
    if minutes and Clock(records.jobs(study_id)).until(float("inf")) >= 60 * minutes:
        return 0
    return int(spec.search["trials"]) - spent(spec, trials)


def spent(spec: StudySpec, trials: Sequence[Trial]) -> int:
    """How many trials count against the budget: those that were taken from the store do not, unless
    nothing is to be.
    """
    return sum(not t.cached for t in trials) if spec.search["known"] else len(trials)


def outlook(study_id: str, total: int, seconds_left: float | None) -> tuple[int, float | None]:
    """How many trials a running search may come to, and about how many seconds that takes, from
    what its trials took.
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
    """What makes queued trials of planned ones, once it is told the first free position."""

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
