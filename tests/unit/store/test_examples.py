"""Test items to be looked at: which are chosen, and that they are chosen once, elsewhere where a
library is needed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lab
from lab import registry
from lab.errors import LabError
from lab.plugs import Dataset, Splits
from lab.store import examples
from lab.types import InputSpec, ModelCard

CARD = ModelCard("m", "M", "classification", "none", "onnx", "", InputSpec((2,)), "made_up")


def items(n: int):
    return np.arange(2 * n).reshape(n, 2), np.array([2, 2, 0, 1, 0, 1, 2, 0] * n)[:n]


DATASET = Dataset(
    "made_up", "Made up", "classification", lambda: pytest.fail("loaded"), "d" * 64, preview=items
)


@pytest.fixture
def dataset(lab_home: Path, monkeypatch: pytest.MonkeyPatch):
    def install(**changed: object) -> None:
        monkeypatch.setattr(registry, "datasets", lambda: {"made_up": replace(DATASET, **changed)})  # type: ignore[arg-type]

    install()
    return install


def test_one_of_each_class_comes_first(dataset) -> None:
    found = examples.examples_of(CARD, 4)
    assert found.labels.tolist() == [0, 1, 2, 2]
    assert found.items.tolist() == [[4, 5], [6, 7], [0, 1], [2, 3]]
    assert found.texts == ()


def test_more_than_there_are_is_all_there_are(dataset) -> None:
    dataset(preview=lambda n: items(3))
    assert sorted(examples.examples_of(CARD, 8).labels.tolist()) == [0, 2, 2]


def test_truths_that_are_no_classes_leave_the_order(dataset) -> None:
    dataset(preview=lambda n: (np.arange(n), np.zeros((n, 3))))
    assert examples.examples_of(CARD, 3).items.tolist() == [0, 1, 2]


def test_a_data_set_that_needs_a_library_is_asked_elsewhere_and_once(dataset, monkeypatch) -> None:
    asked = []

    def elsewhere(card: ModelCard, n: int, kept: Path) -> None:
        asked.append(n)
        examples.choose(card.dataset, n)

    dataset(requires=("numpy",), decode=lambda item: f"item {item[0]}")
    monkeypatch.setattr(examples, "_make_elsewhere", elsewhere)
    first = examples.examples_of(CARD, 3)
    dataset(requires=("numpy",), decode=lambda item: pytest.fail("decoded again"))
    again = examples.examples_of(CARD, 3)
    assert first.texts == again.texts == ("item 4", "item 6", "item 0")
    np.testing.assert_array_equal(first.items, again.items)
    assert asked == [3]


def test_without_a_preview_the_stored_test_items_are_used(dataset, monkeypatch) -> None:
    splits = Splits(*items(4), *items(6))
    dataset(preview=None, load=lambda: splits, digest=splits.digest())
    monkeypatch.setattr(
        examples, "_make_elsewhere", lambda card, n, kept: examples.choose(card.dataset, n)
    )
    assert examples.examples_of(CARD, 3).labels.tolist() == [0, 1, 2]


def test_what_cannot_be_made_is_explained(lab_home: Path) -> None:
    broken = replace(CARD, dataset="digits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", "false")
        with pytest.raises(LabError, match="could not be made"):
            examples.examples_of(broken, 3)


def test_previews_are_the_first_test_items_and_quick() -> None:
    from time import process_time

    for dataset in lab.available_datasets().values():
        if dataset.preview and dataset.missing is None:
            dataset.preview(2)
            started = process_time()
            x, y = dataset.preview(16)
            assert process_time() - started < 0.5, dataset.id
            assert len(x) == len(y) == 16


def test_the_web_process_loads_no_data_library(lab_home: Path) -> None:
    code = (
        "import sys, lab; found = [lab.examples(m, 2) for m in ('digits_lenet',"
        " 'langid_transformer')];print(found[0].texts, len(found[1].texts), sorted({'sklearn',"
        " 'babel', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.strip() == "() 2 []"
