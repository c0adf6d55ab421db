"""On which targets a scaling study measures."""

from __future__ import annotations

import pytest

from lab.errors import InvalidOption
from lab.questions.scaling import powers, same_targets, scaling_spec
from lab.spec.plan import plan
from lab.types import InputSpec, ModelCard, Recipe, Step, StudySpec, Target, Trial

CARD = ModelCard("m", "M", "classification", "f", "onnx", "m.onnx", InputSpec((4,)), "d")
SPEC = StudySpec("m", space={"onnx_fp16": {}}, targets=(Target("litert"),), preset="full", rounds=7)


def trial(**options: object) -> Trial:
    recipe = Recipe((Step("onnx_static_int8", {}),))
    return Trial(
        "s-0003",
        "s",
        3,
        "int8",
        recipe,
        Target("ort", {"threads": 1, "graph_optimization": "disabled", **options}),
    )


@pytest.mark.parametrize(
    ("cores", "expected"),
    [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (12, (1, 2, 4, 8, 12))],
)
def test_powers_of_two_up_to_the_cores_and_the_cores(cores: int, expected: tuple[int, ...]) -> None:
    assert powers(cores) == expected


def test_one_thing_at_a_time_and_every_other_option_as_the_trial_has_it() -> None:
    spec = scaling_spec(trial(threads=2), SPEC, 4, None, (1, 8))
    assert {t.options["graph_optimization"] for t in spec.targets} == {"disabled"}
    assert [(t.options["threads"], t.options["batch"]) for t in spec.targets] == [
        (1, 1),
        (2, 1),
        (4, 1),
        (2, 8),
    ]
    assert spec.about == {"kind": "scaling", "study": "s", "trial": "s-0003", "threads": 2}
    assert (spec.rounds, spec.space, spec.preset, spec.further_targets) == (7, {}, None, ())


def test_one_is_always_measured_and_nothing_twice() -> None:
    spec = scaling_spec(trial(), SPEC, 1, (2, 2), (4,))
    assert [(t.options["threads"], t.options["batch"]) for t in spec.targets] == [
        (1, 1),
        (2, 1),
        (1, 4),
    ]


def test_a_number_that_the_runtime_does_not_take_is_refused() -> None:
    with pytest.raises(InvalidOption, match="batch"):
        scaling_spec(trial(), SPEC, 1, None, (0,))
    with pytest.raises(InvalidOption, match="threads"):
        scaling_spec(trial(), SPEC, 1, (1000,), None)


def test_the_float_baseline_is_planned_beside_the_recipe_on_each_target() -> None:
    planned = plan(scaling_spec(trial(), SPEC, 2, None, (1, 4)), CARD).trials
    assert [
        (t.name, t.is_baseline, t.target.options["threads"], t.target.options["batch"])
        for t in planned
    ] == [
        (name, name == "float32", threads, batch)
        for threads, batch in ((1, 1), (2, 1), (1, 4))
        for name in ("float32", "static_wi8_ai8")
    ]


def test_studies_that_ask_the_same_are_told_from_others() -> None:
    one, same, other = (
        scaling_spec(trial(), SPEC, 2, None, batches) for batches in ((1, 4), (4,), (8,))
    )
    assert same_targets(one, same)
    assert not same_targets(one, other)
    assert not same_targets(one, scaling_spec(trial(threads=2), SPEC, 2, None, (1, 4)))
