"""The command line's words become a spec's search."""

from __future__ import annotations

import argparse

import pytest

from lab.cli.search import search_arguments, search_of
from lab.spec.search import search_from_json


def said(*words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    search_arguments(parser)
    given = vars(parser.parse_args(words))
    return search_of(given.pop("search"), given)


def test_without_a_word_the_whole_grid_is_run():
    assert said() == {}


def test_any_word_turns_the_search_on():
    assert said("--search") == {"sampler": "ehvi"}
    assert said("--search", "tpe", "--search-seed", "3") == {"sampler": "tpe", "seed": 3}
    assert said("--trials", "9", "--minutes", "1.5", "--batch", "2") == {
        "trials": 9,
        "minutes": 1.5,
        "batch": 2,
    }
    assert search_from_json(said("--trials", "9"))["sampler"] == "ehvi"


def test_zero_is_said():
    """It is refused by what reads the spec, not lost on the way."""
    assert said("--trials", "0") == {"trials": 0}


def test_an_unknown_sampler_is_bad_usage(capsys):
    with pytest.raises(SystemExit) as stopped:
        said("--search", "best")
    assert stopped.value.code == 2
    assert "nsga2" in capsys.readouterr().err
