"""The measuring process: `python -m lab.measure.child REQUEST.json ANSWER.json`. It loads numpy and
one runtime, nothing else.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
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
from lab.measure.parent import die_with_parent
from lab.measure.rounds import Protocol, time_rounds
from lab.plugs import Array, Runtime

PROFILE_LIMIT_S = 60.0


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Cold load and memory of each variant, where its time goes, then warm latency of all that ran,
    interleaved.

    Args:
        request: {"runtime", "options", "item" (.npy of one test item with its batch axis),
            "variants": {id: path},
            "cold_repeats", "profile_runs" (0 for no profile), "protocol": fields of
            `lab.measure.rounds.Protocol`}.

    Returns:
        {"variants": {id: {"cold": [...], "profile": {...}, "turns": [...]} or {"error": {...}}},
        "conditions": {"before", "after"}}.
    """
    before = conditions()
    runtime = registry.runtime(request["runtime"])
    item = batch_of(np.load(request["item"]), batch_size(request["options"]))
    runtime.preload()
    answer: dict[str, Any] = {id_: {"cold": [], "turns": []} for id_ in request["variants"]}
    _measure_cold(runtime, request, item, answer)
    alive = {id_: path for id_, path in request["variants"].items() if "error" not in answer[id_]}
    for id_, path in alive.items() if runtime.profile and request["profile_runs"] else ():
        answer[id_]["profile"] = forked(
            partial(_profile, runtime, request, path, item), PROFILE_LIMIT_S, "profiling"
        )
    loads = {
        id_: partial(_call, runtime, request["options"], path, item) for id_, path in alive.items()
    }
    for id_, turns in time_rounds(loads, Protocol(**request["protocol"])).items():
        answer[id_] |= turns if isinstance(turns, dict) else {"turns": turns}
    return {"variants": answer, "conditions": {"before": before, "after": conditions()}}


def _profile(
    runtime: Runtime, request: Mapping[str, Any], path: str, item: Array
) -> dict[str, Any]:
    """In a child of its own, before anything else is loaded here: what profiles may slow down what
    it profiled.
    """
    profile = cast("Callable[..., Profile]", runtime.profile)
    return asdict(profile(path, request["options"], item, request["profile_runs"]))


def _measure_cold(
    runtime: Runtime, request: Mapping[str, Any], item: Array, answer: dict[str, Any]
) -> None:
    order = random.Random(request["protocol"]["seed"])
    for _ in range(request["cold_repeats"]):
        ids = [id_ for id_ in request["variants"] if "error" not in answer[id_]]
        order.shuffle(ids)
        for id_ in ids:
            found = cold_start(runtime, request["options"], request["variants"][id_], item)
            if (
                "error" not in found
                and not answer[id_]["cold"]
                and batch_size(request["options"]) > 1
            ):
                found |= forked(
                    partial(_check_batch, runtime, request, id_, item), PROFILE_LIMIT_S, "a batch"
                )
            if "error" in found:
                answer[id_]["error"] = found["error"]
            else:
                answer[id_]["cold"].append(found)


def _check_batch(
    runtime: Runtime, request: Mapping[str, Any], id_: str, item: Array
) -> dict[str, Any]:
    """{} where a batch is answered as its items are."""
    options, path = request["options"], request["variants"][id_]
    session = runtime.load(path, options)
    answers = session.run(session.prepare(fit_items(item, session.input.shape)))
    check_answers(runtime.load, path, options, item, answers)
    return {}


def _call(
    runtime: Runtime, options: Mapping[str, Any], path: str, item: Array
) -> Callable[[], Any]:
    session = runtime.load(path, options)
    return partial(session.run, session.prepare(fit_items(item, session.input.shape)))


if __name__ == "__main__":
    die_with_parent()
    source, destination = map(Path, sys.argv[1:])
    destination.write_text(json.dumps(measure(json.loads(source.read_text()))))
