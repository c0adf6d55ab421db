"""Tables say the same as the plot."""

from __future__ import annotations

from dataclasses import replace

from lab.plots.table import numbers_info, ordered_metrics, remarks, trials_info
from tests import fakes

BASE = fakes.trial("float32", 0.96, 390e3, 5e-4, baseline=True, spread=(0.013, 1e-5))
INT8 = fakes.trial("int8", 0.955, 100e3, 6e-4, position=1, spread=(0.013, 1e-5))


def test_trials_whole():
    info = trials_info([BASE, INT8, fakes.broken(2)], fakes.METRICS, {INT8.id}, ())
    first = info.frame.iloc[:, :7].to_dict("records")
    assert first[1] == {
        "Trial": "int8",
        "Runs on": "ONNX Runtime",
        "State": "done",
        "Front": "★",
        "Top-1 accuracy, %": 95.5,
        "File size, kB": 100.0,
        "Latency (median), ms": 0.6,
    }
    assert info.ids == (BASE.id, INT8.id, fakes.broken(2).id)
    assert info.formats["Top-1 accuracy, %"] == "%.1f"
    assert info.frame["Problem"].tolist() == [
        "",
        "",
        "The runtime refused the file. Try per-channel weights.",
    ]


def test_nothing_measured_yet_is_a_table_of_states():
    waiting = replace(INT8, state="queued", measurements={})
    assert list(trials_info([waiting], fakes.METRICS, set(), ()).frame) == [
        "Trial",
        "Runs on",
        "State",
        "Front",
    ]


def test_numbers_of_a_trial_against_its_baseline():
    rows = numbers_info(INT8, BASE, fakes.METRICS).set_index("Metric").to_dict("index")
    assert rows["Top-1 accuracy"] == {
        "Value": "95.5 %",
        "95 % interval": "94.2–96.8 %",
        "n": 597,
        "Against float": "0.5 points lower (a tie)",
    }
    assert rows["File size"] == {
        "Value": "100 kB",
        "95 % interval": "exact",
        "n": 1,
        "Against float": "3.90× smaller",
    }
    assert rows["Agreement with float"]["Against float"] == ""


def test_a_baseline_is_not_compared_with_itself():
    assert "Against float" not in numbers_info(BASE, BASE, fakes.METRICS)


def test_flags_and_sources_are_said_in_words():
    disturbed = replace(fakes.measured("latency_s", 1e-3), flags=("contended",), source="estimated")
    assert remarks(disturbed) == "measured while other work was running, estimated"
    flagged = replace(INT8, measurements={"latency_s": disturbed})
    assert "Remarks" in numbers_info(flagged, None, fakes.METRICS)


def test_the_usual_objectives_come_first_and_unknown_metrics_last():
    odd = replace(
        INT8, measurements={**INT8.measurements, "energy_j": fakes.measured("size_bytes", 1.0)}
    )
    order = ordered_metrics([odd], fakes.METRICS)
    assert order[:3] == ["top1_accuracy", "size_bytes", "latency_s"]
    assert order[-1] == "energy_j"
