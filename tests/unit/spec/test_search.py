"""What a spec may say about a search, and what is told where it says something else."""

from __future__ import annotations

import json

import pytest

import lab
from lab.errors import InvalidOption, UnknownId, UsageError
from lab.search.samplers import sampler
from lab.spec.reading import spec_from_json
from lab.spec.search import SAMPLERS, search_from_json
from lab.types import StudySpec, canonical_json


def test_nothing_is_the_whole_grid():
    for nothing in (None, {}, ()):
        assert search_from_json(nothing) == {}
    assert StudySpec("m").to_json()["search"] == {}


def test_what_is_left_out_is_usual():
    found = search_from_json({"trials": 10})
    assert found == {
        "sampler": "ehvi",
        "trials": 10,
        "minutes": 0.0,
        "seed": 0,
        "batch": 3,
        "known": True,
        "limits": [],
    }
    assert search_from_json({"minutes": None, "trials": "10"}) == found


def test_it_travels_with_the_spec():
    limits = [{"metric": "size_bytes", "kind": "at_most", "value": 50_000}]
    spec = lab.make_spec("digits_lenet", search={"sampler": "tpe", "minutes": 3, "limits": limits})
    again = spec_from_json(json.loads(json.dumps(spec.to_json())))
    assert canonical_json(again.to_json()) == canonical_json(spec.to_json())
    assert again.search["minutes"] == 3.0
    assert again.search["limits"] == [
        {"metric": "size_bytes", "kind": "at_most", "value": 50_000.0}
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sampler": "best"}, "ehvi, tpe, nsga2, random"),
        ({"trials": 0}, "int from 1"),
        ({"trials": "many"}, "int from 1"),
        ({"minutes": -1}, "from 0.0"),
        ({"batch": 0}, "from 1"),
        ({"budget": 7}, "no such option"),
        ({"limits": [{"metric": "size_bytes", "kind": "below", "value": 1}]}, "at_most"),
        ({"limits": [{"metric": "size_bytes", "kind": "at_most", "value": "small"}]}, "number"),
        (
            {"limits": [{"metric": "size_bytes", "kind": "at_most", "value": float("nan")}]},
            "number",
        ),
        ({"limits": "size_bytes"}, "at_most"),
        ({"limits": ["size_bytes"]}, "at_most"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given, words):
    with pytest.raises(InvalidOption, match=words):
        lab.make_spec("digits_lenet", search=given)


def test_a_search_must_be_an_object():
    with pytest.raises(UsageError, match="not an object"):
        lab.make_spec("digits_lenet", search="tpe")


def test_a_limit_names_a_metric():
    with pytest.raises(UnknownId, match="size_bytes"):
        search_from_json({"limits": [{"metric": "size_byte", "kind": "at_most", "value": 1}]})


def test_every_sampler_is_there():
    assert all(callable(sampler(name)) for name in SAMPLERS)
    with pytest.raises(UnknownId):
        sampler("best")


def test_what_another_lab_stored_can_be_read():
    """A sampler that this one does not have must not hide the list of studies."""
    found = spec_from_json({"model": "m", "search": {"sampler": "newer", "trials": 5}})
    assert found.search == {**search_from_json({"trials": 5}), "sampler": "newer"}
