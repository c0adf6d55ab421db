"""What the Pareto plot shows, compared whole; then that the figure draws it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab import registry
from lab.plots.pareto.figure import Axis, ParetoInfo, Point, pareto_figure, pareto_info
from lab.types import TrialDetails
from tests import fakes

BASE = fakes.trial("float32", 0.96, 300e3, 5e-4, baseline=True, spread=(0.01, 1e-5))
SMALL = fakes.trial("int8", 0.95, 100e3, 6e-4, position=1, runtime="litert", spread=(0.01, 1e-5))
WORSE = fakes.trial("int4", 0.90, 310e3, 7e-4, position=2)


def point(trial, role, runtime):
    m = trial.measurements
    x, y, size = m["latency_s"], m["top1_accuracy"], m["size_bytes"]
    return Point(
        trial.id, trial.name, runtime, runtime, role, trial.is_baseline, x, y, size, group=runtime
    )


def info_of(trials, **more):
    return pareto_info(trials, fakes.OBJECTIVES, fakes.METRICS, **more)


def test_info_whole():
    assert info_of([BASE, SMALL, WORSE, fakes.broken(3)]) == ParetoInfo(
        x=Axis("latency_s", "Latency (median)", "s", "minimize", 1e-3, "ms", log=True, ratio=True),
        y=Axis("top1_accuracy", "Top-1 accuracy", "1", "maximize", 0.01, "%"),
        size=Axis("size_bytes", "File size", "B", "minimize", 1e3, "kB", ratio=True),
        points=(
            point(BASE, "front", "ONNX Runtime"),
            point(SMALL, "front", "LiteRT (CPU)"),
            point(WORSE, "dominated", "ONNX Runtime"),
        ),
        line=((5e-4, 0.96),),
        band=((4.9e-4, 0.97), (5.1e-4, 0.95)),
        groups=tuple(sorted(runtime.title for runtime in registry.runtimes().values())),
    )


def test_the_band_lies_between_the_good_and_the_bad_ends_of_the_intervals():
    quick = fakes.trial("quick", 0.90, 100e3, 3e-4, position=1, spread=(0.02, 2e-5))
    worst = fakes.trial("worst", 0.80, 310e3, 9e-4, position=2, spread=(0.02, 2e-5))
    corners = [
        (2.8e-4, 0.92),
        (4.9e-4, 0.92),
        (4.9e-4, 0.97),
        (5.1e-4, 0.95),
        (5.1e-4, 0.88),
        (3.2e-4, 0.88),
    ]
    band = info_of([BASE, quick, worst]).band
    assert [x for corner in band for x in corner] == pytest.approx(
        [x for corner in corners for x in corner]
    )


def test_the_band_of_accuracy_is_that_of_the_same_items():
    change = fakes.measured_in("accuracy_change", -0.01, "1", 0.004)
    right = {"metric": "top1_accuracy", "n": 8, "bits": ""}
    paired = [
        replace(
            t,
            details=TrialDetails(correct=right),
            measurements={**t.measurements, "accuracy_change": change},
        )
        for t in (BASE, SMALL)
    ]
    alone = {p.trial: p.paired for p in info_of(paired).points}
    assert alone[BASE.id] == {"top1_accuracy": (0.0, 0.0)}
    assert alone[SMALL.id]["top1_accuracy"] == pytest.approx((0.004, 0.004))
    heights = [y for _, y in info_of(paired).band]
    assert heights == pytest.approx([0.96, 0.96])


def test_a_tie_with_the_front_is_neither_on_it_nor_plainly_beaten():
    info = info_of([BASE, SMALL, WORSE], tied=[WORSE.id, SMALL.id])
    assert [p.role for p in info.points] == ["front", "front", "tied"]


def test_axis_labels_name_unit_and_better_direction():
    info = info_of([BASE])
    assert info.x.label == "Latency (median) in ms, log scale   ← faster"
    assert info.y.label == "Top-1 accuracy in %   more accurate →"


def test_what_misses_a_limit_is_excluded_and_leaves_the_front():
    info = info_of(
        [BASE, SMALL, WORSE],
        feasible=[SMALL.id, WORSE.id],
        pick=SMALL.id,
        limits=[("latency_s", 7e-4)],
    )
    assert [p.role for p in info.points] == ["excluded", "front", "dominated"]
    assert info.line == ((6e-4, 0.95),)
    assert (info.pick, info.limits) == (SMALL.id, (("latency_s", 7e-4),))


def test_trials_of_another_environment_are_left_out_and_counted():
    other = fakes.trial("x", 0.99, 1e3, 1e-6, position=3, environment="env-2")
    info = info_of([BASE, SMALL, other])
    assert (len(info.points), info.left_out) == (2, 1)


def test_axes_can_be_chosen():
    info = info_of([BASE, SMALL], x="size_bytes", size=None)
    assert (info.x.metric, info.x.suffix, info.size) == ("size_bytes", "kB", None)
    assert info.line == ((100e3, 0.95), (300e3, 0.96))
    assert [m.metric for m in info.points[0].others] == ["latency_s"]


def test_axes_stay_as_results_come_in_so_that_a_zoom_keeps_its_meaning():
    slow = [fakes.trial(f"reference{i}", 0.9, 1e5, 15.0, position=5 + i) for i in range(5)]
    assert info_of([BASE, *slow]).x == info_of([BASE]).x


def test_an_axis_with_a_zero_cannot_be_logarithmic():
    assert not info_of([BASE, fakes.trial("x", 0.9, 1e5, 0.0, position=5)]).x.log


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_figure_holds_every_trial_once_with_its_id(mode):
    trials = fakes.trials(40)
    figure = pareto_figure(info_of(trials), mode)
    ids = [
        row[0] for trace in figure.data if trace.customdata is not None for row in trace.customdata
    ]
    assert sorted(ids) == sorted(t.id for t in trials if t.state == "complete")


def test_figure_of_nothing_is_a_figure():
    assert len(pareto_figure(info_of([])).data) == 1


def test_hover_names_the_trial_and_escapes_what_a_person_typed():
    odd = fakes.trial("<b>x", 0.9, 1e5, 5e-4, position=1)
    texts = [
        t
        for trace in pareto_figure(info_of([BASE, odd])).data
        for t in trace.text or ()
        if "int" in t or "&lt;" in t
    ]
    assert texts[0].startswith("<b>&lt;b&gt;x</b> on ONNX Runtime<br>Latency (median): 0.50 ms")


def test_marker_area_grows_with_size_and_runtimes_differ_in_colour_and_shape():
    figure = pareto_figure(info_of([BASE, SMALL, WORSE]))
    drawn = {
        trace.customdata[0][0]: trace.marker
        for trace in figure.data
        if trace.customdata is not None
    }
    assert drawn[SMALL.id].size[0] < drawn[BASE.id].size[0]
    assert drawn[SMALL.id].color != drawn[WORSE.id].color
    assert drawn[SMALL.id].symbol != drawn[WORSE.id].symbol


def test_the_pick_sits_at_its_point_on_a_log_axis_too():
    slow = fakes.trial("reference", 0.9, 1e5, 100e-3, position=5)
    figure = pareto_figure(info_of([BASE, SMALL, slow], pick=slow.id))
    assert figure.layout.annotations[0].x == pytest.approx(2.0)
