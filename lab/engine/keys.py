"""Cache keys: equal keys, equal results, so nothing is computed twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lab import registry
from lab.engine import emulating
from lab.formats.anatomy import VERSION as ANATOMY_VERSION
from lab.measure.environment import versions_of
from lab.store.data import FROM_DISK
from lab.types import ModelCard, Step, StudySpec, Target, digest_of

PROTOCOL = ("rounds", "runs", "turn_s", "precision", "budget_s", "seed")
MEASURE_VERSION = EVALUATE_VERSION = 2
"""Raised when the same file, data and protocol would tell something else, or more."""


def step_key(source_sha256: str, steps: Sequence[Step], card: ModelCard, data_digest: str) -> str:
    """Key of the file that a chain of steps makes of a source file.

    The versions of what each technique requires are in it: another version of a quantizer may
    write another file.
    """
    techniques = [registry.technique(step.technique) for step in steps]
    chain = [
        [t.id, t.version, dict(s.params), versions_of(t.requires)]
        for t, s in zip(techniques, steps, strict=True)
    ]
    uses_data = any(t.needs_calibration or t.trains for t in techniques)
    data = [data_digest, asdict(card.input)] if uses_data else None
    return digest_of(
        [
            "step",
            source_sha256,
            chain,
            data,
            *([_training_digest(card)] if any(t.trains for t in techniques) else ()),
        ]
    )


def _training_digest(card: ModelCard) -> str:
    """Digest of the training set; a user's own one is in the digest of the data already."""
    return (
        "" if card.dataset.startswith(FROM_DISK) else registry.dataset(card.dataset).training_digest
    )


def output_options(target: Target) -> dict[str, Any]:
    """The target's options that change answers, the others at their default: predictions are
    evaluated once for all.
    """
    options = registry.runtime(target.runtime).options
    given = target.options  # a stored target may be older than an option
    return {o.id: given.get(o.id, o.default) if o.affects_output else o.default for o in options}


def evaluate_key(
    artifact: str,
    baseline: str,
    target: Target,
    card: ModelCard,
    spec: StudySpec,
    data: str,
    environment: str,
) -> str:
    """Key of a file's answers to a test set in a runtime on a machine."""
    return digest_of(
        [
            "evaluate",
            EVALUATE_VERSION,
            artifact,
            baseline,
            target.runtime,
            output_options(target),
            asdict(card.input),
            data,
            spec.test_samples,
            sorted(spec.metrics),
            environment,
            None if spec.about else [emulating.versions(), ANATOMY_VERSION],
        ]
    )


def measure_key(artifact: str, target: Target, spec: StudySpec, data: str, environment: str) -> str:
    """Key of a file's latency and memory on a target on a machine."""
    protocol: Mapping[str, Any] = {name: getattr(spec, name) for name in PROTOCOL}
    return digest_of(
        [
            "measure",
            MEASURE_VERSION,
            bool(spec.about),
            artifact,
            target.to_json(),
            protocol,
            data,
            sorted(spec.metrics),
            environment,
        ]
    )
