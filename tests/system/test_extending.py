"""A study grows: what it has is not run again, what is new stands beside it, also while it runs."""

from __future__ import annotations

import pytest

import lab
from lab.errors import UsageError
from lab.types import ModelCard, Recipe, Step, Target

FP16 = Recipe((Step("onnx_fp16"),))
DYNAMIC = Recipe((Step("onnx_dynamic_int8"),))


def test_a_recipe_is_added_and_nothing_is_repeated(small_card: ModelCard) -> None:
    study = lab.sweep(small_card.id, space={}, recipes=[FP16], targets=["ort"])
    before, jobs = lab.trials(study.id), len(lab.jobs(study.id))
    added = lab.extend(study.id, [DYNAMIC, FP16])
    lab.wait(study.id)
    after = lab.trials(study.id)
    assert [t.id for t in after[: len(before)]] == [t.id for t in before]
    assert [t.measurements for t in after[: len(before)]] == [t.measurements for t in before]
    assert [(t.name, t.state) for t in after[len(before) :]] == [("dynamic_wi8_afp32", "complete")]
    assert added == (after[-1].id, after[1].id)
    assert len(lab.jobs(study.id)) == jobs + 3  # one build, one evaluation, one measurement
    assert lab.study(study.id).spec.recipes == (FP16, DYNAMIC)
    assert lab.extend(study.id, [DYNAMIC]) == (after[-1].id,)
    assert lab.study(study.id).state == "complete"


def test_a_running_study_takes_up_what_is_added(small_card: ModelCard) -> None:
    id_ = lab.start(lab.make_spec(small_card.id, space={}, recipes=[FP16], targets=["ort"]))
    (added,) = lab.extend(id_, [DYNAMIC])
    lab.wait(id_)
    assert {t.id: t.state for t in lab.trials(id_)}[added] == "complete"
    assert {t.state for t in lab.trials(id_)} == {"complete"}


def test_a_recipe_that_leads_nowhere_is_refused(small_card: ModelCard) -> None:
    study = lab.sweep(small_card.id, space={}, targets=["ort"])
    with pytest.raises(UsageError, match="No"):
        lab.extend(study.id, [Recipe((Step("torch_to_onnx"),))])
    with pytest.raises(UsageError):
        lab.extend(study.id, [FP16], [Target("nowhere")])
