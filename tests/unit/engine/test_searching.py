"""A searched study, with the real engine on a model that is swept in seconds."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.engine import searching
from lab.engine.cluster import Cluster
from lab.engine.study_run import StudyRun
from lab.errors import UsageError
from lab.store import records
from lab.types import ModelCard, Recipe, Step

QUICK: dict[str, Any] = {"targets": ["ort"], "rounds": 2, "runs": 5, "precision": 1.0}
SPACE: dict[str, Any] = {
    "onnx_dynamic_int8": {"per_channel": [False, True], "reduce_range": [False, True]},
    "onnx_fp16": {},
    "onnx_static_int8": {"per_channel": [False, True]},
}


def spec(**search: Any) -> Any:
    return lab.make_spec(
        "small", space=SPACE, **QUICK, search={"sampler": "random", "batch": 2, **search}
    )


def identities(study: str) -> list[str]:
    from lab.spec.recipes import identity

    return [identity(t.recipe, t.target) for t in lab.trials(study)]


@pytest.mark.slow
def test_a_search_runs_its_budget_and_starts_the_next_from_the_store(small_card: ModelCard) -> None:
    found = lab.wait(lab.start(spec(trials=5)))
    trials = lab.trials(found.id)
    assert found.state == "complete"
    assert [t.is_baseline for t in trials] == [True, False, False, False, False]
    assert [t.position for t in trials] == [0, 1, 2, 3, 4]
    assert {t.state for t in trials} == {"complete"}
    assert len(set(identities(found.id))) == 5
    assert all(t.details.ended_at for t in trials)

    cost = lab.estimate(spec(trials=2))
    assert (cost.trials, cost.cached) == (min(7, cost.grid), 5)
    second = lab.wait(lab.start(spec(trials=2, seed=1)))
    trials = lab.trials(second.id)
    known = [t for t in trials if t.cached]
    assert len(known) == 5, "what the store knew costs nothing"
    assert len(trials) == 7
    assert len(set(identities(second.id))) == 7
    assert lab.search_spent(second.id).trials == 2  # type: ignore[union-attr]
    assert lab.search_course(second.id).known == 5  # type: ignore[union-attr]

    lab.search_on(second.id, trials=3)
    lab.wait(second.id)
    assert len(lab.trials(second.id)) == 8
    with pytest.raises(UsageError, match="more than 3"):
        lab.search_on(second.id, trials=3)


@pytest.mark.slow
def test_a_search_without_the_store_counts_everything(small_card: ModelCard) -> None:
    lab.wait(lab.start(spec(trials=4)))
    again = lab.wait(lab.start(spec(trials=4, known=False)))
    assert len(lab.trials(again.id)) == 4
    assert {t.cached for t in lab.trials(again.id)} == {True}


@pytest.mark.slow
def test_a_stopped_search_goes_on_as_if_it_had_not(
    small_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two searches one is dropped whenever it has chosen a batch; what takes it up knows its
    rows and nothing else.
    """
    monkeypatch.setattr("lab.api._studies.ensure_engine", lambda: None)  # the engine is ours here
    whole, broken = (lab.start(spec(trials=7, sampler="ehvi", known=False)) for _ in range(2))
    cluster, drops = Cluster(), 0
    StudyRun(whole, cluster).run()
    while (run := StudyRun(broken, cluster))._pass() or run._search_on():
        drops += 1
        assert {t.state for t in lab.trials(broken)} == {"complete", "queued"}
    run._finish()
    cluster.close()
    assert drops == 3
    assert lab.study(whole).state == lab.study(broken).state == "complete"
    assert identities(whole) == identities(broken)
    assert len(identities(broken)) == 7


@pytest.mark.slow
def test_what_is_added_by_hand_is_not_tried_again(small_card: ModelCard) -> None:
    id_ = lab.start(spec(trials=100))
    lab.extend(id_, [Recipe((Step("onnx_fp16"),))])
    found = lab.wait(id_)
    assert found.state == "complete"
    assert len(identities(id_)) == len(set(identities(id_))) == lab.estimate(spec(trials=100)).grid


@pytest.mark.slow
def test_a_cancelled_search_stops_and_is_resumed(small_card: ModelCard) -> None:
    id_ = lab.start(spec(trials=100, batch=1))
    lab.cancel(id_)
    assert lab.wait(id_).state == "cancelled"
    lab.resume(id_)
    assert lab.wait(id_).state == "complete"
    assert len(set(identities(id_))) == len(identities(id_)) == lab.estimate(spec(trials=100)).grid


def test_minutes_end_a_search(small_card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.api._studies.ensure_engine", lambda: None)
    id_ = lab.start(spec(trials=100, minutes=1))
    trials, asked = lab.trials(id_), lab.study(id_).spec
    assert searching.left_to_spend(id_, asked, trials) == 99
    for start in (0.0, 1000.0):  # two spans of 31 s, an hour apart: 62 s of work
        records.add_job(
            study=id_,
            kind="build",
            key="k",
            label="",
            machine="m",
            started_at=start,
            finished_at=start + 31,
            outcome="complete",
        )
    assert searching.left_to_spend(id_, asked, trials) == 0


def test_before_it_runs_only_the_float_model_is_queued(
    small_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.api._studies.ensure_engine", lambda: None)
    id_ = lab.start(spec(trials=5))
    assert [t.is_baseline for t in lab.trials(id_)] == [True]
    assert lab.progress(id_).total == 5
