"""Evaluating a variant on a Dask worker."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lab import registry
from lab.engine import keys
from lab.engine.in_pool_process import evaluate_in_pool
from lab.engine.messages import (
    Built,
    Evaluated,
    EvaluateRequest,
    Failure,
    PoolEvaluated,
    PoolEvaluateRequest,
    outcome_from_json,
)
from lab.engine.on_dask_worker.job import (
    Job,
    cancellation_of,
    in_this_environment,
    keep_files,
    run_once,
)
from lab.engine.pools import POOLS
from lab.store import records
from lab.store.blobs import keep

EVALUATE_LIMIT_S = 3600.0


def evaluate_on_worker(
    request: EvaluateRequest,
    built: Built | Failure,
    baseline_built: Built | Failure | None,
    baseline: Evaluated | Failure | None,
) -> Evaluated | Failure:
    """Evaluate a variant's outputs against the labels and the float baseline's outputs.

    Args:
        baseline_built, baseline: of the float baseline; None for the baseline itself.
    """
    if isinstance(built, Failure):
        return built
    request = in_this_environment(request)
    if not isinstance(baseline_built, Built) or not isinstance(baseline, Evaluated):
        baseline_built = baseline = None
    key = evaluation_key(request, built, baseline_built)

    def remember(outcome: Evaluated | Failure, seconds: float) -> None:
        records.remember_result(key, "evaluate", outcome.to_json(), seconds)

    return run_once(
        Job(request.study, "evaluate", key, request.label),
        lambda: known_evaluation(key),
        lambda: _evaluate(request, _pool_request(request, built, baseline_built, baseline)),
        remember,
    )


def evaluation_key(request: EvaluateRequest, built: Built, baseline: Built | None) -> str:
    """Key under which a variant's evaluation is kept.

    Args:
        baseline: the file that it is compared with; None where there is none.
    """
    own = built.artifact.sha256 if request.is_baseline else ""
    return keys.evaluate_key(
        built.artifact.sha256,
        baseline.artifact.sha256 if baseline else own,
        request.target,
        request.card,
        request.spec,
        request.data_digest,
        request.environment,
    )


def known_evaluation(key: str) -> Evaluated | Failure | None:
    """Evaluation that the store knows."""
    stored = records.known_result(key)
    return None if stored is None else outcome_from_json(Evaluated, stored, cached=True)


def _pool_request(
    request: EvaluateRequest,
    built: Built,
    baseline_built: Built | None,
    baseline: Evaluated | None,
) -> PoolEvaluateRequest:
    return PoolEvaluateRequest(
        request.target.runtime,
        keys.output_options(request.target),
        built.artifact.path,
        built.artifact.format,
        request.card,
        request.data,
        request.spec.metrics,
        request.spec.test_samples,
        request.is_baseline,
        baseline_built.artifact.path if baseline_built else None,
        baseline.outputs.path if baseline else None,
        emulate=not request.spec.about,
        read_anatomy=not request.spec.about,
    )


def _evaluate(request: EvaluateRequest, pool_request: PoolEvaluateRequest) -> Evaluated | Failure:
    finished = POOLS.run(
        registry.runtime(request.target.runtime).toolchain,
        evaluate_in_pool,
        pool_request,
        EVALUATE_LIMIT_S,
        cancellation_of(request.study),
    )
    return keep_files(finished, partial(_evaluated, request.environment))


def _evaluated(environment: str, made: PoolEvaluated) -> Evaluated:
    return Evaluated(
        keep(Path(made.outputs), "npz"),
        made.measurements,
        made.correct,
        made.emulated,
        environment,
        keep(Path(made.anatomy), "json") if made.anatomy else None,
    )
