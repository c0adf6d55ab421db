"""The three kinds of jobs, as they run on a Dask worker: each looks in the store, works in a
subprocess, and keeps what came out.

An outcome is a dict. {"error": {...}} stands for a failure and flows through the graph as data.
Outcomes of deterministic failures are remembered like any other; crashes, time-outs and lack of
memory are not, so that a resumed study tries them again.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lab import registry
from lab.engine import in_pool_process as jobs
from lab.engine import keys
from lab.engine.curves import Follower
from lab.engine.limits import TRAINING_LIMIT_S
from lab.engine.measuring import measure
from lab.engine.pool_process import error_json
from lab.engine.pools import POOLS, discard
from lab.engine.roofline import ensure_roofline
from lab.errors import (
    JobCancelled,
    JobCrashed,
    JobOutOfMemory,
    JobTimedOut,
    LabError,
    MissingPackage,
    StoreFull,
)
from lab.formats.batching import batch_size
from lab.formats.feeding import as_input
from lab.home import folder
from lab.lazy import np
from lab.measure.environment import fingerprint
from lab.measure.quality import clean_rounds, clean_turns, flags_of, timing_of
from lab.spec.reading import spec_from_json
from lab.store import records
from lab.store.blobs import keep
from lab.store.data import load_array
from lab.types import InputSpec, ModelCard, StudySpec, Target

Outcome = dict[str, Any]
PASSING = tuple(
    e.__name__
    for e in (JobCancelled, JobCrashed, JobTimedOut, JobOutOfMemory, StoreFull, MissingPackage)
)
COLD_REPEATS, PROFILE_RUNS = 3, 20
_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def build_task(request: Mapping[str, Any], before: Outcome) -> Outcome:
    """Apply one step to what the step before made.

    Args:
        request: {"study", "key", "step", "card", "data"}.
        before: outcome with the source "artifact".
    """
    if "error" in before:
        return before
    technique = registry.technique(request["step"]["technique"])

    def work() -> Outcome:
        checkpoint = folder("checkpoints") / request["key"]
        body = {
            "technique": technique.id,
            "params": request["step"]["params"],
            "source": before["artifact"]["path"],
            "card": request["card"],
            "data": request["data"],
            "checkpoint": str(checkpoint) if technique.trains else None,
        }
        limit = TRAINING_LIMIT_S if technique.trains else technique.timeout_s
        follow = Follower(partial(records.keep_curve, request["key"], technique.id))
        answer = POOLS.run(
            technique.pool, jobs.build, body, limit, _cancelled(request["study"]), follow
        )
        made = _kept(
            answer,
            lambda a: {
                "artifact": keep(Path(a["file"]), a["format"]).to_json(),
                "notes": {
                    **before.get("notes", {}),
                    **a["notes"],
                },  # that no data were used is true of all that follows
                "inspection": a["inspection"],
                "training": [
                    *before.get("training", []),
                    *_training(request, technique.id, a["curves"]),
                ],
            },
        )
        if "error" not in made:
            shutil.rmtree(checkpoint, ignore_errors=True)
        return made

    def remember(outcome: Outcome, seconds: float) -> None:
        records.remember_step(request["key"], technique.id, outcome, seconds)

    return _once(
        request, "build", technique.id, lambda: records.known_step(request["key"]), work, remember
    )


def _training(
    request: Mapping[str, Any], technique: str, curves: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The curves of a training that ended, as its trials keep them."""
    if curves:
        records.keep_curve(request["key"], technique, curves)
    return [{"key": request["key"], "technique": technique, **curve} for curve in curves]


def evaluate_task(
    request: Mapping[str, Any],
    built: Outcome,
    baseline_built: Outcome | None,
    baseline: Outcome | None,
) -> Outcome:
    """Evaluate a variant's answers against the truth and the float baseline's answers.

    Args:
        request: {"study", "target", "card", "data", "spec", "environment", "label", "is_baseline"}.
        built: the variant's file.
        baseline_built, baseline: the float baseline's file and evaluation; None for the baseline
            itself.
    """
    if "error" in built:
        return built
    request = _here(request)
    target, spec = Target.from_json(request["target"]), spec_from_json(request["spec"])
    usable = baseline if baseline and "error" not in baseline else None
    base_path = baseline_built["artifact"]["path"] if usable and baseline_built else None
    key = evaluation_key(request, built, baseline_built if usable else None)
    body = {
        "runtime": target.runtime,
        "options": keys.output_options(target),
        "path": built["artifact"]["path"],
        "card": request["card"],
        "data": request["data"],
        "test_samples": spec.test_samples,
        "metrics": list(spec.metrics),
        "baseline_path": base_path,
        "baseline_outputs": usable["outputs"]["path"] if usable else None,
        "is_baseline": request["is_baseline"],
        **dict.fromkeys(
            ("elsewhere", "anatomy"), "" if spec.about else built["artifact"]["format"]
        ),
    }

    def work() -> Outcome:
        toolchain = registry.runtime(target.runtime).toolchain
        answer = POOLS.run(toolchain, jobs.evaluate, body, 3600.0, _cancelled(request["study"]))
        return _kept(
            answer,
            lambda a: {
                "outputs": keep(Path(a["outputs"]), "npz").to_json(),
                "measurements": a["measurements"],
                "right": a["right"],
                "elsewhere": a["elsewhere"],
                "environment": request["environment"],
                "anatomy": keep(Path(a["anatomy"]), "json").to_json() if a["anatomy"] else None,
            },
        )

    def remember(outcome: Outcome, seconds: float) -> None:
        records.remember_result(key, "evaluate", outcome, seconds)

    return _once(
        {**request, "key": key},
        "evaluate",
        request["label"],
        lambda: records.known_result(key),
        work,
        remember,
    )


def evaluation_key(
    request: Mapping[str, Any], built: Outcome, baseline_built: Outcome | None
) -> str:
    """The key under which a variant's evaluation is kept."""
    sha = built["artifact"]["sha256"]
    base = (
        baseline_built["artifact"]["sha256"]
        if baseline_built
        else sha
        if request["is_baseline"]
        else ""
    )
    card, spec = ModelCard.from_json(request["card"]), spec_from_json(request["spec"])
    return keys.evaluate_key(
        sha,
        base,
        Target.from_json(request["target"]),
        card,
        spec,
        Path(request["data"]).name,
        request["environment"],
    )


def measure_task(
    request: Mapping[str, Any], built: Sequence[Outcome], evaluated: Sequence[Outcome]
) -> dict[str, Outcome]:
    """Measure, interleaved and alone on the machine, every variant of a target that ran and is not
    known yet.

    Args:
        request: {"study", "target", "card", "data", "spec", "environment", "remeasure"}.
        built, evaluated: outcomes, one a variant.

    Returns:
        SHA-256 of the artifact -> outcome.
    """
    request = _here(request)
    good = [
        b["artifact"]
        for b, e in zip(built, evaluated, strict=True)
        if "error" not in b and "error" not in e
    ]
    paths = {a["sha256"]: a["path"] for a in good}
    known = (
        {}
        if request["remeasure"]
        else {s: o for s in paths if (o := known_measurement(request, s)) is not None}
    )
    fresh = {sha: path for sha, path in paths.items() if sha not in known}
    return {**known, **(_measure_fresh(request, fresh) if fresh else {})}


def measurement_key(request: Mapping[str, Any], sha256: str) -> str:
    """The key under which a variant's latency and memory are kept."""
    spec, target = spec_from_json(request["spec"]), Target.from_json(request["target"])
    return keys.measure_key(
        sha256, target, spec, Path(request["data"]).name, request["environment"]
    )


def known_measurement(request: Mapping[str, Any], sha256: str) -> Outcome | None:
    """The stored latency and memory of a variant on a target, marked as cached."""
    found = records.known_result(measurement_key(request, sha256))
    return None if found is None else {**found, "cached": True}


def _measure_fresh(request: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Outcome]:
    start = time.time()
    spec, target = spec_from_json(request["spec"]), Target.from_json(request["target"])
    _know_roofline(spec, target)
    body = _measuring_request(request, paths, spec, target)
    answer = measure(
        body, timeout_s=120.0 + 60.0 * len(paths), cancelled=_cancelled(request["study"])
    )
    try:
        outcomes = {
            sha: _measured(sha, answer, spec, target) | {"environment": request["environment"]}
            for sha in paths
        }
    finally:
        discard(answer)
    finish = time.time()
    for sha, outcome in outcomes.items():
        key = measurement_key(request, sha)
        if "error" in outcome:
            outcome["error"] = {**outcome["error"], "job": "measure", "key": key}
        if outcome.get("error", {}).get("type") not in PASSING:
            records.remember_result(key, "measure", outcome, (finish - start) / len(paths))
    _log(
        request["study"],
        "measure",
        target.runtime,
        f"{target.to_json()}",
        start,
        finish,
        "failed" if "error" in answer else "complete",
    )
    return outcomes


def _know_roofline(spec: StudySpec, target: Target) -> None:
    """Once a machine, while it does nothing else: 4 s that a first quick look does without."""
    if spec.preset != "quick" and not spec.about:
        with contextlib.suppress(LabError):
            ensure_roofline(int(target.options.get("threads", 1)))


def _measuring_request(
    request: Mapping[str, Any], paths: Mapping[str, str], spec: StudySpec, target: Target
) -> dict[str, Any]:
    item = Path(request["data"]) / f"item-{request['item_digest']}.npy"
    if not item.exists():
        stored = load_array(Path(request["data"]), "x_test")[:1]
        temporary = item.with_name(f".part-{os.getpid()}-{threading.get_ident()}.npy")
        np.save(temporary, as_input(stored, InputSpec.from_json(request["card"]["input"])))
        os.replace(temporary, item)
    return {
        "runtime": target.runtime,
        "options": dict(target.options),
        "item": str(item),
        "variants": dict(paths),
        "cold_repeats": COLD_REPEATS,
        "profile_runs": 0 if spec.about else PROFILE_RUNS,
        "protocol": {
            **{name: getattr(spec, name) for name in keys.PROTOCOL},
            "threads": int(target.options.get("threads", 1)),
            "afresh": not spec.about,
        },
    }


def _measured(sha: str, answer: Mapping[str, Any], spec: StudySpec, target: Target) -> Outcome:
    found = answer if "error" in answer else answer["variants"][sha]
    if "error" in found:
        return {"error": found["error"]}
    raw = Path(answer["workdir"]) / f"{sha}.json"
    raw.write_text(json.dumps({**found, "conditions": answer["conditions"]}))
    session = Path(answer["workdir"]).name
    return {
        "measurements": _measurements(found, spec, batch_size(target.options)),
        "samples": keep(raw, "json").to_json(),
        "profile": _kept_profile(found.get("profile"), raw.with_suffix(".profile.json")),
        "timing": timing_of(found["turns"], session),
        "memory": {"mapped_bytes": max((c["mapped_bytes"] or 0 for c in found["cold"]), default=0)},
    }


def _kept_profile(profile: Mapping[str, Any] | None, file: Path) -> dict[str, Any] | None:
    if profile is None or "error" in profile:
        return None
    file.write_text(json.dumps(profile))
    return keep(file, "json").to_json()


def _measurements(found: Mapping[str, Any], spec: StudySpec, batch: int) -> dict[str, Any]:
    turns = clean_turns(found["turns"])
    evidence = {
        "latency": list(clean_rounds(turns).values()),
        "batch": batch,
        "energy": np.asarray(
            [t["joules"] / len(t["samples"]) for t in turns if t["joules"] is not None]
        ),
        "cold_load": np.asarray([c["cold_load_s"] for c in found["cold"]]),
        "peak_rss": np.asarray([c["peak_rss_bytes"] for c in found["cold"]], dtype=float),
    }
    if arenas := [c["arena_bytes"] for c in found["cold"] if c.get("arena_bytes")]:
        evidence["arena"] = np.asarray(arenas, dtype=float)
    measurements = jobs.compute(list(spec.metrics), evidence)
    if flags := flags_of(found["turns"], spec.precision):
        for id_ in (id_ for id_ in measurements if "latency" in registry.metric(id_).needs):
            measurements[id_]["flags"] = [*measurements[id_]["flags"], *flags]
    return measurements


# --- what all three share -------------------------------------------------------------------------


def _once(
    request: Mapping[str, Any],
    kind: str,
    label: str,
    known: Callable[[], Outcome | None],
    work: Callable[[], Outcome],
    remember: Callable[[Outcome, float], None],
) -> Outcome:
    """Two studies that want the same thing at the same time: the second waits and takes what the
    first made.
    """
    with _locks[request["key"]]:
        if (found := known()) is not None:
            return {**found, "cached": True}
        start = time.time()
        try:
            if _cancelled(request["study"])():
                raise JobCancelled("The study was cancelled")
            outcome = work()
        except LabError as error:
            outcome = {"error": error_json(error)}
        finish = time.time()
        if "error" in outcome:
            outcome["error"] |= {"job": kind, "key": request["key"]}
        if outcome.get("error", {}).get("type") not in PASSING:
            remember(outcome, finish - start)
        _log(
            request["study"],
            kind,
            request["key"],
            label,
            start,
            finish,
            "failed" if "error" in outcome else "complete",
        )
        return {**outcome, "seconds": finish - start}


def _here(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request with the environment of the machine that works on it, which need not be the one
    that asked.
    """
    return {**request, "environment": records.keep_environment(fingerprint())}


def _kept(answer: Mapping[str, Any], keep_files: Callable[[Mapping[str, Any]], Outcome]) -> Outcome:
    try:
        return {"error": answer["error"]} if "error" in answer else keep_files(answer)
    finally:
        discard(answer)


def _cancelled(study_id: str) -> Callable[[], bool]:
    last = [0.0, False]

    def asked() -> bool:
        if not last[1] and time.monotonic() - last[0] > 0.3:
            last[:] = [time.monotonic(), bool(records.study_row(study_id).cancel_requested)]
        return bool(last[1])

    return asked


def _log(
    study: str, kind: str, key: str, label: str, start: float, finish: float, outcome: str
) -> None:
    records.add_job(
        study=study,
        kind=kind,
        key=key,
        label=label[:300],
        machine=platform.node(),
        started_at=start,
        finished_at=finish,
        outcome=outcome,
    )
