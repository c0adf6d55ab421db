"""A study as one JSON value: what `--json` writes and what other programs read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lab.analysis.differences import against_baselines
from lab.analysis.front import front
from lab.analysis.ties import ties
from lab.measure.environment import fingerprint
from lab.plots.differences import differences_json
from lab.questions.reasons import explain_all
from lab.store import records


def result_json(study_id: str) -> dict[str, Any]:
    """Study, environments, trials with what they differ from float and why they are not faster or
    smaller, front and tie band.

    Raises:
        UnknownId: there is no such study.
    """
    study, trials = records.study(study_id), records.trials(study_id)
    ids = sorted({t.environment for t in trials if t.environment})
    findings = explain_all(trials)
    changes = against_baselines(trials, [o.metric for o in study.spec.objectives])
    environments = {id_: records.environment(id_) for id_ in ids}
    return {
        "study": {
            "id": study.id,
            "model": study.model,
            "state": study.state,
            "title": study.title,
            "created_at": study.created_at,
            "finished_at": study.finished_at,
            "error": study.error,
            "spec": study.spec.to_json(),
        },
        "environment": environments[ids[-1]] if ids else fingerprint(),
        "environments": environments,
        "measuring_s": records.measuring_seconds(study_id),
        "trials": [
            {
                **t.to_json(),
                "differences": differences_json(changes.get(t.id, {})),
                "explanations": [asdict(f) for f in findings[t.id]],
            }
            for t in trials
        ],
        "front": list(front(trials, study.spec.objectives)),
        "ties": ties(trials, study.spec.objectives),
    }
