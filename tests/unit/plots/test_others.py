"""Latency and example figures, themes, sentences."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.analysis.pick import Limit, pick
from lab.plots import theme, words
from lab.plots.latency import LatencyInfo, latency_figure, latency_info
from lab.plots.pareto.figure import pareto_info, pareto_spec
from tests import fakes

ROUNDS = [
    {"samples": [4e-4, 5e-4], "warmup": [9e-4], "contended": False, "cpu_ratio": 0.98},
    {"samples": [8e-4], "warmup": [], "contended": True, "cpu_ratio": 0.5},
]


def test_latency_info_whole():
    latency = fakes.measured("latency_s", 4.5e-4, 0.5e-4)
    info = latency_info(ROUNDS, latency)
    assert info == LatencyInfo(
        calm=((1, pytest.approx(0.4)), (2, pytest.approx(0.5))),
        contended=((3, pytest.approx(0.8)),),
        warmup=((0, pytest.approx(0.9)),),
        starts=(0, 3),
        suffix="ms",
        median=pytest.approx(0.45),
        low=pytest.approx(0.4),
        high=pytest.approx(0.5),
        note="3 timed runs in 2 rounds; 1 warm-up run not counted; disturbed and left out: 1 round",
    )


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_latency_figure_draws_each_kind(mode):
    names = [trace.name for trace in latency_figure(latency_info(ROUNDS), mode).data]
    assert names == ["timed runs", "disturbed, left out", "warm-up, not counted"]
    assert len(latency_figure(latency_info([]), mode).data) == 0


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_and_the_first_markers_stand_out(mode):
    ink = theme.INKS[mode]
    assert contrast(ink.text, ink.ground) > 7
    assert contrast(ink.muted, ink.ground) > 4.5
    assert all(contrast(s.color, ink.ground) >= 2.9 for s in theme.styles("abcd", mode).values())


def test_a_name_keeps_its_style_whatever_else_is_drawn_twice():
    assert theme.styles(["b", "a", "b"]) == theme.styles(["a", "b"])


BASE = fakes.trial("float32", 0.96, 390e3, 5e-4, baseline=True, spread=(0.013, 1e-5))
INT8 = fakes.trial("static_wi8_ai8", 0.955, 100e3, 6e-4, position=1, spread=(0.013, 1e-5))


def reason(trials, limits=(), goal=None):
    found = pick(trials, fakes.OBJECTIVES, limits, goal and fakes.objective(goal))
    return words.pick_reason(found, {t.id: t for t in trials}, fakes.OBJECTIVES, limits)


def test_reason_says_the_rule_and_the_trade():
    assert (
        reason([BASE, INT8])
        == "Smallest within 1 point of the float baseline; 0.5 points less accurate (within the"
        " noise), 3.90× smaller, 1.20× slower."
    )


def test_reason_mentions_limits_and_ties():
    rival = fakes.trial(
        "dynamic_wi8", 0.958, 120e3, 6.05e-4, position=2, runtime="litert", spread=(0.013, 1e-5)
    )
    text = reason([BASE, INT8, rival], [Limit("size_bytes", "at_most", 2e5)], "latency_s")
    assert text.startswith("Fastest within 1 point of the float baseline that meets all limits")
    assert text.endswith("a tie with dynamic_wi8 on LiteRT (CPU): the difference may be chance.")


def test_reason_when_accuracy_decides():
    bad = fakes.trial("int4", 0.80, 50e3, 6e-4, position=1)
    text = reason([BASE, bad], [Limit("size_bytes", "at_most", 2e5)])
    assert text.startswith(
        "Most accurate of those that meet all limits, since none stays within 1 point"
    )


def test_reason_when_the_baseline_wins():
    assert "it is the float baseline itself" in reason([BASE])


def test_reason_when_nothing_is_left_says_what_to_loosen():
    limits = [Limit("size_bytes", "at_most", 5e4), Limit("top1_accuracy", "max_drop", 0.02)]
    assert (
        reason([BASE, INT8], limits)
        == "No trial meets all limits. Loosen one: size at most 100 kB (static_wi8_ai8 on ONNX"
        " Runtime)."
    )
    assert "Loosen more than one" in reason([BASE], [*limits, Limit("latency_s", "at_most", 1e-6)])
    assert reason([]).startswith("No trial has finished yet")


def test_a_tie_of_exact_numbers_is_not_called_chance():
    a, b = (
        fakes.trial(n, 0.96, size, latency, position=i, baseline=n == "a")
        for i, (n, size, latency) in enumerate([("a", 100e3, 3e-4), ("b", 100.5e3, 2e-4)])
    )
    found = pick([a, b], fakes.OBJECTIVES, goal=fakes.objective("size_bytes"))
    assert found.ties == (b.id,)
    text = words.pick_reason(found, {t.id: t for t in (a, b)}, fakes.OBJECTIVES, ())
    assert text.endswith("a tie with b on ONNX Runtime: less than 1 % apart.")


def test_unknown_metrics_have_words_too():
    assert words.plain("heat_k") == "heat k"
    assert words.superlative(fakes.OBJECTIVES[0]) == "most accurate"


def test_importing_plots_and_analysis_loads_no_plotly_and_no_streamlit():
    heavy = ["plotly", "streamlit", "torch", "tensorflow", "onnxruntime"]
    ours = (
        "lab.plots.pareto.figure, lab.plots.latency, lab.plots.examples, lab.plots.architectures,"
        " lab.plots.layers, lab.plots.words, lab.analysis.pick"
    )
    code = f"import sys, {ours}; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).parents[3]
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=root, capture_output=True, text=True
        ).stdout.strip()
        == "[]"
    )


@pytest.mark.parametrize("count", [30, 500])
def test_recoloured_light_figures_are_the_dark_ones(count):
    info = pareto_info(fakes.trials(count), fakes.OBJECTIVES, fakes.METRICS)
    light, dark = (json.dumps(pareto_spec(info, mode)) for mode in ("light", "dark"))
    for old, new in theme.dark_for_light().items():
        light = light.replace(old, new)
    assert light == dark
