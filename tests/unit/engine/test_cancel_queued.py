"""A study that waits can be cancelled without waiting for its turn."""

import lab
from lab.store import records


def test_a_queued_study_ends_at_once(small_card, monkeypatch):
    monkeypatch.setattr("lab.api._studies.ensure_engine", lambda: None)
    waiting = lab.start(lab.make_spec("small", space={}), title="x" * 300)
    other = lab.start(lab.make_spec("small", space={}))
    lab.cancel(waiting)
    records.cancel_queued()
    assert lab.study(waiting).state == "cancelled"
    assert {t.state for t in lab.trials(waiting)} == {"cancelled"}
    assert lab.study(other).state == "queued"
    assert len(lab.study(waiting).title) == 200
