"""Which planned trials the store knows, file, answers and time, so that running them costs
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.engine import keys
from lab.measure.environment import fingerprint
from lab.spec.plan import PlannedTrial
from lab.spec.recipes import prefixes
from lab.store import records
from lab.store.blobs import sha256_of
from lab.store.data import data_digest
from lab.types import ModelCard, StudySpec, digest_of

Outcome = Mapping[str, Any]


@dataclass(frozen=True)
class Stored:
    """What the store has of a plan.

    Attributes:
        known: for each planned trial, whether all of it is known, be it that it fails.
        missing: key of a step that was never made -> its technique.
    """

    known: tuple[bool, ...]
    missing: Mapping[str, str]


def stored(spec: StudySpec, card: ModelCard, planned: Sequence[PlannedTrial]) -> Stored:
    """Ask the store about every trial of a plan."""
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
    asked = [
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
        list(dict.fromkeys(key for pair in asked if pair for key in pair))
    )
    known = [
        sha == "" or (pair is not None and _is_known(*pair, results))
        for sha, pair in zip(built, asked, strict=True)
    ]
    return Stored(tuple(known), missing)


def _built(chain: Sequence[str], steps: Mapping[str, Outcome], source: str) -> str | None:
    """SHA-256 of the file that a chain of steps makes; "" where it is known to fail, None where it
    is not known.
    """
    outcomes = [steps.get(key) for key in chain]
    if any(o is not None and "error" in o for o in outcomes):
        return ""
    if not all(o is not None for o in outcomes):
        return None
    last = outcomes[-1] if outcomes else None
    return str(last["artifact"]["sha256"]) if last else source


def _place(trial: PlannedTrial) -> str:
    """Where answers are the same: what a variant's are compared with is the float model there."""
    return digest_of([trial.target.runtime, keys.output_options(trial.target)])


def _is_known(evaluation: str, measurement: str, results: Mapping[str, Outcome]) -> bool:
    answers = results.get(evaluation)
    return answers is not None and ("error" in answers or measurement in results)
