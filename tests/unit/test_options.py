"""Options: one declaration for validation and for the grid."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InvalidOption
from lab.options import Option, grid, restored, validate

SWITCH = Option("switch", "Switch", "bool", False, "h")
COUNT = Option("count", "Count", "int", 4, "h", low=1, high=8, sweep={"full": (1, 4, 8)})
SHARE = Option("share_s", "Share", "float", 0.5, "h", unit="s", low=0.0, high=1.0)
WAY = Option("way", "Way", "choice", "min", "h", choices=("min", "max"))
ALL = (SWITCH, COUNT, SHARE, WAY)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        (SWITCH, "true", True),
        (SWITCH, "OFF", False),
        (SWITCH, 1, True),
        (COUNT, "8", 8),
        (COUNT, 1, 1),
        (SHARE, "0.25", 0.25),
        (SHARE, 1, 1.0),
        (WAY, "max", "max"),
    ],
)
def test_values_become_their_type(option: Option, value: Any, expected: Any) -> None:
    found = option.validate(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (SWITCH, "perhaps"),
        (SWITCH, None),
        (SWITCH, 2),
        (COUNT, 0),
        (COUNT, 9),
        (COUNT, 2.5),
        (COUNT, "x"),
        (COUNT, True),
        (COUNT, None),
        (COUNT, [1]),
        (SHARE, float("nan")),
        (SHARE, "inf"),
        (SHARE, -0.1),
        (SHARE, {}),
        (WAY, "mid"),
        (WAY, 1),
        (WAY, None),
    ],
)
def test_other_values_are_refused_with_what_is_allowed(option: Option, value: Any) -> None:
    with pytest.raises(InvalidOption) as caught:
        option.validate(value)
    assert option.allowed in str(caught.value)
    assert option.id in str(caught.value)


def test_only_some_numbers_are_accepted_but_stored_ones_stay_readable() -> None:
    some = Option("bits", "Bits", "int", 4, "h", low=2, high=8, only=(2, 4, 8))
    assert [some.validate(str(value)) for value in (2, 4, 8)] == [2, 4, 8]
    with pytest.raises(InvalidOption, match=r"'bits'.*2, 4, 8.*3"):
        some.validate(3)
    with pytest.raises(InvalidOption, match=r"'bits'.*2, 4, 8.*3"):
        validate((some,), {"bits": 3}, "t")
    assert restored((some,), {"bits": "3"}, "t") == {"bits": 3}
    with pytest.raises(InvalidOption):
        some.restored(9)


def test_a_number_without_bounds_must_still_be_one() -> None:
    free = Option("free", "Free", "float", 0.0, "h")
    assert free.validate(-1e300) == -1e300
    with pytest.raises(InvalidOption):
        free.validate(float("nan"))
    assert "None" not in free.allowed


def test_defaults_are_filled_in_and_order_is_that_of_the_declaration() -> None:
    found = validate(ALL, {"way": "max", "count": "2"}, "t")
    assert list(found.items()) == [
        ("switch", False),
        ("count", 2),
        ("share_s", 0.5),
        ("way", "max"),
    ]


def test_unknown_options_are_refused() -> None:
    with pytest.raises(
        InvalidOption, match=r"'t' has no such option.*switch, count, share_s, way.*'cuont'"
    ):
        validate(ALL, {"cuont": 1}, "t")


@given(st.integers(-20, 20))
def test_bounds_are_inclusive(value: int) -> None:
    if 1 <= value <= 8:
        assert COUNT.validate(value) == value
    else:
        with pytest.raises(InvalidOption):
            COUNT.validate(value)


@given(st.sets(st.integers(1, 8), min_size=1), st.sets(st.booleans(), min_size=1))
def test_the_grid_is_every_combination(counts: set[int], switches: set[bool]) -> None:
    found = grid(ALL, {"count": tuple(counts), "switch": tuple(switches)})
    assert len(found) == len(counts) * len(switches)
    assert {(f["switch"], f["count"]) for f in found} == set(product(switches, counts))
    assert all(f["share_s"] == 0.5 and f["way"] == "min" for f in found)


def test_presets() -> None:
    assert COUNT.values("full") == (1, 4, 8)
    assert COUNT.values("quick") == (4,)


def test_a_declaration_is_json() -> None:
    assert json.loads(json.dumps([o.to_json() for o in ALL]))[1]["sweep"] == {"full": [1, 4, 8]}
