"""Guided search: how far it got, and what it found by then."""

from __future__ import annotations

from dataclasses import replace

from lab.analysis.hypervolume import Clock, Course, Spent, course
from lab.api._studies import ensure_engine
from lab.engine.searching import spent
from lab.errors import UsageError
from lab.search.space import limits_of
from lab.spec.search import search_from_json
from lab.store import records
from lab.types import FINISHED, Study


def search_course(study_id: str) -> Course | None:
    """Course of the hypervolume of a study, trial by trial, searched or not; None before its float
    model is measured.
    """
    study = records.study(study_id)
    return course(
        records.trials(study_id),
        study.spec.objectives,
        limits_of(study.spec),
        records.jobs(study_id),
    )


def search_spent(study_id: str) -> Spent | None:
    """Budget that a search has used; None for a study that runs its whole grid."""
    spec = records.study(study_id).spec
    if not spec.search:
        return None
    trials = [t for t in records.trials(study_id) if t.state in FINISHED]
    used, seconds = spent(spec, trials), Clock(records.jobs(study_id)).until(float("inf"))
    return Spent(
        used, spec.search["trials"], seconds / 60, spec.search["minutes"], len(trials) - used
    )


def search_on(study_id: str, trials: int, minutes: float | None = None) -> Study:
    """Give a searched study a larger budget; it goes on where it stopped.

    Args:
        trials, minutes: in all, what was used included; None leaves the minutes as they are, 0
            lifts their limit.

    Raises:
        UsageError: the study runs its whole grid, or the budget is not larger than what was used.
    """
    study, used = records.study(study_id), search_spent(study_id)
    if used is None:
        raise UsageError(
            "This study runs its whole grid", given=study_id, remedy="Start a new one with a search"
        )
    if trials <= used.trials:
        raise UsageError(
            "The budget is used up", allowed=f"more than {used.trials} trials", given=trials
        )
    more = {"trials": trials} | ({} if minutes is None else {"minutes": minutes})
    records.extend_study(
        study_id, replace(study.spec, search=search_from_json({**study.spec.search, **more})), ()
    )
    ensure_engine()
    return records.study(study_id)
