"""Changes of a study's trials as the outcomes of their jobs come in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lab.engine.messages import Built, Evaluated, Failure, Measured
from lab.types import FINISHED, Trial, TrialDetails

NEVER_MEASURED = Failure("JobError", "It was never measured.")


@dataclass
class TrialUpdates:
    """Trials of a study as they are now, by id; each method returns the changed trial.

    Attributes:
        environment: id of this machine's environment.
    """

    trials: dict[str, Trial]
    environment: str = ""

    def built(self, id_: str, outcome: Built | Failure) -> Trial:
        """Take over a file."""
        if isinstance(outcome, Failure):
            return self.failed(id_, outcome, cached=outcome.cached)
        return self.change(
            id_,
            state="running",
            artifact=outcome.artifact,
            environment=self.environment,
            details=TrialDetails.from_json(outcome.details_json()),
            float_operators=outcome.inspection.get("float_operators", {}),
            cached=outcome.cached,
        )

    def evaluated(self, id_: str, outcome: Evaluated | Failure) -> Trial:
        """Take over the metrics of an evaluation."""
        if isinstance(outcome, Failure):
            cached = self.trials[id_].cached and outcome.cached
            return self.failed(id_, outcome, cached=cached)
        return self._with_results(id_, outcome)

    def measured(self, id_: str, outcomes: Mapping[str, Measured | Failure] | Failure) -> Trial:
        """Take over latency and memory, which complete the trial.

        Args:
            outcomes: of all variants of the target, by SHA-256 of the artifact; or one failure for
                all.
        """
        artifact = self.trials[id_].artifact
        outcome = (
            outcomes
            if isinstance(outcomes, Failure)
            else outcomes.get(artifact.sha256 if artifact else "", NEVER_MEASURED)
        )
        if isinstance(outcome, Failure):
            return self.failed(id_, outcome)
        self._with_results(id_, outcome)
        return self.change(id_, state="complete")

    def _with_results(self, id_: str, outcome: Evaluated | Measured) -> Trial:
        trial = self.trials[id_]
        return self.change(
            id_,
            measurements={**trial.measurements, **outcome.measurements},
            details=trial.details.with_json(outcome.details_json()),
            environment=outcome.environment or self.environment,
            cached=trial.cached and outcome.cached,
        )

    def failed(self, id_: str, failure: Failure, *, cached: bool = False) -> Trial:
        """End a trial with an error."""
        state = "cancelled" if failure.type == "JobCancelled" else "failed"
        return self.change(
            id_,
            state=state,
            error=failure.error_json(),
            environment=self.environment,
            cached=cached,
        )

    def change(self, id_: str, **values: Any) -> Trial:
        """Change a trial, and note the time at which it finished."""
        changed = replace(self.trials[id_], **values)
        if changed.state in FINISHED and changed.details.ended_at is None:
            changed = replace(changed, details=replace(changed.details, ended_at=time.time()))
        self.trials[id_] = changed
        return changed

    def unfinished(self) -> list[Trial]:
        """Trials that have not finished."""
        return [t for t in self.trials.values() if t.state not in FINISHED]
