"""Cost of a sweep, from the store: trials, cached trials, files to build, seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from lab import registry
from lab.engine.known_results import look_up
from lab.engine.limits import GUESS_S, START_S, slots
from lab.spec.plan import plan
from lab.store import records
from lab.types import FINISHED, ModelCard, Recipe, StudySpec, Trial


@dataclass(frozen=True)
class Estimate:
    """Cost of a sweep.

    Attributes:
        trials: number of trials, of a guided search at most; cached: those that need no work at
            all.
        builds: files still to be made.
        seconds: an estimate from the seconds of earlier jobs.
        grid: number of trials to choose from.
    """

    trials: int
    cached: int
    builds: int
    seconds: float
    grid: int = 0


def estimate(spec: StudySpec, card: ModelCard) -> Estimate:
    """Count the trials of a spec that need no work, and estimate the seconds of the rest."""
    planned = plan(spec, card).trials
    known = look_up(spec, card, planned)
    cached, techniques = sum(known.known), list(known.missing.values())
    whole = Estimate(
        len(planned),
        cached,
        len(techniques),
        _seconds(techniques, len(planned) - cached),
        len(planned),
    )
    return _searched(whole, spec) if spec.search else whole


def _searched(whole: Estimate, spec: StudySpec) -> Estimate:
    """The share of the grid that the search may run, taken as an average one."""
    cached, search = whole.cached if spec.search["known"] else 0, spec.search
    open_ = whole.trials - cached
    paid = min(search["trials"], open_)
    share = paid / (whole.trials - whole.cached) if whole.trials > whole.cached else 0.0
    seconds = min(share, 1.0) * whole.seconds
    limit = 60 * search["minutes"]
    builds = round(min(share, 1.0) * whole.builds)
    return replace(
        whole,
        trials=cached + paid,
        cached=cached,
        builds=builds,
        seconds=min(seconds, limit) if limit else seconds,
    )


@dataclass(frozen=True)
class Pace:
    """Mean seconds of jobs so far.

    Attributes:
        results: by kind of result; steps: by technique.
    """

    results: Mapping[str, float]
    steps: Mapping[str, float]

    @classmethod
    def of_store(cls) -> Self:
        """The pace of all jobs that the store knows."""
        return cls({**GUESS_S, **records.result_seconds()}, records.step_seconds())

    def build_seconds(self, recipe: Recipe) -> float:
        """Seconds of a recipe's last step; the steps before are shared with other recipes."""
        last = registry.technique(recipe.steps[-1].technique) if recipe.steps else None
        return self.steps.get(last.id, last.typical_s) if last else 0.0

    def seconds_left(self, trials: Sequence[Trial]) -> float:
        """Seconds until the trials of a pass, finished or not, are all finished."""
        left = [t for t in trials if t.state not in FINISHED]
        build = sum(self.build_seconds(t.recipe) for t in left if t.artifact is None)
        evaluate = self.results["evaluate"] * sum(not t.measurements for t in trials)
        return (build + evaluate) / slots() + self.results["measure"] * len(left)


def _seconds(builds: list[str], trials: int) -> float:
    if not builds and not trials:
        return 0.3
    pace = Pace.of_store()
    steps, results = pace.steps, pace.results
    start = sum(START_S[toolchain] for toolchain in {registry.technique(b).pool for b in builds})
    build = sum(steps.get(b, registry.technique(b).typical_s) for b in builds)
    return (
        2.0
        + start
        + build / slots()
        + trials * (results["evaluate"] / slots() + results["measure"])
    )
