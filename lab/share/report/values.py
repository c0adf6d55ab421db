"""Values that a report shows, gathered from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab import registry
from lab.analysis.differences import Difference, against_baselines
from lab.analysis.front import baseline_of
from lab.analysis.pick import Pick, pick
from lab.analysis.ties import ties
from lab.errors import UnknownId
from lab.evidence import Finding
from lab.plots import formatting, words
from lab.plugs import Metric
from lab.questions.reasons import explain_all
from lab.store import records
from lab.types import ModelCard, Study, Trial


@dataclass(frozen=True)
class Report:
    """The study, its trials, and everything that is said about them.

    Attributes:
        pick: the best trial under no limits, with the front and its ties.
        tied: trials beside the front that no trial on it clearly beats.
        differences: trial -> metric -> difference from its baseline, corrected for how many there
            are.
        findings: trial -> reasons why it is not faster or smaller.
        environments: id -> the machine and versions behind it.
        shown: the target options that differ within a runtime.
        notes: "" (the study) or a trial's id -> the note on it.
    """

    study: Study
    card: ModelCard
    trials: tuple[Trial, ...]
    pick: Pick
    tied: Mapping[str, tuple[str, ...]]
    differences: Mapping[str, Mapping[str, Difference]]
    findings: Mapping[str, Sequence[Finding]]
    environments: Mapping[str, Mapping[str, Any]]
    measuring_s: float
    shown: tuple[str, ...]
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_id(self) -> dict[str, Trial]:
        """Trial id -> trial."""
        return {t.id: t for t in self.trials}

    @property
    def front(self) -> list[Trial]:
        """The trials that nothing beats, in the order of the first objective, the best first."""
        first = self.study.spec.objectives[0]
        sign = -1 if first.direction == "maximize" else 1
        by_id = self.by_id
        return sorted(
            (by_id[id_] for id_ in self.pick.front),
            key=lambda t: sign * t.measurements[first.metric].value,
        )

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric that the lab knows."""
        return registry.metrics()

    def base(self, trial: Trial) -> Trial | None:
        """The float baseline that a trial is compared with; None for a baseline itself."""
        return None if trial.is_baseline else baseline_of(trial, self.trials)

    def name(self, trial: Trial) -> str:
        """A trial by recipe and target."""
        return words.trial_text(trial, self.shown)

    def target(self, trial: Trial) -> str:
        """A trial's target in words."""
        return formatting.target_text(trial.target, self.shown)


def report_of(study_id: str, notes: Mapping[str, str] | None = None) -> Report:
    """Gather the values of a report.

    Args:
        notes: notes on the study ("") and on its trials (by id).

    Raises:
        UnknownId: there is no such study.
    """
    study, trials = records.study(study_id), tuple(records.trials(study_id))
    objectives = study.spec.objectives
    return Report(
        study,
        records.card_of(study_id),
        trials,
        pick(trials, objectives),
        ties(trials, objectives),
        against_baselines(trials, [o.metric for o in objectives]),
        explain_all(trials),
        _environments(trials),
        records.measuring_seconds(study_id),
        formatting.varying_options(t.target for t in trials),
        notes or {},
    )


def _environments(trials: Sequence[Trial]) -> dict[str, Mapping[str, Any]]:
    known: dict[str, Mapping[str, Any]] = {}
    for id_ in sorted({t.environment for t in trials if t.environment}):
        try:
            known[id_] = records.environment(id_)
        except UnknownId:  # of a study from elsewhere
            known[id_] = {}
    return known
