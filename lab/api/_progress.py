"""Progress of a study."""

from __future__ import annotations

from dataclasses import dataclass

from lab.engine import searching
from lab.store import records
from lab.types import FINISHED


@dataclass(frozen=True)
class Progress:
    """Progress of a study; `seconds_left` is None before anything is known, `queue_position` 0 when
    it runs.
    """

    done: int
    total: int
    failed: int
    stage: str
    seconds_left: float | None
    queue_position: int


def progress(study_id: str) -> Progress:
    """Return the progress of a study."""
    row, counts = records.study_row(study_id), records.counts(study_id)
    done = sum(counts.get(state, 0) for state in FINISHED)
    ahead = [s.id for s in reversed(records.studies(("queued", "running")))]
    position = ahead.index(study_id) if row.state == "queued" and study_id in ahead else 0
    total, seconds_left = sum(counts.values()), row.seconds_left
    if row.spec.get("search") and row.state not in FINISHED:
        total, seconds_left = searching.outlook(study_id, total, seconds_left)
    return Progress(done, total, counts.get("failed", 0), row.stage, seconds_left, position)
