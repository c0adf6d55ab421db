"""Measuring the variants of a target on a Dask worker."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab import registry
from lab.engine import keys
from lab.engine.in_pool_process import compute
from lab.engine.measuring import measure
from lab.engine.messages import (
    Built,
    Evaluated,
    Failure,
    Measured,
    MeasureRequest,
    ProcessResult,
    outcome_from_json,
)
from lab.engine.on_dask_worker.job import (
    Job,
    cancellation_of,
    in_this_environment,
    is_lasting,
    log_job,
)
from lab.engine.pools import discard
from lab.engine.roofline import ensure_roofline
from lab.errors import LabError
from lab.formats.batching import batch_size
from lab.formats.feeding import as_input
from lab.lazy import np
from lab.measure.messages import MeasuredVariants, MeasureVariantsRequest, VariantTimings
from lab.measure.quality import clean_rounds, clean_turns, flags_of, timing_of
from lab.measure.rounds import Protocol
from lab.store import records
from lab.store.blobs import keep
from lab.store.data import load_array
from lab.types import Artifact, Measurement, StudySpec

COLD_REPEATS, PROFILE_RUNS = 3, 20
LIMIT_S, VARIANT_LIMIT_S = 120.0, 60.0
"""A measurement may take this long, and longer for each variant."""


def measure_on_worker(
    request: MeasureRequest,
    built: Sequence[Built | Failure],
    evaluated: Sequence[Evaluated | Failure],
) -> dict[str, Measured | Failure]:
    """Measure, interleaved and alone on the machine, every variant of a target that ran and is not
    known yet.

    Args:
        built, evaluated: outcomes, one a variant.

    Returns:
        SHA-256 of the artifact -> outcome.
    """
    request = in_this_environment(request)
    paths = {a.sha256: a.path for a in measurable(built, evaluated)}
    known = {} if request.remeasure else known_measurements(request, paths)
    fresh = {sha: path for sha, path in paths.items() if sha not in known}
    return {**known, **(_measure_fresh(request, fresh) if fresh else {})}


def measurable(
    built: Sequence[Built | Failure], evaluated: Sequence[Evaluated | Failure]
) -> list[Artifact]:
    """Files that were built and evaluated without a failure."""
    return [
        b.artifact
        for b, e in zip(built, evaluated, strict=True)
        if isinstance(b, Built) and isinstance(e, Evaluated)
    ]


def known_measurements(
    request: MeasureRequest, shas: Sequence[str] | Mapping[str, str]
) -> dict[str, Measured | Failure]:
    """Outcomes that the store knows, by the SHA-256 of the artifact."""
    stored = {sha: known_measurement(request, sha) for sha in shas}
    return {sha: outcome for sha, outcome in stored.items() if outcome is not None}


def known_measurement(request: MeasureRequest, sha256: str) -> Measured | Failure | None:
    """Latency and memory of a variant on a target, where the store knows them."""
    stored = records.known_result(measurement_key(request, sha256))
    return None if stored is None else outcome_from_json(Measured, stored, cached=True)


def measurement_key(request: MeasureRequest, sha256: str) -> str:
    """Key under which a variant's latency and memory are kept."""
    return keys.measure_key(
        sha256, request.target, request.spec, request.data_digest, request.environment
    )


def _measure_fresh(
    request: MeasureRequest, paths: Mapping[str, str]
) -> dict[str, Measured | Failure]:
    start = time.time()
    _know_roofline(request)
    limit_s = LIMIT_S + VARIANT_LIMIT_S * len(paths)
    finished = measure(_process_request(request, paths), limit_s, cancellation_of(request.study))
    try:
        outcomes = {sha: _outcome(request, sha, finished) for sha in paths}
    finally:
        discard(finished)
    finish = time.time()
    for sha, outcome in outcomes.items():
        if is_lasting(outcome):
            key, seconds = measurement_key(request, sha), (finish - start) / len(paths)
            records.remember_result(key, "measure", outcome.to_json(), seconds)
    target = request.target
    job = Job(request.study, "measure", target.runtime, f"{target.to_json()}")
    log_job(job, start, finish, failed=isinstance(finished.result, Failure))
    return outcomes


def _know_roofline(request: MeasureRequest) -> None:
    """Measure the roofline once a machine, while it does nothing else: 4 s that a first quick look
    does without.
    """
    if request.spec.preset != "quick" and not request.spec.about:
        with contextlib.suppress(LabError):
            ensure_roofline(_threads(request))


def _threads(request: MeasureRequest) -> int:
    return int(request.target.options.get("threads", 1))


def _process_request(request: MeasureRequest, paths: Mapping[str, str]) -> MeasureVariantsRequest:
    spec = request.spec
    protocol = {name: getattr(spec, name) for name in keys.PROTOCOL}
    return MeasureVariantsRequest(
        request.target.runtime,
        dict(request.target.options),
        str(_timed_item(request)),
        dict(paths),
        Protocol(**protocol, threads=_threads(request), afresh=not spec.about),
        COLD_REPEATS,
        0 if spec.about else PROFILE_RUNS,
    )


def _timed_item(request: MeasureRequest) -> Path:
    """File with the one test item that is timed, written when it is needed first."""
    file = request.item_file
    if not file.exists():
        stored = load_array(Path(request.data), "x_test")[:1]
        temporary = file.with_name(f".part-{os.getpid()}-{threading.get_ident()}.npy")
        np.save(temporary, as_input(stored, request.card.input))
        os.replace(temporary, file)
    return file


def _outcome(
    request: MeasureRequest, sha: str, finished: ProcessResult[MeasuredVariants]
) -> Measured | Failure:
    measured = finished.result
    failure = measured if isinstance(measured, Failure) else None
    if isinstance(measured, MeasuredVariants):
        timings = measured.variants[sha]
        if timings.error is None:
            file = finished.workdir / f"{sha}.json"
            return _measured(request, timings, measured.conditions, file)
        failure = Failure.from_error(timings.error)
    assert failure is not None
    key = measurement_key(request, sha)
    return replace(failure, job="measure", key=key, environment=request.environment)


def _measured(
    request: MeasureRequest, timings: VariantTimings, conditions: Mapping[str, Any], file: Path
) -> Measured:
    """Keep the raw timings of a variant, written to that file, and compute its metrics."""
    file.write_text(json.dumps({**timings.to_json(), "conditions": conditions}))
    mapped_bytes = max((c["mapped_bytes"] or 0 for c in timings.cold), default=0)
    return Measured(
        _measurements(timings, request.spec, batch_size(request.target.options)),
        keep(file, "json"),
        _kept_profile(timings.profile, file.with_suffix(".profile.json")),
        timing_of(timings.turns, session=file.parent.name),
        {"mapped_bytes": mapped_bytes},
        request.environment,
    )


def _kept_profile(profile: Mapping[str, Any] | None, file: Path) -> Artifact | None:
    if profile is None or "error" in profile:
        return None
    file.write_text(json.dumps(profile))
    return keep(file, "json")


def _measurements(timings: VariantTimings, spec: StudySpec, batch: int) -> dict[str, Measurement]:
    measurements = compute(spec.metrics, _evidence(timings, batch))
    if flags := flags_of(timings.turns, spec.precision):
        for id_ in (id_ for id_ in measurements if "latency" in registry.metric(id_).needs):
            flagged = (*measurements[id_].flags, *flags)
            measurements[id_] = replace(measurements[id_], flags=flagged)
    return measurements


def _evidence(timings: VariantTimings, batch: int) -> dict[str, Any]:
    turns = clean_turns(timings.turns)
    joules = [t["joules"] / len(t["samples"]) for t in turns if t["joules"] is not None]
    evidence = {
        "latency": list(clean_rounds(turns).values()),
        "batch": batch,
        "energy": np.asarray(joules),
        "cold_load": np.asarray([c["cold_load_s"] for c in timings.cold]),
        "peak_rss": np.asarray([c["peak_rss_bytes"] for c in timings.cold], dtype=float),
    }
    if arenas := [c["arena_bytes"] for c in timings.cold if c.get("arena_bytes")]:
        evidence["arena"] = np.asarray(arenas, dtype=float)
    return evidence
