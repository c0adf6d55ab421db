"""Scaling of a trial with threads and with the batch size."""

from __future__ import annotations

from collections.abc import Sequence

from lab.analysis import scaling as scaling_
from lab.api._studies import resume, start
from lab.errors import UnknownId, UsageError
from lab.store import records


def start_scaling(
    trial_id: str, threads: Sequence[int] | None = None, batches: Sequence[int] | None = None
) -> str:
    """Measure a trial and its float baseline with more threads, and with more items a call.

    Args:
        threads, batches: what is tried, see `lab.questions.scaling.scaling_spec`.

    Returns:
        the id of the study that does it, a new one unless one asks the same already.
    """
    from lab.questions.scaling import cores_of, same_targets, scaling_spec, studies_about

    study_id = trial_id.rpartition("-")[0]
    trial = next((t for t in records.trials(study_id) if t.id == trial_id), None)
    if trial is None:
        raise UnknownId(
            "There is no trial with that id",
            given=trial_id,
            remedy="Look it up with: python -m lab show STUDY",
        )
    spec = scaling_spec(trial, records.study(study_id).spec, cores_of(trial), threads, batches)
    known = next((s.id for s in studies_about(trial_id) if same_targets(s.spec, spec)), None)
    if known and records.counts(known).get("failed"):
        resume(known)  # what fails for good is known and costs nothing
    return known or start(spec, f"Threads and batches: {trial.name}")


def scaling_study(trial_id: str) -> str | None:
    """The newest study that asks how a trial's time grows with threads and batches, or None."""
    from lab.questions.scaling import studies_about

    return next((s.id for s in studies_about(trial_id)), None)


def scaling(study_id: str) -> scaling_.Scaling:
    """Results of a scaling study so far.

    Raises:
        UsageError: the study is about something else.
    """
    about = records.study(study_id).spec.about
    if about.get("kind") != scaling_.KIND:
        raise UsageError(
            "This study does not ask how time grows with threads and batches",
            given=study_id,
            remedy="Start one with: python -m lab scaling TRIAL",
        )
    return scaling_.scaling(about, records.trials(study_id))
