"""Measuring process: `python -m lab.measure.child REQUEST.json RESULT.json`. It loads only numpy
and one runtime.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from lab import registry
from lab.evidence import Profile
from lab.formats.batching import batch_of, batch_size, check_answers
from lab.formats.feeding import fit_items
from lab.measure.cold import cold_start
from lab.measure.conditions import conditions
from lab.measure.forked import forked
from lab.measure.messages import MeasuredVariants, MeasureVariantsRequest, VariantTimings
from lab.measure.parent import die_with_parent
from lab.measure.rounds import time_rounds
from lab.plugs import Array, Runtime

PROFILE_LIMIT_S = 60.0


def measure(request: MeasureVariantsRequest) -> MeasuredVariants:
    """Measure cold load and memory of each variant, profile it, then time all working variants
    interleaved.
    """
    before = conditions()
    runtime = registry.runtime(request.runtime)
    item = batch_of(np.load(request.item), batch_size(request.options))
    runtime.preload()
    measured = dict.fromkeys(request.variants, VariantTimings())
    _measure_cold(runtime, request, item, measured)
    running = {id_: path for id_, path in request.variants.items() if not measured[id_].error}
    for id_, path in running.items() if runtime.profile and request.profile_runs else ():
        profile = forked(
            partial(_profile, runtime, request, path, item), PROFILE_LIMIT_S, "profiling"
        )
        measured[id_] = replace(measured[id_], profile=profile)
    loads = {
        id_: partial(_call, runtime, request.options, path, item) for id_, path in running.items()
    }
    for id_, turns in time_rounds(loads, request.protocol).items():
        changed = turns if isinstance(turns, dict) else {"turns": tuple(turns)}
        measured[id_] = replace(measured[id_], **changed)
    return MeasuredVariants(measured, {"before": before, "after": conditions()})


def _profile(
    runtime: Runtime, request: MeasureVariantsRequest, path: str, item: Array
) -> dict[str, Any]:
    """Profile in a separate child before anything else is loaded here, because a profiler may slow
    down the session that it profiled.
    """
    profile = cast("Callable[..., Profile]", runtime.profile)
    return asdict(profile(path, request.options, item, request.profile_runs))


def _measure_cold(
    runtime: Runtime,
    request: MeasureVariantsRequest,
    item: Array,
    measured: dict[str, VariantTimings],
) -> None:
    order = random.Random(request.protocol.seed)
    for _ in range(request.cold_repeats):
        ids = [id_ for id_ in request.variants if not measured[id_].error]
        order.shuffle(ids)
        for id_ in ids:
            before = measured[id_]
            start = cold_start(runtime, request.options, request.variants[id_], item)
            if "error" not in start and not before.cold and batch_size(request.options) > 1:
                start |= forked(
                    partial(_check_batch, runtime, request, id_, item), PROFILE_LIMIT_S, "a batch"
                )
            measured[id_] = (
                replace(before, error=start["error"])
                if "error" in start
                else replace(before, cold=(*before.cold, start))
            )


def _check_batch(
    runtime: Runtime, request: MeasureVariantsRequest, id_: str, item: Array
) -> dict[str, Any]:
    """Return {} if the outputs of a batch are those of its items; raise if they differ."""
    options, path = request.options, request.variants[id_]
    session = runtime.load(path, options)
    outputs = session.run(session.prepare(fit_items(item, session.input.shape)))
    check_answers(runtime.load, path, options, item, outputs)
    return {}


def _call(
    runtime: Runtime, options: Mapping[str, Any], path: str, item: Array
) -> Callable[[], Any]:
    session = runtime.load(path, options)
    return partial(session.run, session.prepare(fit_items(item, session.input.shape)))


if __name__ == "__main__":
    die_with_parent()
    source, destination = map(Path, sys.argv[1:])
    request = MeasureVariantsRequest.from_json(json.loads(source.read_text()))
    destination.write_text(json.dumps(measure(request).to_json()))
