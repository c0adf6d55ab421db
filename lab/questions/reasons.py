"""Reasons why trials are not faster or not smaller: every rule applied to each trial, with the
evidence that the store has of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from lab import registry
from lab.analysis.differences import LATENCY, surely_faster
from lab.analysis.front import baseline_of
from lab.engine.roofline import known_roofline
from lab.errors import UnknownId
from lab.evidence import Anatomy, Finding, Profile, Roofline
from lab.plugs import Case
from lab.store import records
from lab.types import Artifact, Trial

Value = TypeVar("Value", Anatomy, Profile)
HARDLY_SMALLER = 0.95
"""A file that keeps more of the float model's size than this has not become smaller in any sense
that matters.
"""


def explain(
    trial: Trial, trials: Sequence[Trial], environment: Mapping[str, Any], roofline: Roofline | None
) -> tuple[Finding, ...]:
    """Findings of the rules about a trial, the largest share first.

    Args:
        trials: all of the study's.
        environment: the machine that it ran on, as `lab.measure.environment.fingerprint` tells it.
        roofline: of that machine with the target's threads, None where it was not measured.

    Returns:
        nothing for a trial that is not complete. Of a float baseline only what compares it with the
        same model on another
        target, such as threads without effect.
    """
    if trial.state != "complete":
        return ()
    case = _case(trial, trials, environment, roofline)
    findings = (rule.find(case) for rule in registry.rules().values())
    return tuple(sorted((f for f in findings if f is not None), key=lambda f: (-f.share, f.rule)))


def _case(
    trial: Trial, trials: Sequence[Trial], environment: Mapping[str, Any], roofline: Roofline | None
) -> Case:
    baseline = None if trial.is_baseline else baseline_of(trial, trials)
    return Case(
        trial,
        baseline,
        trials,
        anatomy_of(trial),
        anatomy_of(baseline),
        profile_of(trial),
        profile_of(baseline),
        roofline,
        environment,
    )


def anatomy_of(trial: Trial | None) -> Anatomy | None:
    """Contents of a trial's file; None where it was not inspected."""
    return _evidence(trial.details.anatomy if trial else None, Anatomy.from_json)


def profile_of(trial: Trial | None) -> Profile | None:
    """Time of a trial by operator; None where it was not profiled."""
    return _evidence(trial.details.profile if trial else None, Profile.from_json)


def _evidence(kept: Artifact | None, read: Callable[[Mapping[str, Any]], Value]) -> Value | None:
    """Read evidence from its file; None where there is none, where the file is gone, or where an
    older lab wrote it.
    """
    try:
        return _read(kept.path, read) if kept else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=4096)
def _read(path: str, read: Callable[[Mapping[str, Any]], Value]) -> Value:
    """Read evidence once: a file of the store never changes, its name is its digest."""
    return read(json.loads(Path(path).read_text(encoding="utf-8")))


def explanations(study_id: str) -> dict[str, tuple[Finding, ...]]:
    """Findings about every trial of a study, by trial id.

    Raises:
        UnknownId: there is no such study.
    """
    return explain_all(records.trials(records.study(study_id).id))


def explain_all(trials: Sequence[Trial]) -> dict[str, tuple[Finding, ...]]:
    """Findings about all trials of one study, by trial id."""
    known: dict[tuple[str | None, int], tuple[Mapping[str, Any], Roofline | None]] = {}
    return {t.id: explain(t, trials, *_machine(t, known)) for t in trials}


def explain_trial(trial_id: str, trials: Sequence[Trial] | None = None) -> tuple[Finding, ...]:
    """Findings about one trial: reasons why it is not faster or not smaller.

    Args:
        trials: all of its study's, where they are at hand.

    Raises:
        UnknownId: there is no trial with that id.
    """
    trial = next((t for t in trials or () if t.id == trial_id), None) or records.trial(trial_id)
    trials = records.trials(trial.study) if trials is None else trials
    return explain(trial, trials, *_machine(trial, {}))


def _machine(
    trial: Trial, known: dict[tuple[str | None, int], tuple[Mapping[str, Any], Roofline | None]]
) -> tuple[Mapping[str, Any], Roofline | None]:
    """The environment and the roofline of a trial."""
    key = (trial.environment, int(trial.target.options.get("threads", 1)))
    if key not in known:
        known[key] = (
            (_environment(trial.environment), known_roofline(key[1], trial.environment))
            if trial.environment
            else ({}, None)
        )
    return known[key]


def _environment(id_: str) -> Mapping[str, Any]:
    try:
        return records.environment(id_)
    except UnknownId:  # of a study from elsewhere
        return {}


def not_faster(trial: Trial, baseline: Trial | None) -> bool:
    """True if a trial is slower than its baseline, or not faster by more than chance; False where
    either has no latency.
    """
    known = baseline and LATENCY in trial.measurements and LATENCY in baseline.measurements
    return bool(baseline and known and not surely_faster(trial, baseline))


def not_smaller(trial: Trial, baseline: Trial | None) -> bool:
    """True if a trial's file has nearly the size of its baseline's, or more."""
    mine, theirs = trial.artifact, baseline.artifact if baseline else None
    return bool(mine and theirs and mine.size_bytes > HARDLY_SMALLER * theirs.size_bytes)


def summary(trials: Sequence[Trial], findings: Mapping[str, Sequence[Finding]]) -> dict[str, Any]:
    """Count the trials that each rule explains, and list the trials that none explains.

    Args:
        findings: as `explanations` gives it.

    Returns:
        "rules": rule -> number of trials, the most frequent first, those that never fired too;
        "not_faster", "not_smaller": how many
        trials are so; "unexplained": [{"trial", "name", "about"}] of those that no finding about
        speed, or size, explains.
    """
    counts = Counter(f.rule for of_trial in findings.values() for f in of_trial)
    rules = dict(
        sorted(
            {id_: counts[id_] for id_ in registry.rules()}.items(),
            key=lambda item: (-item[1], item[0]),
        )
    )
    asked = [
        (t, about)
        for t in trials
        if t.state == "complete" and not t.is_baseline
        for about in _asked(t, trials)
    ]
    open_ = [
        (t, about)
        for t, about in asked
        if not any(f.about == about for f in findings.get(t.id, ()))
    ]
    return {
        "rules": rules,
        "not_faster": sum(about == "speed" for _, about in asked),
        "not_smaller": sum(about == "size" for _, about in asked),
        "unexplained": [{"trial": t.id, "name": t.name, "about": about} for t, about in open_],
    }


def _asked(trial: Trial, trials: Sequence[Trial]) -> list[str]:
    baseline = baseline_of(trial, trials)
    return ["speed"] * not_faster(trial, baseline) + ["size"] * not_smaller(trial, baseline)
