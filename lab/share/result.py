"""A study as one JSON value: what `--json` writes and what other programs read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lab.analysis.front import front
from lab.explaining import explain_all
from lab.measure.environment import fingerprint
from lab.store import records


def result_json(study_id: str) -> dict[str, Any]:
    """Study, environments, trials with why they are not faster or smaller, and front.

    Raises:
        UnknownId: there is no such study.
    """
    study, trials = records.study(study_id), records.trials(study_id)
    ids = sorted({t.environment for t in trials if t.environment})
    found = explain_all(trials)
    environments = {id_: records.environment(id_) for id_ in ids}
    return {
        "study": {"id": study.id, "model": study.model, "state": study.state, "title": study.title, "created_at": study.created_at,
                  "finished_at": study.finished_at, "error": study.error, "spec": study.spec.to_json()},
        "environment": environments[ids[-1]] if ids else fingerprint(),
        "environments": environments,
        "trials": [{**t.to_json(), "explanations": [asdict(f) for f in found[t.id]]} for t in trials],
        "front": list(front(trials, study.spec.objectives)),
    }  # fmt: skip
