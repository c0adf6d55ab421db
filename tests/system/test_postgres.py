"""A whole sweep on PostgreSQL."""

from __future__ import annotations

import pytest

import lab
from lab.engine.host import stop_engines
from lab.types import ModelCard
from tests.postgres import empty_database, server  # noqa: F401

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.mark.usefixtures("empty_database")
class TestPostgres:
    """Its queue, its locks and its JSON."""

    def test_a_sweep(self, small_card: ModelCard) -> None:
        spec = lab.make_spec("small", targets=["ort"], rounds=2, runs=5)
        study = lab.wait(lab.start(spec))
        assert study.state == "complete"
        assert {t.state for t in lab.trials(study.id)} == {"complete"}
        assert lab.front(study.id)

    def test_an_engine_that_stops_lets_the_next_one_in(self, small_card: ModelCard) -> None:
        for seed in (1, 2):
            spec = lab.make_spec("small", space={}, targets=["ort"], rounds=2, runs=5, seed=seed)
            assert lab.wait(lab.start(spec)).state == "complete"
            stop_engines()
