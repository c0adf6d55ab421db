from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.errors import InvalidOption, UnknownId, UsageError
from lab.options import Option
from lab.plugs import Technique
from lab.spec.chains import preset_chains, recipes_of
from lab.spec.plan import plan
from lab.spec.reading import check_spec, spec_from_json
from lab.spec.recipes import prefixes
from lab.types import Recipe

CHAIN: Any = (
    {"torch_fine_tune": {"train_steps": (5, 10)}},
    {"": {}, "onnx_static_int8": {"per_channel": (True, False)}, "tflite_fp16": {}},
)


def names(recipe: Recipe) -> list[str]:
    return [step.technique for step in recipe.steps]


def test_every_way_through_the_stages_is_a_recipe() -> None:
    found = recipes_of(CHAIN)
    assert len(found) == 2 * (1 + 2 + 1)
    assert len({repr(recipe) for recipe in found}) == len(found)
    assert [names(recipe) for recipe in found[:2]] == [
        ["torch_fine_tune"],
        ["torch_fine_tune", "onnx_static_int8"],
    ]
    assert {step.params["train_steps"] for recipe in found for step in recipe.steps[:1]} == {5, 10}


def test_what_does_nothing_is_no_recipe() -> None:
    assert [names(recipe) for recipe in recipes_of(({"": {}}, {"": {}, "onnx_fp16": {}}))] == [
        ["onnx_fp16"]
    ]


def spec(**more: Any) -> Any:
    return lab.make_spec(
        "signs_resnet8", space={}, targets=["ort", "litert"], chains=[CHAIN], **more
    )


def test_conversions_are_filled_in_and_prefixes_are_shared() -> None:
    found = plan(spec(), lab.model("signs_resnet8"))
    chains = [t.recipe for t in found.trials if not t.is_baseline]
    assert len(chains) == 2 * (1 + 2) + 2 * (
        1 + 1
    )  # onnx_static_int8 in two ways on ort, tflite_fp16 on litert
    assert (
        len(
            {
                repr(p)
                for recipe in chains
                for p in prefixes(recipe)
                if p[-1].technique == "torch_fine_tune"
            }
        )
        == 2
    )
    assert len(found.skipped) == 2 * (2 + 1)


def test_a_spec_with_chains_survives_json() -> None:
    assert spec_from_json(spec().to_json()) == spec()


@pytest.mark.parametrize(
    ("chain", "error"),
    [
        ([{"no_such_technique": {}}], UnknownId),
        ([{"torch_fine_tune": {"no_such_option": [1]}}], InvalidOption),
        ([{"torch_fine_tune": {"train_steps": [-1]}}], InvalidOption),
        ([{"torch_fine_tune": {"train_steps": []}}], InvalidOption),
        ([{"": {}}], UsageError),
        ([], UsageError),
    ],
)
def test_bad_chains_are_refused(chain: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_spec(spec_from_json({**spec().to_json(), "chains": [chain]}))


@pytest.mark.parametrize(
    "chains",
    [5, [5], [[5]], [[{"torch_fine_tune": 5}]], [[{"torch_fine_tune": {"train_steps": 5}}]]],
)
def test_chains_of_the_wrong_form_are_refused(chains: Any) -> None:
    with pytest.raises(UsageError):
        spec_from_json({**spec().to_json(), "chains": chains})


def technique(id_: str, role: Any, composed: Any) -> Technique:
    option = Option("n", "N", "int", 0, "A number.", low=0, high=9)
    return Technique(
        id_,
        id_,
        "Help.",
        ("onnx",),
        "onnx",
        lambda s, p, c: s,
        options=(option,),
        role=role,
        composed=composed,
    )


def test_a_preset_composes_what_techniques_offer() -> None:
    plugs = [
        technique("cut", "prune", {"full": ({"n": 1}, {"n": 2})}),
        technique("train", "tune", {"full": ({"n": 3},)}),
        technique("int8", "quantize", {"full": ({"n": 4}, {"n": 5})}),
        technique("int4", "quantize", {"full": ({"n": 4},)}),
        technique("idle", "quantize", {}),
    ]
    quantizing = {"": {}, "int8": {"n": (4, 5)}, "int4": {"n": (4,)}}
    expected = tuple(({"cut": {"n": (n,)}}, {"train": {"n": (3,)}}, quantizing) for n in (1, 2))
    assert preset_chains(plugs, "full") == expected
    assert preset_chains(plugs, "quick") == ()
    assert preset_chains(plugs[:1] + plugs[2:], "full") == ()
