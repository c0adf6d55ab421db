"""One trial: its timings, file, operators, reasons, and how it differs from others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.analysis.differences import Difference, difference
from lab.analysis.front import nearest_baseline
from lab.api._models import available_metrics
from lab.api._studies import study, trials
from lab.evidence import Anatomy, Finding, Profile
from lab.store import records
from lab.types import Trial


def latency_samples(trial: Trial) -> list[dict[str, Any]]:
    """Raw timings, one entry a turn: {"round", "samples" s, "warmup" s, "cpu_ratio", "contended",
    "disturbed" …}, see
    `lab.measure.rounds.time_rounds`; empty where there are none.
    """
    value = _raw(trial)
    return list(value.get("turns") or value.get("rounds", ()))  # as it was called once


def measuring_conditions(trial: Trial) -> dict[str, Any]:
    """The machine's state before and after a trial's measurement, see `lab.measure.conditions`; {}
    where it was not kept.
    """
    return dict(_raw(trial).get("conditions", {}))


def _raw(trial: Trial) -> dict[str, Any]:
    """Raw timings and conditions from the measuring process; {} where they were not kept."""
    kept = trial.details.samples
    return (
        dict(json.loads(Path(kept.path).read_text())) if kept and Path(kept.path).exists() else {}
    )


def anatomy(trial: Trial) -> Anatomy | None:
    """Contents of a trial's file: bytes by part, operators, weights, zeros; None where it was not
    inspected.
    """
    from lab.questions.reasons import anatomy_of

    return anatomy_of(trial)


def profile(trial: Trial) -> Profile | None:
    """Time of a trial's call by operator; None where it was not profiled."""
    from lab.questions.reasons import profile_of

    return profile_of(trial)


def reproduce(trial: Trial) -> dict[str, str]:
    """The command line and the Python lines that run this one trial again."""
    from lab.share.reproduce import reproduce as lines

    return lines(trial, study(trial.study).spec)


def compare(trial_id: str, other_id: str | None = None) -> tuple[Difference, ...]:
    """Differences of a trial from another one, by default its float baseline: items and rounds are
    paired where they can be.

    Raises:
        UnknownId: there is no such trial.
    """
    trial = records.trial(trial_id)
    others = trials(trial.study)
    other = nearest_baseline(trial, others) if other_id is None else records.trial(other_id)
    metrics = available_metrics() if other else {}
    differences = [difference(id_, trial, other) for id_ in metrics if other]
    return tuple(d for d in differences if d)


def explain(trial_id: str, trials: Sequence[Trial] | None = None) -> tuple[Finding, ...]:
    """Reasons why a trial is not faster or not smaller than the float model, the largest share of
    time or bytes first.

    Args:
        trials: all of its study's, where they are at hand.

    Raises:
        UnknownId: there is no trial with that id.
    """
    from lab.questions.reasons import explain_trial

    return explain_trial(trial_id, trials)


def explanations(study_id: str) -> dict[str, tuple[Finding, ...]]:
    """Trial id -> why it is not faster or not smaller, for every trial of a study.

    Raises:
        UnknownId: there is no such study.
    """
    from lab.questions.reasons import explanations as explanations_of

    return explanations_of(study_id)
