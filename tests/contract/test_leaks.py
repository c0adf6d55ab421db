"""Nothing that is tested was trained on: no item of one split occurs in another, nor one that is
nearly the same.

Nearly the same means for text: the same letters and digits, whatever the case, accents, spaces and
punctuation. For
everything else: the same shape within 5 %. Items are centred and brought to one length, so that
another brightness or loudness hides nothing; the distance of two of them then is about the noise
that separates a copy from its original, relative to the original's own deviation. A waveform is
centred channel by channel: gravity is the same in all that lies still, and what tells two such
windows apart is their noise. Distinct items have to keep well away from that bound by themselves,
which a test looks at within the test set, where all items are distinct: otherwise it would say
nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from lab import registry
from lab.plugs import Array, Dataset
from tests import loaded

NEAR = 0.05
"""Distance, 0 to 2, under which two items are copies: noise 26 dB below the signal."""
APART = 2.0
"""How many times further the nearest distinct items of a test set have to be from each other."""
CHUNK_ROWS = 1024
QUICK = ("digits", "languages")
"""Data sets whose training set takes no time to make."""
IDS = sorted(id_ for id_, d in registry.datasets().items() if not d.sources and d.missing is None)
NUMERIC = [id_ for id_ in IDS if registry.dataset(id_).show != "text"]
TEXT = [id_ for id_ in IDS if registry.dataset(id_).show == "text"]


def with_training(ids: list[str]) -> list[object]:
    return [pytest.param(id_, marks=[] if id_ in QUICK else pytest.mark.slow) for id_ in ids]


def measured(id_: str) -> dict[str, Array]:
    splits = loaded.splits(id_)
    return {"calibration": splits.x_calibration, "test": splits.x_test}


def parts(id_: str) -> dict[str, Array]:
    return {"training": loaded.training(id_)[0], **measured(id_)}


# --- what is equal --------------------------------------------------------------------------------


def centred(id_: str, x: Array) -> Array:
    """Without the mean of each item, or of each channel of a waveform; float32."""
    axes = (1,) if registry.dataset(id_).show == "waveform" else tuple(range(1, x.ndim))
    values = x.astype(np.float32)
    result: Array = values - values.mean(axis=axes, keepdims=True)
    return result


def shapes(id_: str, x: Array) -> Array:
    """Items centred and of length 1, (items, values) float32; an item without any deviation is all
    zero.
    """
    flat = centred(id_, x).reshape(len(x), -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    result: Array = np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)
    return result


def nearest(a: Array, b: Array, *, same: bool = False) -> Array:
    """Distance of each shape of a to the nearest of b; with `same`, to the nearest other one.

    Two flat items are at a distance of 1.4, not 0: of flat items, equal bytes are what is looked
    for.
    """
    found = np.empty(len(a), np.float32)
    for start in range(0, len(a), CHUNK_ROWS):
        likeness = a[start : start + CHUNK_ROWS] @ b.T
        if same:
            likeness[np.arange(len(likeness)), np.arange(start, start + len(likeness))] = -1
        found[start : start + CHUNK_ROWS] = likeness.max(axis=1)
    distances: Array = np.sqrt(np.maximum(0, 2 - 2 * found))
    return distances


def letters(dataset: Dataset, x: Array) -> list[str]:
    assert dataset.decode is not None
    return [folded(dataset.decode(item)) for item in x]


def folded(text: str) -> str:
    """Without case, accents, spaces and punctuation. A character that has no number is a character
    all the same.
    """
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if c.isalnum() or c == "\N{REPLACEMENT CHARACTER}")


def equal_across(x: dict[str, Array]) -> int:
    seen = {name: {item.tobytes() for item in items} for name, items in x.items()}
    return sum(len(seen[a] & seen[b]) for a, b in combinations(seen, 2))


def near_across(id_: str, x: dict[str, Array]) -> int:
    """How many items of a later split are near one of an earlier."""
    made = {name: shapes(id_, items) for name, items in x.items()}
    return sum(int((nearest(made[b], made[a]) < NEAR).sum()) for a, b in combinations(made, 2))


def same_letters_across(dataset: Dataset, x: dict[str, Array]) -> int:
    seen = {name: set(letters(dataset, items)) for name, items in x.items()}
    return sum(len(seen[a] & seen[b]) for a, b in combinations(seen, 2))


# --- the promise ----------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", with_training(IDS))
def test_no_item_is_in_two_splits(id_: str) -> None:
    assert equal_across(parts(id_)) == 0


@pytest.mark.parametrize("id_", with_training(NUMERIC))
def test_no_item_is_nearly_one_of_another_split(id_: str) -> None:
    assert near_across(id_, parts(id_)) == 0


@pytest.mark.parametrize("id_", with_training(TEXT))
def test_no_text_has_the_letters_of_one_of_another_split(id_: str) -> None:
    assert same_letters_across(registry.dataset(id_), parts(id_)) == 0


@pytest.mark.parametrize("id_", IDS)
def test_calibration_and_test_share_no_item(id_: str) -> None:
    assert equal_across(measured(id_)) == 0


@pytest.mark.parametrize("id_", NUMERIC)
def test_calibration_and_test_share_nothing_near(id_: str) -> None:
    assert near_across(id_, measured(id_)) == 0


# --- the tests can fail ---------------------------------------------------------------------------


def same(id_: str, x: Array) -> Array:
    return x


def noisy(id_: str, x: Array) -> Array:
    """Copies: louder, with an offset, and with noise of 3 % of each item's deviation."""
    deviation = np.sqrt(
        np.square(centred(id_, x)).mean(axis=tuple(range(1, x.ndim)), keepdims=True)
    )
    noise = np.random.default_rng(0).standard_normal(x.shape) * deviation * 0.03
    return (1.1 * (x.astype(np.float64) + noise) + 0.01).astype(np.float32)


@pytest.mark.parametrize("id_", NUMERIC)
def test_distinct_items_are_far_from_the_bound(id_: str) -> None:
    items = shapes(id_, measured(id_)["test"])
    assert float(np.sort(nearest(items, items, same=True))[0]) > APART * NEAR


@pytest.mark.parametrize("id_", NUMERIC)
@pytest.mark.parametrize("copy", [same, noisy])
def test_a_planted_copy_is_found(id_: str, copy: Callable[[str, Array], Array]) -> None:
    x = measured(id_)
    rows = np.random.default_rng(0).choice(len(x["test"]), 20, replace=False)
    planted = np.concatenate([x["calibration"], copy(id_, x["test"][rows])])
    assert near_across(id_, {"calibration": planted, "test": x["test"]}) == 20


@pytest.mark.parametrize("id_", IDS)
def test_a_planted_item_is_found(id_: str) -> None:
    x = measured(id_)
    planted = np.concatenate([x["calibration"], x["test"][:3]])
    assert equal_across({"calibration": planted, "test": x["test"]}) == 3


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Åland", "aland"),
        ("kongo (kinshasa)", "Kongo-Kinshasa"),
        ("ﬁnlande", "finlande"),
        ("IV. Béla", "iv bela"),
    ],
)
def test_another_spelling_is_the_same_text(a: str, b: str) -> None:
    assert folded(a) == folded(b)


def test_other_words_are_other_texts() -> None:
    assert folded("österreich") != folded("osterreicher")
    assert folded("日本") != folded("日本語")
