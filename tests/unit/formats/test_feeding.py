from __future__ import annotations

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.feeding import fit_items, run_all
from lab.plugs import Array, TensorInfo


@pytest.fixture
def images() -> Array:
    return np.arange(2 * 4 * 5 * 3, dtype=np.float32).reshape(2, 4, 5, 3)


def test_items_that_fit_are_passed_on_untouched(images: Array) -> None:
    assert fit_items(images, (None, 4, 5, 3)) is images
    assert fit_items(images, (1, None, None, 3)) is images


def test_channels_move_where_the_model_wants_them(images: Array) -> None:
    first = fit_items(images, (None, 3, 4, 5))
    assert (first == images.transpose(0, 3, 1, 2)).all()
    assert (fit_items(first, (1, 4, 5, 3)) == images).all()


def test_axes_of_one_come_and_go() -> None:
    grey = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4)
    assert fit_items(grey, (None, 4, 4, 1)).shape == (2, 4, 4, 1)
    assert fit_items(grey[..., None], (None, 4, 4)).shape == (2, 4, 4)


def test_other_shapes_are_refused_with_both_shapes_named(images: Array) -> None:
    with pytest.raises(InvalidFile, match=r"\(7, 7, 3\).*\(4, 5, 3\)"):
        fit_items(images, (None, 7, 7, 3))


class Doubler:
    """A session that doubles, and notes the size of each batch."""

    def __init__(self, batch: int | None) -> None:
        self.input = self.output = TensorInfo((batch, 3), "float32")
        self.seen: list[int] = []

    def prepare(self, x: Array) -> Array:
        return x.astype(np.float32)

    def run(self, x: Array) -> Array:
        self.seen.append(len(x))
        return x * 2


@pytest.mark.parametrize(("fixed", "seen"), [(None, [4, 3]), (1, [1] * 7), (5, [5, 5])])
def test_every_item_is_answered_once_and_in_order(fixed: int | None, seen: list[int]) -> None:
    x, session = np.arange(21).reshape(7, 3), Doubler(fixed)
    assert (run_all(session, x, 4) == x * 2).all()
    assert session.seen == seen
