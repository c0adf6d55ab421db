"""Orders of steps and seeds of trainings among the insights of a study, and the button that tries
the other order.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lab
from lab.errors import UsageError
from lab.spec.recipes import complete_step
from lab.types import Recipe, Step
from tests.pages.conftest import in_address
from tests.pages.test_study import text_of
from tests.unit.analysis import test_orders, test_spread
from tests.unit.analysis.test_orders import RIGHT, A, B, Q

WORSE = RIGHT & (np.arange(400) > 60)
PRUNE, TUNE, CONVERT = (
    complete_step(Step(id_))
    for id_ in ("keras_channel_pruning", "keras_fine_tune", "keras_to_onnx")
)


def test_both_orders_are_set_beside_each_other(open_page, add_study):
    app = open_page(
        "study",
        study=add_study([test_orders.made(0, A, B, Q), test_orders.made(1, B, A, Q, right=WORSE)]),
    )
    assert not app.exception
    assert any("Effect of the order of steps (1 pair)" in e.label for e in app.expander)
    assert "t0 beats t1 by 15.2 points of accuracy" in text_of(app)


def test_seeds_are_set_beside_each_other(open_page, add_study):
    app = open_page(
        "study", study=add_study([test_spread.made(n, 0.90 + 0.01 * n, n) for n in range(3)])
    )
    assert not app.exception
    assert any("Effect of the training seed (1 recipe" in e.label for e in app.expander)
    assert "changes accuracy by up to 2.0 points" in text_of(app)


@pytest.fixture
def ordered(add_study) -> tuple[str, str]:
    """A study of one recipe whose steps can change places, and its trial."""
    trials = [replace(test_orders.made(0), recipe=Recipe((PRUNE, TUNE, CONVERT)))]
    return add_study(trials), trials[0].id


def test_one_click_tries_the_other_order(open_page, ordered, monkeypatch):
    asked = []
    monkeypatch.setattr(lab, "reorder", lambda id_: asked.append(id_) or (id_,), raising=False)
    app = open_page("study", study=ordered[0], trial=ordered[1], detail="Recipe")
    app.button(key="reorder").click().run()
    assert not app.exception
    assert asked == [ordered[1]]
    assert in_address(app, "trial") == ordered[1]


def test_what_cannot_be_exchanged_is_said(open_page, ordered, monkeypatch):
    def refuse(id_):
        raise UsageError("This study's model file is not in this lab")

    monkeypatch.setattr(lab, "reorder", refuse, raising=False)
    app = open_page("study", study=ordered[0], trial=ordered[1], detail="Recipe")
    app.button(key="reorder").click().run()
    assert "is not in this lab" in app.error[0].value
