"""What a sweep will cost, from what the store knows: trials, cached trials, files to build, seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab import registry
from lab.engine import keys
from lab.engine.limits import GUESS_S, START_S, slots
from lab.measure.environment import fingerprint
from lab.recipe import plan, prefixes
from lab.store import records
from lab.store.blobs import sha256_of
from lab.store.data import data_digest
from lab.types import ModelCard, StudySpec, digest_of


@dataclass(frozen=True)
class Estimate:
    """What a sweep will cost.

    Attributes:
        trials: how many there are; cached: how many of them need no work at all.
        builds: files still to be made.
        seconds: a guess from what such jobs took so far.
    """

    trials: int
    cached: int
    builds: int
    seconds: float


def estimate(spec: StudySpec, card: ModelCard) -> Estimate:
    """Ask the store which trials of a spec need no work, and about how long the rest takes."""
    planned, source, data = plan(spec, card).trials, sha256_of(Path(card.path)), data_digest(card)
    chains = [[keys.step_key(source, steps, card, data) for steps in prefixes(t.recipe)] for t in planned]
    steps = records.known_steps(list(dict.fromkeys(key for chain in chains for key in chain)))
    missing = {
        k: s.technique
        for t, chain in zip(planned, chains, strict=True)
        for k, s in zip(chain, t.recipe.steps, strict=True)
        if k not in steps
    }
    environment, wanted, failed = digest_of(fingerprint())[:16], [], 0
    for trial, chain in zip(planned, chains, strict=True):
        outcomes = [steps.get(key) for key in chain]
        if any(o is not None and "error" in o for o in outcomes):
            failed += 1
        elif all(o is not None for o in outcomes):
            sha = outcomes[-1]["artifact"]["sha256"] if outcomes and outcomes[-1] else source
            wanted.append(keys.measure_key(sha, trial.target, spec, data, environment))
    known = records.known_results(list(dict.fromkeys(wanted)))
    cached = failed + sum(key in known for key in wanted)
    return Estimate(len(planned), cached, len(missing), _seconds(list(missing.values()), len(planned) - cached))


def _seconds(builds: list[str], trials: int) -> float:
    if not builds and not trials:
        return 0.3
    steps, results = records.step_seconds(), {**GUESS_S, **records.result_seconds()}
    start = sum(START_S[toolchain] for toolchain in {registry.technique(b).pool for b in builds})
    build = sum(steps.get(b, registry.technique(b).typical_s) for b in builds)
    return 2.0 + start + build / slots() + trials * (results["evaluate"] / slots() + results["measure"])
