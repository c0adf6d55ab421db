"""Interleaved rounds, with calls and a clock that the test controls."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.measure import gate, rounds
from lab.measure.rounds import TURNS, WARM_UP_RUNS, Protocol


class Clock:
    """Wall and CPU seconds of a made-up process; `share` is how much of the wall time it
    computes.
    """

    def __init__(self) -> None:
        self.wall = self.cpu = self.waited = 0.0
        self.pace: Callable[[], float] = lambda: 2e-4
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
    monkeypatch.setattr(gate, "waited_s", lambda: made.waited)
    monkeypatch.setattr(gate, "pace_s", lambda: made.pace())
    return made


def time_rounds(calls: dict[str, Callable[[], Any]], protocol: Protocol) -> dict[str, Any]:
    """In this process, whose clock the test controls; a variant that is loaded gives its call."""
    loads = {name: lambda call=call: call for name, call in calls.items()}
    return rounds.time_rounds(loads, protocol, lambda work, *_: work())


def protocol(
    rounds: int, runs: int, turn_s: float = 1.0, threads: int = 1, seed: int = 0, **more: Any
) -> Protocol:
    return Protocol(rounds, runs, turn_s, threads=threads, seed=seed, **more)


def turns_of(log: list[str], runs: int) -> list[str]:
    """Who had each turn, in order: the probing calls of the first round are left out."""
    return log[5 * len(set(log)) :][:: runs + WARM_UP_RUNS]


def test_every_variant_takes_its_turns_in_each_round_in_shuffled_order(clock: Clock) -> None:
    log: list[str] = []
    calls = {name: clock.call(0.001, log, name) for name in "abc"}
    found = time_rounds(calls, protocol(8, 4, seed=3))
    turns = turns_of(log, 4)
    once_each = [turns[i : i + 3] for i in range(0, 24 * TURNS, 3)]
    assert all(sorted(r) == ["a", "b", "c"] for r in once_each)
    assert len({tuple(r) for r in once_each}) > 2
    assert {name: [t["round"] for t in r] for name, r in found.items()} == {
        name: [n for n in range(8) for _ in range(TURNS)] for name in "abc"
    }
    assert found["a"][0]["samples"] == pytest.approx([0.001] * 4)
    assert len(found["a"][0]["warmup"]) == WARM_UP_RUNS


def test_the_order_is_the_seeds(clock: Clock) -> None:
    logs: list[list[str]] = [[], [], []]
    for log, seed in zip(logs, (1, 1, 2), strict=True):
        time_rounds({n: clock.call(0.001, log, n) for n in "abcd"}, protocol(6, 4, seed=seed))
    assert logs[0] == logs[1] != logs[2]


@pytest.mark.parametrize(
    ("call_s", "runs", "turn_s", "expected"),
    [
        (0.001, 50, 0.0155, 15),
        (0.001, 10, 0.015, 10),
        (1.0, 50, 0.015, 3),
        (1.0, 2, 0.015, 2),
        (0.0, 50, 0.015, 50),
    ],
)
def test_runs_of_a_turn(
    clock: Clock, call_s: float, runs: int, turn_s: float, expected: int
) -> None:
    """As many as fit the turn, at least three, never more than asked for."""
    call = clock.call(call_s, [], "a")

    def tick() -> None:
        call()
        clock.wall += 1e-9
        clock.cpu += 1e-9

    found = time_rounds({"a": tick}, protocol(2, runs, turn_s))
    assert {len(r["samples"]) for r in found["a"]} == {expected}


def test_a_contended_turn_is_marked_kept_and_repeated(clock: Clock) -> None:
    log: list[str] = []
    calls = {name: clock.call(0.001, log, name) for name in "ab"}
    turn = 4 + WARM_UP_RUNS
    disturbed = range(10 + 2 * turn, 10 + 3 * turn)  # the third turn of all
    clock.share = lambda: 0.5 if len(log) - 1 in disturbed else 1.0
    found = time_rounds(calls, protocol(5, 4))
    victim = turns_of(log, 4)[2]
    (other,) = {"a", "b"} - {victim}
    assert [sum(r["contended"] for r in found[n]) for n in (victim, other)] == [1, 0]
    assert [len(found[n]) // TURNS for n in (victim, other)] == [
        5,
        5,
    ]  # its other turn of that round is clean
    assert next(r["cpu_ratio"] for r in found[victim] if r["contended"]) == pytest.approx(0.5)


def test_repeating_ends_where_the_machine_never_calms_down(clock: Clock) -> None:
    clock.share = lambda: 0.5
    found = time_rounds({"a": clock.call(0.001, [], "a")}, protocol(5, 4))
    assert len(found["a"]) == 15 * TURNS
    assert all(r["contended"] for r in found["a"])


@pytest.mark.parametrize(
    ("threads", "usual", "low", "marked"),
    [(2, 1.9, 1.2, True), (2, 1.0, 0.99, False), (2, 0.6, 0.6, False)],
)
def test_with_threads_a_turn_is_set_against_the_best_one(
    clock: Clock, threads: int, usual: float, low: float, marked: bool
) -> None:
    log: list[str] = []
    clock.share = lambda: low if 12 <= len(log) <= 19 else usual
    found = time_rounds({"a": clock.call(0.001, log, "a")}, protocol(4, 4, threads=threads))
    assert any(r["contended"] for r in found["a"]) is marked


def test_real_time_is_seconds() -> None:
    found: dict[str, Any] = time_rounds({"a": lambda: time.sleep(0.002)}, protocol(2, 3))
    assert all(0.002 <= s < 0.05 for r in found["a"] for s in r["samples"])


def test_a_slow_call_is_warmed_up_once(clock: Clock) -> None:
    found = time_rounds({"a": clock.call(1.0, [], "a")}, protocol(2, 50, 0.015))
    assert {(len(r["warmup"]), len(r["samples"])) for r in found["a"]} == {(1, 3)}


def test_rounds_go_on_until_the_interval_is_narrow(clock: Clock) -> None:
    """Two speeds that take turns: the interval narrows with the number of rounds, and one variant
    alone goes on.
    """
    log: list[str] = []

    def uneven() -> None:
        log.append("b")
        seconds = 0.001 if ((len(log) - 6) // 14) % 2 else 0.0011
        clock.wall += seconds
        clock.cpu += seconds

    found = time_rounds(
        {"a": clock.call(0.001, [], "a"), "b": uneven}, protocol(5, 4, precision=0.02, budget_s=1e9)
    )
    assert [len(found[n]) // TURNS for n in "ab"] == [5, 15]
    assert sorted({r["round"] for r in found["b"]}) == list(range(15))


def test_a_budget_that_is_gone_ends_the_rounds(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds.time, "monotonic", lambda: clock.wall)
    found = time_rounds({"a": clock.call(1.0, [], "a")}, protocol(100, 3, budget_s=1.0))
    assert len(found["a"]) == rounds.BLOCK * TURNS


@pytest.mark.parametrize(
    ("threads", "cores", "marked"), [(1, 2, True), (2, 2, True), (3, 2, False)]
)
def test_waiting_for_a_cpu_marks_a_turn_unless_its_own_threads_wait(
    threads: int, cores: int, marked: bool
) -> None:
    quiet = {"cpu_ratio": 1.0, "waiting": 0.0, "pace_s": 1.0}
    found = gate.disturbances(
        [quiet, {**quiet, "waiting": 0.3}, {**quiet, "waiting": None}], threads, cores
    )
    assert found == ["", "shared CPU" if marked else "", ""]


def test_a_slower_pace_marks_a_turn() -> None:
    turns = [{"cpu_ratio": 1.0, "waiting": 0.0, "pace_s": p} for p in (1.0, 1.02, 1.1, 1.2, 1.6)]
    assert gate.disturbances(turns, 1, 2) == ["", "", "", "", "slow processor"]


def test_a_disturbed_pace_is_seen_and_repeated(clock: Clock) -> None:
    calls = iter(range(10**6))
    clock.pace = lambda: 3e-4 if next(calls) in (4, 5, 6, 7) else 2e-4
    found = time_rounds({"a": clock.call(0.001, [], "a")}, protocol(5, 4))
    assert [r["disturbed"] for r in found["a"]] == ["", "", *["slow processor"] * 2, *[""] * 16]


def test_pressure_is_read_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "cpu").write_text(
        "some avg10=0.00 avg60=0.25 avg300=6.64 total=5029981\nfull avg10=0.00 avg60=0.00"
        " avg300=0.00 total=0\n"
    )
    assert gate.waited_s(tmp_path / "cpu") == pytest.approx(5.029981)
    assert gate.waited_s(tmp_path / "none") is None


def test_each_round_loads_every_variant_anew_in_a_process_of_its_own() -> None:
    loaded: list[str] = []

    def load(name: str) -> Callable[[], Any]:
        loaded.append(name)
        return lambda: time.sleep(1e-4)

    found = rounds.time_rounds({n: partial(load, n) for n in "ab"}, protocol(3, 3, precision=1.0))
    assert loaded == []  # in this process
    assert all(len(turns) >= 3 * TURNS for turns in found.values())
    together = partial(rounds.time_rounds, {n: partial(load, n) for n in "ab"})
    together(protocol(3, 3, precision=1.0, afresh=False), lambda work, *_: work())
    once = len(loaded)
    together(protocol(3, 3, precision=1.0), lambda work, *_: work())
    assert loaded[:2] in (["a", "b"], ["b", "a"])
    assert len(loaded) - once >= 3 * once


def test_a_variant_that_crashes_while_it_is_timed_costs_no_other() -> None:
    def crash() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    found = rounds.time_rounds(
        {"a": lambda: lambda: None, "b": lambda: crash}, protocol(2, 3, precision=1.0)
    )
    assert found["b"]["error"]["type"] == "JobCrashed"
    assert len(found["a"]) >= 2 * TURNS
