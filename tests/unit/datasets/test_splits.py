"""Every data set keeps the promise that makes a measured accuracy mean something: nothing tested was trained on."""

import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import registry
from lab.datasets import languages
from lab.datasets._split import stratified
from lab.plugs import Dataset, Splits

MIN_CALIBRATION, MIN_TEST = 200, 500
PARTS = ("train", "calibration", "test")


@pytest.fixture(params=sorted(registry.datasets()), scope="module")
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return registry.dataset(request.param)


@pytest.fixture(scope="module")
def splits(dataset: Dataset) -> Splits:
    return dataset.load()


def items(splits: Splits, part: str) -> set[bytes]:
    return {x.tobytes() for x in getattr(splits, f"x_{part}")}


def test_digest_is_the_declared_one(dataset: Dataset, splits: Splits) -> None:
    assert splits.digest() == dataset.digest


def test_loading_twice_gives_the_same_arrays(dataset: Dataset, splits: Splits) -> None:
    again = dataset.load()
    for field in fields(Splits):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(splits, field.name))


def test_digest_does_not_depend_on_the_hash_seed(dataset: Dataset) -> None:
    code = f"from lab import registry; print(registry.dataset({dataset.id!r}).load().digest())"
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == dataset.digest


@pytest.mark.parametrize(("a", "b"), [("train", "calibration"), ("train", "test"), ("calibration", "test")])
def test_no_item_is_in_two_splits(splits: Splits, a: str, b: str) -> None:
    assert not items(splits, a) & items(splits, b)


@pytest.mark.parametrize("part", PARTS)
def test_labels_are_class_numbers(dataset: Dataset, splits: Splits, part: str) -> None:
    x, y = getattr(splits, f"x_{part}"), getattr(splits, f"y_{part}")
    assert len(x) == len(y)
    assert np.issubdtype(y.dtype, np.integer)
    assert set(np.unique(y)) == set(range(len(dataset.class_names))), "every class is in every split"


def test_splits_are_large_enough(splits: Splits) -> None:
    assert len(splits.x_calibration) >= MIN_CALIBRATION
    assert len(splits.x_test) >= MIN_TEST
    assert len(splits.x_train) > len(splits.x_calibration)


def test_items_have_one_shape_and_type(splits: Splits) -> None:
    assert len({getattr(splits, f"x_{part}").shape[1:] for part in PARTS}) == 1
    assert len({getattr(splits, f"x_{part}").dtype for part in PARTS}) == 1


def test_origin_and_licence_are_stated(dataset: Dataset) -> None:
    assert dataset.provenance
    assert dataset.licence


def test_text_can_be_shown(dataset: Dataset, splits: Splits) -> None:
    assert (dataset.show == "text") == (dataset.decode is not None)
    if dataset.decode is not None:
        assert all(dataset.decode(x).strip() for x in splits.x_test[:50])


def test_importing_the_data_sets_loads_no_framework() -> None:
    code = (
        "import sys, lab.registry; lab.registry.datasets();"
        "print(*{'sklearn', 'babel', 'torch', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_names_come_back_from_their_numbers() -> None:
    assert languages.decode(languages.encode("  ÖSTERREICH  ")) == "österreich"


def test_what_has_no_number_is_unknown_and_what_is_too_long_is_cut() -> None:
    assert languages.encode("a☃")[1] == languages.UNKNOWN
    assert languages.encode("a" * 99).shape == (languages.LENGTH,)


def test_a_name_that_two_languages_share_is_in_no_split() -> None:
    splits = languages.load()
    shown = {languages.decode(x) for part in PARTS for x in getattr(splits, f"x_{part}")}
    assert "panama" not in shown
    assert "österreich" in shown


@given(st.sets(st.binary(min_size=1), min_size=1, max_size=60), st.integers(0, 3))
def test_the_deal_is_complete_and_does_not_depend_on_order(keys: set[bytes], shift: int) -> None:
    order = sorted(keys)
    turned = order[shift:] + order[:shift]
    label = {key: key[0] % 3 for key in order}
    a = stratified(order, [label[k] for k in order], [0.2, 0.3], seed="s")
    b = stratified(turned, [label[k] for k in turned], [0.2, 0.3], seed="s")
    assert [[order[i] for i in group] for group in a] == [[turned[i] for i in group] for group in b]
    assert sorted(i for group in a for i in group) == list(range(len(order)))
