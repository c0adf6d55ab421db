"""Planned trials whose file, outputs and timings the store knows, so that running them costs
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.engine import keys
from lab.engine.messages import Built, Failure
from lab.measure.environment import fingerprint
from lab.spec.plan import PlannedTrial
from lab.spec.recipes import prefixes
from lab.store import records
from lab.store.blobs import sha256_of
from lab.store.data import data_digest
from lab.types import ModelCard, StudySpec, digest_of

Outcome = Mapping[str, Any]
"""Outcome in its stored form."""


@dataclass(frozen=True)
class KnownTrials:
    """Trials of a plan that the store knows.

    Attributes:
        known: for each planned trial, whether its results or its failure are known.
        missing: key of a step that was never made -> its technique.
    """

    known: tuple[bool, ...]
    missing: Mapping[str, str]


def look_up(spec: StudySpec, card: ModelCard, planned: Sequence[PlannedTrial]) -> KnownTrials:
    """Look up every trial of a plan in the store."""
    source, data, environment = (
        sha256_of(Path(card.path)),
        data_digest(card),
        digest_of(fingerprint())[:16],
    )
    chains = [
        [keys.step_key(source, steps, card, data) for steps in prefixes(t.recipe)] for t in planned
    ]
    steps = records.known_steps(list(dict.fromkeys(key for chain in chains for key in chain)))
    missing = {
        key: step.technique
        for trial, chain in zip(planned, chains, strict=True)
        for key, step in zip(chain, trial.recipe.steps, strict=True)
        if key not in steps
    }
    built = [_built(chain, steps, source) for chain in chains]
    floats = {
        _place(t): sha for t, sha in zip(planned, built, strict=True) if t.is_baseline and sha
    }
    wanted = [
        (
            None
            if not sha
            else (
                keys.evaluate_key(
                    sha, floats.get(_place(t), ""), t.target, card, spec, data, environment
                ),
                keys.measure_key(sha, t.target, spec, data, environment),
            )
        )
        for t, sha in zip(planned, built, strict=True)
    ]
    results = records.known_results(
        list(dict.fromkeys(key for pair in wanted if pair for key in pair))
    )
    known = [
        sha == "" or (pair is not None and _is_known(*pair, results))
        for sha, pair in zip(built, wanted, strict=True)
    ]
    return KnownTrials(tuple(known), missing)


def _built(chain: Sequence[str], steps: Mapping[str, Outcome], source: str) -> str | None:
    """SHA-256 of the file that a chain of steps makes; "" where it is known to fail, None where it
    is unknown.
    """
    stored = [steps.get(key) for key in chain]
    if any(outcome is not None and Failure.is_stored_in(outcome) for outcome in stored):
        return ""
    if not all(outcome is not None for outcome in stored):
        return None
    last = stored[-1] if stored else None
    return Built.from_json(last).artifact.sha256 if last else source


def _place(trial: PlannedTrial) -> str:
    """Runtime and options under which outputs are the same; a variant is compared with the float
    model there.
    """
    return digest_of([trial.target.runtime, keys.output_options(trial.target)])


def _is_known(evaluation: str, measurement: str, results: Mapping[str, Outcome]) -> bool:
    evaluated = results.get(evaluation)
    return evaluated is not None and (Failure.is_stored_in(evaluated) or measurement in results)
