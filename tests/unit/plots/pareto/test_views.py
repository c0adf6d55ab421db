"""The other ways to draw a trade-off show the same trials, the better end where it is said to
be.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from lab.plots.pareto.figure import pareto_info, pareto_spec
from lab.plots.pareto.info import GROUPS, OTHERS, ParetoInfo
from lab.plots.pareto.multiples import multiples_spec
from lab.plots.pareto.parallel import MARKED, dimensions, parallel_spec
from lab.plots.pareto.solid import solid_spec
from lab.types import Recipe, Step
from tests import fakes

TRIALS = fakes.trials(30)
DONE = [t for t in TRIALS if t.state == "complete"]


def info(**more: object) -> ParetoInfo:
    return pareto_info(TRIALS, fakes.OBJECTIVES, fakes.METRICS, **more)  # type: ignore[arg-type]


def ids(spec: dict) -> list[str]:  # type: ignore[type-arg]
    return [row[0] for trace in spec["data"] for row in trace.get("customdata", ())]


@pytest.mark.parametrize("draw", [pareto_spec, solid_spec, multiples_spec])
@pytest.mark.parametrize(
    "more", [{}, {"tinted": True}, {"grouping": "method"}, {"feasible": [t.id for t in DONE[:5]]}]
)
def test_every_trial_is_drawn_once(draw, more) -> None:  # type: ignore[no-untyped-def]
    assert sorted(ids(draw(info(**more)))) == sorted(t.id for t in DONE)


def test_three_dimensions_need_three_numbers() -> None:
    with pytest.raises(ValueError, match="third number"):
        solid_spec(info(size=None))


def test_the_better_end_of_every_axis_is_up() -> None:
    for dimension, axis in zip(
        parallel_spec(info())["data"][0]["dimensions"],
        ("top1_accuracy", "size_bytes", "latency_s"),
        strict=True,
    ):
        worse, better = dimension["range"]
        assert (better > worse) is (fakes.METRICS[axis].direction == "maximize")


def test_sizes_and_times_are_laid_out_by_their_logarithm_and_named_in_their_unit() -> None:
    accuracy, size, latency = dimensions(info())
    best = min(t.measurements["size_bytes"].value for t in DONE)
    assert min(size.places) == pytest.approx(math.log10(best / 1e3))
    assert size.said[0] == f"{best / 1e3:.1f}"
    assert (accuracy.label, latency.label) == ("Top-1 accuracy, %", "Latency (median), ms")
    assert sorted(accuracy.places) == pytest.approx(
        sorted(100 * t.measurements["top1_accuracy"].value for t in DONE)
    )


def test_marked_lines_have_a_colour_of_their_own() -> None:
    line = parallel_spec(info(), marked={DONE[4].id, DONE[7].id})["data"][0]["line"]
    assert sum(level == 4 for level in line["color"]) == 2
    assert line["colorscale"][-1][1] == MARKED


def test_small_plots_share_their_axes() -> None:
    spec = multiples_spec(info())
    axes = {
        name: axis for name, axis in spec["layout"].items() if name.startswith(("xaxis", "yaxis"))
    }
    assert len(axes) == 2 * len({t.target.runtime for t in DONE})
    assert all(
        axis.get("matches") == name[0]
        for name, axis in axes.items()
        if name not in ("xaxis", "yaxis")
    )


def test_more_techniques_than_colours_are_others() -> None:
    steps = [
        "onnx_fp16",
        "onnx_fuse",
        "onnx_dynamic_int8",
        "onnx_static_int8",
        "tflite_fp16",
        "tflite_gptq",
        "tflite_oscar",
        "torch_low_rank",
        "torch_half",
    ]
    trials = [
        replace(DONE[n % len(DONE)], id=f"x{n}", recipe=Recipe((Step(steps[n % len(steps)]),)))
        for n in range(40)
    ]
    found = pareto_info(trials, fakes.OBJECTIVES, fakes.METRICS, grouping="method")
    assert len(found.groups) <= GROUPS
    assert OTHERS in found.groups


def test_names_cannot_bring_tags() -> None:
    odd = [replace(t, name="<script>x</script>", recipe=Recipe((Step("gone"),))) for t in DONE]
    found = pareto_info(odd, fakes.OBJECTIVES, fakes.METRICS, grouping="method")
    for draw in (pareto_spec, solid_spec, multiples_spec):
        assert "<script" not in str(draw(found))
