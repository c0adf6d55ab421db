"""What a sweep will cost, from what the store knows: trials, cached trials, files to build,
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab import registry
from lab.engine.known_results import stored
from lab.engine.limits import GUESS_S, START_S, slots
from lab.spec.plan import plan
from lab.store import records
from lab.types import ModelCard, StudySpec


@dataclass(frozen=True)
class Estimate:
    """What a sweep will cost.

    Attributes:
        trials: how many there are, of a guided search at most; cached: how many of them need no
            work at all.
        builds: files still to be made.
        seconds: a guess from what such jobs took so far.
        grid: how many trials there are to choose from.
    """

    trials: int
    cached: int
    builds: int
    seconds: float
    grid: int = 0


def estimate(spec: StudySpec, card: ModelCard) -> Estimate:
    """Ask the store which trials of a spec need no work, and about how long the rest takes."""
    planned = plan(spec, card).trials
    found = stored(spec, card, planned)
    cached, techniques = sum(found.known), list(found.missing.values())
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


def _seconds(builds: list[str], trials: int) -> float:
    if not builds and not trials:
        return 0.3
    steps, results = records.step_seconds(), {**GUESS_S, **records.result_seconds()}
    start = sum(START_S[toolchain] for toolchain in {registry.technique(b).pool for b in builds})
    build = sum(steps.get(b, registry.technique(b).typical_s) for b in builds)
    return (
        2.0
        + start
        + build / slots()
        + trials * (results["evaluate"] / slots() + results["measure"])
    )
