"""How items are dealt into splits, and what the names of languages are made of."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.datasets import languages
from lab.datasets._split import stratified


def test_names_come_back_from_their_numbers() -> None:
    assert languages.decode(languages.encode("  ÖSTERREICH  ")) == "österreich"


def test_what_has_no_number_is_unknown_and_what_is_too_long_is_cut() -> None:
    assert languages.encode("a☃")[1] == languages.UNKNOWN
    assert languages.encode("a" * 99).shape == (languages.LENGTH,)


def test_a_name_that_two_languages_share_is_in_no_split() -> None:
    splits = languages.load()
    parts = (languages.training()[0], splits.x_calibration, splits.x_test)
    shown = {languages.decode(x) for part in parts for x in part}
    assert "panama" not in shown
    assert "österreich" in shown


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Åland", "aland"),
        ("Kongo (Kinshasa)", "kongo-kinshasa"),
        ("peso (1862–1990)", "peso"),
        ("łódź", "Lodz"),
        ("ISPARTA", "ısparta"),
    ],
)
def test_names_of_the_same_letters_are_one(a: str, b: str) -> None:
    assert languages.letters(languages.normalise(a)) == languages.letters(languages.normalise(b))


def test_other_alphabets_keep_their_letters() -> None:
    assert languages.letters("日本語") == "日本語"
    assert unicodedata.normalize("NFC", languages.letters("한국어")) == "한국어"
    assert languages.letters("1990") == "1990"


KEYS = st.lists(st.binary(min_size=1, max_size=2), min_size=1, max_size=60)


@given(KEYS, st.integers(0, 3))
def test_the_deal_is_complete_and_does_not_depend_on_order(keys: list[bytes], shift: int) -> None:
    order = sorted(set(keys))
    turned = order[shift:] + order[:shift]
    label = {key: key[0] % 3 for key in order}
    a = stratified(order, [label[k] for k in order], [0.2, 0.3], seed="s")
    b = stratified(turned, [label[k] for k in turned], [0.2, 0.3], seed="s")
    assert [[order[i] for i in group] for group in a] == [[turned[i] for i in group] for group in b]
    assert sorted(i for group in a for i in group) == list(range(len(order)))


@given(KEYS)
def test_items_of_one_key_stay_together(keys: list[bytes]) -> None:
    groups = stratified(keys, [0] * len(keys), [0.3, 0.3], seed="s")
    where = [{keys[i] for i in group} for group in groups]
    assert len(set().union(*where)) == sum(len(found) for found in where)
    assert sorted(i for group in groups for i in group) == list(range(len(keys)))


def test_each_class_falls_into_each_group_in_proportion() -> None:
    labels = [0] * 100 + [1] * 50
    groups = stratified([str(i).encode() for i in range(150)], labels, [0.2, 0.3], seed="s")
    assert [np.bincount([labels[i] for i in group]).tolist() for group in groups] == [
        [20, 10],
        [30, 15],
        [50, 25],
    ]
