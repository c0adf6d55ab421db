"""Building a file on a Dask worker."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lab import registry
from lab.engine.curves import Follower
from lab.engine.in_pool_process import build_in_pool
from lab.engine.limits import TRAINING_LIMIT_S
from lab.engine.messages import (
    BuildRequest,
    Built,
    Failure,
    PoolBuildRequest,
    PoolBuilt,
    outcome_from_json,
)
from lab.engine.on_dask_worker.job import Job, cancellation_of, keep_files, run_once
from lab.engine.pools import POOLS
from lab.home import folder
from lab.plugs import Technique
from lab.store import records
from lab.store.blobs import keep


def build_on_worker(request: BuildRequest, source: Built | Failure) -> Built | Failure:
    """Apply one step to the file that the step before made."""
    if isinstance(source, Failure):
        return source
    technique = registry.technique(request.step.technique)

    def remember(outcome: Built | Failure, seconds: float) -> None:
        records.remember_step(request.key, technique.id, outcome.to_json(), seconds)

    return run_once(
        Job(request.study, "build", request.key, technique.id),
        lambda: known_step(request.key),
        lambda: _build(request, technique, source),
        remember,
    )


def known_step(key: str) -> Built | Failure | None:
    """Outcome of a step that the store knows."""
    stored = records.known_step(key)
    return None if stored is None else outcome_from_json(Built, stored, cached=True)


def _build(request: BuildRequest, technique: Technique, source: Built) -> Built | Failure:
    checkpoint = folder("checkpoints") / request.key
    finished = POOLS.run(
        technique.pool,
        build_in_pool,
        PoolBuildRequest(
            request.step,
            source.artifact.path,
            request.card,
            request.data,
            str(checkpoint) if technique.trains else None,
        ),
        TRAINING_LIMIT_S if technique.trains else technique.timeout_s,
        cancellation_of(request.study),
        Follower(partial(records.keep_curve, request.key, technique.id)),
    )
    outcome = keep_files(finished, partial(_built, request, source))
    if isinstance(outcome, Built):
        shutil.rmtree(checkpoint, ignore_errors=True)
    return outcome


def _built(request: BuildRequest, source: Built, made: PoolBuilt) -> Built:
    return Built(
        keep(Path(made.file), made.format),
        # that a step used no data is true of all that follow
        {**source.notes, **made.notes},
        made.inspection,
        (*source.training, *_ended_training(request, made.curves)),
    )


def _ended_training(
    request: BuildRequest, curves: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Curves of a training that ended, as its trials keep them."""
    technique = request.step.technique
    if curves:
        records.keep_curve(request.key, technique, curves)
    return [{"key": request.key, "technique": technique, **curve} for curve in curves]
