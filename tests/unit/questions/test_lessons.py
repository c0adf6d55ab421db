"""What lessons lay out, and whom they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import lab
from lab.analysis.pruning import KIND
from lab.errors import InvalidOption, UsageError
from lab.questions import lessons
from lab.spec.plan import plan
from lab.spec.recipes import complete_step
from lab.types import Recipe, Step


@pytest.mark.parametrize("model", ["signs_resnet8", "digits_lenet"])
def test_pruning_is_laid_out_two_ways_with_and_without_fine_tuning(model: str) -> None:
    card = lab.model(model)
    spec = lab.pruning_spec(model, shares=(0.2, 0.8), steps=30)
    assert spec.about["kind"] == KIND
    assert spec.about["parameters"] == card.parameters
    trials = plan(spec, card).trials
    pieces = lessons.pieces_of(card)
    kinds = [
        frozenset(s.technique for s in t.recipe.steps) & set(vars(pieces).values()) for t in trials
    ]
    assert sorted(map(sorted, kinds)) == sorted(
        [[], [pieces.tune]]
        + 2 * [[id_] for id_ in (pieces.structured, pieces.unstructured)]
        + 2 * [sorted([id_, pieces.tune]) for id_ in (pieces.structured, pieces.unstructured)]
    )
    tuned = [s for t in trials for s in t.recipe.steps if s.technique == pieces.tune]
    assert {s.params["train_steps"] for s in tuned} == {30}


def test_both_orders_end_in_the_same_quantizer() -> None:
    spec = lab.order_spec("signs_resnet8", ratio=0.3, steps=30)
    first, second = (r.steps for r in spec.recipes)
    assert [s.technique for s in first] == [
        "torch_channel_pruning",
        "torch_fine_tune",
        "torch_qat_grid",
        "onnx_static_int8",
    ]
    assert sorted(map(str, first)) == sorted(map(str, second))
    assert [s.technique for s in second[:3]] == [
        "torch_qat_grid",
        "torch_channel_pruning",
        "torch_fine_tune",
    ]


def test_a_model_that_came_without_its_framework_is_refused_with_the_reason() -> None:
    card = replace(lab.model("digits_lenet"), format="onnx")
    assert not lessons.can_prune(card)
    with pytest.raises(UsageError, match="without its framework"):
        lessons.pruning_lesson(card, (0.5,), 30, "ort")


@pytest.mark.parametrize("shares", [(), (0.0,), (1.0,), (-0.5, 0.5)])
def test_shares_that_are_none_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(InvalidOption, match="between 0 and 1"):
        lab.pruning_spec("signs_resnet8", shares=shares)


def test_steps_and_runtimes_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UsageError):
        lab.pruning_spec("signs_resnet8", steps=0)
    with pytest.raises(UsageError):
        lab.pruning_spec("signs_resnet8", runtime="nope")
    with pytest.raises(UsageError, match="No order is laid out"):
        lab.order_spec("signs_resnet8", runtime="pytorch")


def test_steps_of_a_recipe_change_places_where_files_allow() -> None:
    prune, tune, quantize, convert = (
        complete_step(Step(id_))
        for id_ in ("torch_channel_pruning", "torch_fine_tune", "onnx_static_int8", "torch_to_onnx")
    )
    assert lessons.swapped(Recipe((prune, tune, convert, quantize))) == (
        Recipe((tune, prune, quantize)),
    )
    assert lessons.swapped(Recipe((prune, convert, quantize))) == ()


def test_the_other_order_is_a_trial_beside_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.delenv("LAB_DATABASE_URL", raising=False)
    monkeypatch.setattr("lab.api._studies.ensure_engine", lambda: None)
    study = lab.start(
        replace(
            lab.order_spec("signs_resnet8"), recipes=lab.order_spec("signs_resnet8").recipes[:1]
        )
    )
    (trial,) = [t for t in lab.trials(study) if not t.is_baseline]
    assert lab.can_reorder(trial)
    added = lab.reorder(trial.id)
    others = [[s.technique for s in t.recipe.steps] for t in lab.trials(study) if t.id in added]
    assert [[x for x in steps if "onnx" not in x] for steps in others] == [
        ["torch_fine_tune", "torch_channel_pruning", "torch_qat_grid"],
        ["torch_channel_pruning", "torch_qat_grid", "torch_fine_tune"],
    ]
    with pytest.raises(UsageError, match="change places"):
        lab.reorder(next(t.id for t in lab.trials(study) if t.is_baseline))
