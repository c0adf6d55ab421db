"""Batches of copies, and which answers to them are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats import batching
from lab.options import validate
from lab.plugs import TensorInfo
from lab.registry import runtimes

ALONE = np.array([[1.0, -2.0, 0.5]], dtype=np.float32)


class Doubling:
    """A session that doubles its items, and counts how often one is loaded."""

    input = output = TensorInfo((None, 3), "float32")
    loaded = 0

    def prepare(self, x: Any) -> Any:
        return x

    def run(self, x: Any) -> Any:
        return 2 * x


def load(path: str, options: Mapping[str, Any]) -> Doubling:
    assert options["batch"] == 1
    Doubling.loaded += 1
    return Doubling()


def test_an_item_becomes_a_batch_of_copies() -> None:
    found = batching.batch_of(ALONE, 4)
    assert found.shape == (4, 3)
    assert (found == ALONE[0]).all()
    assert batching.batch_of(ALONE, 1) is ALONE


def test_every_runtime_has_the_option_and_an_old_target_means_one_item() -> None:
    for runtime in runtimes().values():
        assert batching.BATCH in runtime.options
        assert validate(runtime.options, {}, runtime.id)["batch"] == 1
    assert batching.batch_size({"threads": 2}) == 1


@pytest.mark.parametrize("given", [0, 1025, 2.5, "many"])
def test_the_option_is_a_whole_number_up_to_1024(given: Any) -> None:
    with pytest.raises(InvalidOption, match="batch"):
        batching.BATCH.validate(given)


def test_a_fixed_axis_takes_its_own_batch_only() -> None:
    free, fixed = TensorInfo((None, 3), "float32"), TensorInfo((4, 3), "float32")
    assert batching.with_batch(free, 1) == free
    assert batching.with_batch(free, 8) == TensorInfo((8, 3), "float32")
    assert batching.with_batch(fixed, 4) == fixed
    with pytest.raises(InvalidFile, match=r"no batch of 8.*batch 4.*Choose batch 1"):
        batching.with_batch(fixed, 8)


def test_right_answers_pass_and_one_item_loads_nothing_more() -> None:
    Doubling.loaded = 0
    batching.check_answers(load, "f", {"batch": 1}, ALONE, np.zeros((1, 3)))
    assert Doubling.loaded == 0
    batching.check_answers(
        load, "f", {"batch": 4}, batching.batch_of(ALONE, 4), 2 * batching.batch_of(ALONE, 4)
    )
    assert Doubling.loaded == 1


@pytest.mark.parametrize(("row", "wrong"), [(0, 0.05), (3, 0.05), (2, np.nan), (1, np.inf)])
def test_a_row_that_is_answered_otherwise_is_refused(row: int, wrong: float) -> None:
    answers = 2 * batching.batch_of(ALONE, 4)
    answers[row, 2] += 4.0 * wrong  # the largest answer is 4
    with pytest.raises(InvalidFile, match="batch of 4 is answered otherwise"):
        batching.check_answers(load, "f", {"batch": 4}, ALONE, answers)


def test_rounding_is_no_other_answer() -> None:
    batching.check_alike(ALONE, batching.batch_of(ALONE, 4) + 1e-6, 4)


def test_a_batch_that_is_answered_as_one_item_is_refused() -> None:
    with pytest.raises(InvalidFile, match=r"another shape.*\(4, 3\).*\(1, 3\)"):
        batching.check_alike(ALONE, ALONE, 4)
