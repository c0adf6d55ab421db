"""Other machines in words."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from lab.plots.emulated import emulated_facts, emulated_rows, emulated_texts
from lab.plugs import Fact
from lab.types import TrialDetails
from tests import fakes

TRIAL = fakes.trial("static_wi8_ai8_per_channel", 0.619, 1e5, 4e-4)


def number(value: float, spread: float, source: str = "emulated") -> dict[str, Any]:
    return {
        "value": value,
        "unit": "1",
        "n": 1000,
        "low": value - spread,
        "high": value + spread,
        "source": source,
        "flags": [],
    }


def outcome(there: float = 0.585, same: float = 0.928, **changed: Any) -> dict[str, Any]:
    return {
        "title": "x86 CPU without VNNI",
        "place": "On an x86 CPU without VNNI",
        "because": "312 pairs of weights in 7 operators can saturate",
        "facts": [
            asdict(Fact("40 of 96 pairs of weights can saturate", "conv0", "QLinearConv", 40, 96))
        ],
        "measurements": {"agreement": number(same, 0.01), "top1_accuracy": number(there, 0.015)},
        "here": {"top1_accuracy": number(0.619, 0.015, "measured")},
        **changed,
    }


def told(**changed: Any) -> Any:
    return replace(TRIAL, details=TrialDetails(emulated={"x86_without_vnni": outcome(**changed)}))


def test_the_sentence_says_there_and_here_and_why():
    assert emulated_texts(told()) == [
        "On an x86 CPU without VNNI this file reaches an accuracy of 58.5 % (57.0–60.0 %, emulated"
        " on 1,000 items) instead of 61.9 %, and changes 7.2 % of the answers, because 312 pairs"
        " of weights in 7 operators can saturate."
    ]


def test_the_same_number_is_called_the_same():
    (text,) = emulated_texts(told(there=0.619, same=1.0))
    assert (
        "an accuracy of 61.9 % (60.4–63.4 %, emulated on 1,000 items) as it does here, and keeps"
        " all answers, although 312" in text
    )


def test_what_could_not_be_emulated_says_so():
    failed = asdict(Fact("It could not be emulated: no such operator."))
    trial = told(measurements={}, here={}, facts=[*outcome()["facts"], failed])
    assert emulated_texts(trial) == [
        "On an x86 CPU without VNNI this file may give other answers, because 312 pairs of weights"
        " in 7 operators can saturate. It could not be emulated: no such operator."
    ]
    assert emulated_rows(trial)[0]["there"] == "–"
    assert emulated_rows(trial)[0]["items"] == "–"
    assert emulated_facts(trial, "x86_without_vnni")[-1] == {
        "operator": "the file",
        "type": "",
        "what": failed["text"],
    }


def test_rows_whole():
    assert emulated_rows(told()) == [
        {
            "machine": "x86 CPU without VNNI",
            "there": "58.5 % (57.0–60.0 %)",
            "here": "61.9 % (60.4–63.4 %)",
            "same answers": "92.8 % (91.8–93.8 %)",
            "items": "1,000",
            "why": "312 pairs of weights in 7 operators can saturate",
        }
    ]
    assert emulated_facts(told(), "x86_without_vnni") == [
        {
            "operator": "conv0",
            "type": "QLinearConv",
            "what": "40 of 96 pairs of weights can saturate",
        }
    ]


def test_trials_without_a_word_about_it_have_none():
    for trial in (TRIAL, replace(TRIAL, details=TrialDetails(emulated={}))):
        assert (
            emulated_texts(trial)
            == emulated_rows(trial)
            == emulated_facts(trial, "x86_without_vnni")
            == []
        )
