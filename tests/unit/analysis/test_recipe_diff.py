"""What differs between recipes, and only that."""

from __future__ import annotations

import pytest

from lab import registry
from lab.analysis.recipe_diff import ABSENT, aligned, recipe_diff
from lab.types import Recipe, Step, Target, Trial


def trial(steps, runtime="ort", **options) -> Trial:
    return Trial("s-0000", "s", 0, "x", Recipe(tuple(steps)), Target(runtime, options))


def diff(*trials):
    return recipe_diff(trials, registry.techniques(), registry.runtimes())


def names(slots):
    return [tuple(step.technique if step else None for step in slot) for slot in slots]


def recipes(*texts):
    return [Recipe(tuple(Step(name) for name in text)) for text in texts]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["pq", "pq"], [("p", "p"), ("q", "q")]),
        (["pq", "q"], [("p", None), ("q", "q")]),
        (["q", "pq"], [(None, "p"), ("q", "q")]),
        (["pq", "prq"], [("p", "p"), (None, "r"), ("q", "q")]),
        (["ab", "ac"], [("a", "a"), ("b", "c")]),
        (["ptq", "tq", "q"], [("p", None, None), ("t", "t", None), ("q", "q", "q")]),
        (
            ["q", "tq", "ptq", ""],
            [(None, None, "p", None), (None, "t", "t", None), ("q", "q", "q", None)],
        ),
        (["", "ab"], [(None, "a"), (None, "b")]),
    ],
)
def test_steps_are_laid_beside_each_other(given, expected):
    assert names(aligned(recipes(*given))) == expected


def test_every_step_of_every_recipe_is_laid_down_once_and_in_its_order():
    given = recipes("abcad", "bcd", "adb", "xaby")
    slots = aligned(given)
    for n, recipe in enumerate(given):
        assert tuple(slot[n] for slot in slots if slot[n]) == recipe.steps


def test_an_option_that_is_not_named_is_at_its_default_and_equal_ones_are_folded():
    technique = registry.technique("onnx_static_int8")
    usual = {o.id: o.default for o in technique.options}
    convert = Step("torch_to_onnx")
    other = {**usual, "per_channel": not usual["per_channel"]}
    found = diff(
        trial([convert, Step(technique.id, usual)]), trial([convert, Step(technique.id, {})])
    )
    assert found.rows == ()
    assert found.same == ("torch_to_onnx", "onnx_static_int8")
    found = diff(trial([convert, Step(technique.id)]), trial([convert, Step(technique.id, other)]))
    (row,) = found.rows
    assert (row.step, row.technique, row.option) == (2, technique.id, "per_channel")
    assert row.values == (usual["per_channel"], other["per_channel"])
    assert found.same == ("torch_to_onnx",)


def test_another_technique_in_a_place_is_one_row_with_what_is_not_at_its_default():
    a = trial(
        [
            Step("torch_to_onnx"),
            Step("onnx_static_int8", {"per_channel": True, "calibration_samples": 7}),
        ]
    )
    b = trial([Step("torch_to_onnx")])
    (row,) = diff(a, b).rows
    usual = {o.id: o.default for o in registry.technique("onnx_static_int8").options}
    expected = {
        k: v for k, v in {"per_channel": True, "calibration_samples": 7}.items() if usual[k] != v
    }
    assert row.option == ""
    assert row.values[0] == Step("onnx_static_int8", expected)
    assert row.values[1] is ABSENT


def test_lists_that_came_from_json_equal_tuples():
    a, b = (
        trial([Step("onnx_static_int8", {"keep_float": value})])
        for value in (("conv1",), ["conv1"])
    )
    assert diff(a, b).rows == ()


def test_targets_differ_by_runtime_or_by_options_where_both_have_them():
    (row,) = diff(trial([], threads=1), trial([], threads=2)).rows
    assert (row.step, row.option, row.values) == (None, "threads", (1, 2))
    rows = diff(trial([], threads=1), trial([], "litert", threads=1)).rows
    assert [(r.option, r.values) for r in rows] == [("runtime", ("ort", "litert"))]
    rows = diff(trial([], threads=1), trial([], "litert", threads=1, xnnpack=False)).rows
    assert [(r.option, r.values) for r in rows] == [
        ("runtime", ("ort", "litert")),
        ("xnnpack", (ABSENT, False)),
    ]


def test_techniques_and_runtimes_that_this_lab_does_not_know_are_compared_as_written():
    a, b = trial([Step("gone", {"n": 1})], "gone"), trial([Step("gone", {"n": 2})], "gone")
    (row,) = diff(a, b).rows
    assert (row.technique, row.option, row.values) == ("gone", "n", (1, 2))
