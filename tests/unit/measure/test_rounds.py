"""Interleaved rounds, with calls and a clock that the test controls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from lab.measure import rounds
from lab.measure.rounds import WARM_UP_RUNS, time_rounds


class Clock:
    """Wall and CPU seconds of a made-up process; `share` is how much of the wall time it computes."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.share: Callable[[], float] = lambda: 1.0

    def call(self, seconds: float, log: list[str], name: str) -> Callable[[], None]:
        """A call that takes so many seconds."""

        def run() -> None:
            log.append(name)
            self.wall += seconds
            self.cpu += seconds * self.share()

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(rounds.time, "perf_counter", lambda: made.wall)
    monkeypatch.setattr(rounds.time, "process_time", lambda: made.cpu)
    return made


def turns_of(log: list[str], runs: int) -> list[str]:
    """Who had each turn, in order: the probing calls left out."""
    whole = log[5 * len(set(log)) :]
    return whole[:: runs + WARM_UP_RUNS]


def test_every_variant_takes_one_turn_a_round_in_shuffled_order(clock: Clock) -> None:
    log: list[str] = []
    calls = {name: clock.call(0.001, log, name) for name in "abc"}
    found = time_rounds(calls, rounds=8, runs=4, turn_s=1.0, threads=1, seed=3)
    turns = turns_of(log, 4)
    in_rounds = [turns[i : i + 3] for i in range(0, 24, 3)]
    assert all(sorted(r) == ["a", "b", "c"] for r in in_rounds)
    assert len({tuple(r) for r in in_rounds}) > 2
    assert {name: len(r) for name, r in found.items()} == {"a": 8, "b": 8, "c": 8}
    assert found["a"][0]["samples"] == pytest.approx([0.001] * 4)
    assert len(found["a"][0]["warmup"]) == WARM_UP_RUNS


def test_the_order_is_the_seeds(clock: Clock) -> None:
    logs: list[list[str]] = [[], [], []]
    for log, seed in zip(logs, (1, 1, 2), strict=True):
        time_rounds({n: clock.call(0.001, log, n) for n in "abcd"}, 6, 3, 1.0, 1, seed)
    assert logs[0] == logs[1] != logs[2]


@pytest.mark.parametrize(
    ("call_s", "runs", "turn_s", "expected"),
    [(0.001, 50, 0.0155, 15), (0.001, 10, 0.015, 10), (1.0, 50, 0.015, 3), (1.0, 2, 0.015, 2), (0.0, 50, 0.015, 50)],
)
def test_runs_of_a_turn(clock: Clock, call_s: float, runs: int, turn_s: float, expected: int) -> None:
    """As many as fit the turn, at least three, never more than asked for."""
    call = clock.call(call_s, [], "a")

    def tick() -> None:
        call()
        clock.wall += 1e-12
        clock.cpu += 1e-12

    found = time_rounds({"a": tick}, 2, runs, turn_s, 1, 0)
    assert {len(r["samples"]) for r in found["a"]} == {expected}


def test_a_contended_turn_is_marked_kept_and_repeated(clock: Clock) -> None:
    log: list[str] = []
    calls = {name: clock.call(0.001, log, name) for name in "ab"}
    turn = 4 + WARM_UP_RUNS
    disturbed = range(10 + 2 * turn, 10 + 3 * turn)  # the third turn of all
    clock.share = lambda: 0.5 if len(log) - 1 in disturbed else 1.0
    found = time_rounds(calls, 5, 4, 1.0, 1, 0)
    victim = turns_of(log, 4)[2]
    (other,) = {"a", "b"} - {victim}
    assert [sum(r["contended"] for r in found[n]) for n in (victim, other)] == [1, 0]
    assert [len(found[n]) for n in (victim, other)] == [6, 5]
    assert next(r["cpu_ratio"] for r in found[victim] if r["contended"]) == pytest.approx(0.5)


def test_repeating_ends_where_the_machine_never_calms_down(clock: Clock) -> None:
    clock.share = lambda: 0.5
    found = time_rounds({"a": clock.call(0.001, [], "a")}, 4, 3, 1.0, 1, 0)
    assert len(found["a"]) == 8
    assert all(r["contended"] for r in found["a"])


@pytest.mark.parametrize(
    ("threads", "usual", "low", "marked"), [(2, 1.9, 1.2, True), (2, 1.0, 0.99, False), (2, 0.6, 0.6, False)]
)
def test_with_threads_a_turn_is_set_against_the_best_one(
    clock: Clock, threads: int, usual: float, low: float, marked: bool
) -> None:
    log: list[str] = []
    clock.share = lambda: low if 12 <= len(log) <= 17 else usual
    found = time_rounds({"a": clock.call(0.001, log, "a")}, 4, 3, 1.0, threads, 0)
    assert any(r["contended"] for r in found["a"]) is marked


def test_real_time_is_seconds() -> None:
    found: dict[str, Any] = time_rounds({"a": lambda: time.sleep(0.002)}, 2, 3, 1.0, 1, 0)
    assert all(0.002 <= s < 0.05 for r in found["a"] for s in r["samples"])
