"""What is said of how a latency was measured."""

from __future__ import annotations

from lab.plots.latency import conditions_text, latency_info, quality_text

TIMING = {
    "rounds": list(range(15)),
    "turns": 34,
    "seconds": 0.512,
    "half_width": 0.0062,
    "disturbed": {},
}


def test_quality_says_what_was_reached_and_what_was_asked_for() -> None:
    assert (
        quality_text(TIMING, 0.02, 3.0)
        == "The median is known to ±0.62 % after 15 rounds, each with a freshly loaded model (34"
        " turns, 0.51 s of runs; none disturbed). Requested: ±2 %, or 3 s per variant."
    )
    disturbed = {**TIMING, "disturbed": {"slow processor": 3, "shared CPU": 1}, "half_width": None}
    text = quality_text(disturbed, 0.02, 3.0)
    assert "no interval" in text
    assert "disturbed: 3 by a slow processor, 1 by a shared CPU" in text


def test_conditions_tell_what_can_be_read_and_what_cannot() -> None:
    known = {
        "load": 0.5,
        "clock_hz": [1.8e9, 2.4e9],
        "governor": "ondemand",
        "temperature_c": 61.5,
        "throttled": 3,
    }
    assert (
        conditions_text({"before": known, "after": {**known, "throttled": 5, "load": 1.25}})
        == "While measuring: load 0.5 before and 1.2 after, clock 1.8 GHz, governor ondemand, 62"
        " °C, throttled 2 times."
    )
    bare = {
        "load": 0.5,
        "clock_hz": None,
        "governor": None,
        "temperature_c": None,
        "throttled": None,
    }
    assert conditions_text({"before": bare, "after": bare}).endswith(
        "clock and temperature cannot be read here."
    )
    assert conditions_text({}) == ""


def test_turns_of_a_round_are_told_apart_from_rounds() -> None:
    turns = [
        {"round": n // 2, "samples": [1e-3] * 5, "warmup": [2e-3], "contended": n == 3}
        for n in range(6)
    ]
    assert (
        latency_info(turns).note
        == "30 timed runs in 6 turns of 3 rounds; 6 warm-up runs not counted; disturbed and left"
        " out: 1 turn"
    )
    assert latency_info(turns).starts == (0, 12, 24)
