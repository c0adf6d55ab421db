"""What each layer costs, from trials whose numbers are made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.analysis.sensitivity import changed, mixed_recipes, noise_of, sensitivity
from lab.types import Measurement, Recipe, Step, StudySpec, Target, Trial

LAYERS = {"a": 30.0, "b": 10.0, "c": 20.0}  # SQNR in dB where it alone is quantized
RECIPE = Recipe((Step("convert", {}), Step("quantize", {"only": (), "keep_float": ()})))
GROUPS = [
    {"name": name, "label": name.upper(), "type": "Conv", "names": [name], "position": n}
    for n, name in enumerate(LAYERS)
]
ABOUT = {"kind": "sensitivity", "study": "s", "trial": "s-0001", "step": 1, "groups": GROUPS}


def spec() -> StudySpec:
    return StudySpec("m", recipes=(RECIPE,), targets=(Target("ort"),), about=ABOUT)


def trial(
    number: int, sqnr_db: float | None, size: float = 100.0, change: float = -0.02, **params: Any
) -> Trial:
    found = {
        "size_bytes": Measurement("size_bytes", size, "B"),
        "latency_s": Measurement("latency_s", 1e-3, "s"),
        "accuracy_change": Measurement(
            "accuracy_change", change, "1", 100, change - 0.01, change + 0.01
        ),
    }
    if sqnr_db is not None:
        found["sqnr_db"] = Measurement("sqnr_db", sqnr_db, "dB")
    return Trial(
        f"t{number}",
        "s",
        number,
        "n",
        changed(RECIPE, 1, **params),
        Target("ort"),
        "complete",
        measurements=found,
    )


def trials() -> list[Trial]:
    whole = [trial(0, 9.0, change=-0.05)]
    alone = [trial(1 + n, db, only=(name,)) for n, (name, db) in enumerate(LAYERS.items())]
    sizes = {"a": 130.0, "b": 400.0, "c": 101.0}
    out = [
        trial(
            5 + n,
            12.0 if name == "b" else 9.1,
            sizes[name],
            -0.01 if name == "b" else -0.05,
            keep_float=(name,),
        )
        for n, name in enumerate(LAYERS)
    ]
    return whole + alone + out


def test_the_layer_that_makes_most_noise_is_first() -> None:
    found = sensitivity(spec(), trials())
    assert [layer.group.name for layer in found.layers] == ["b", "c", "a"]
    worst = found.layers[0]
    assert worst.noise == pytest.approx(0.1)
    assert worst.recovered == pytest.approx(1 - 10**-1.2 / 10**-0.9)
    assert worst.size_bytes == 300
    assert worst.latency_s == 0
    assert worst.won_back == pytest.approx(0.04)
    assert worst.accuracy
    assert (worst.accuracy.low, worst.accuracy.high) == (-0.03, -0.01)


def test_equal_answers_make_no_noise_and_a_missing_trial_says_nothing() -> None:
    assert noise_of(trial(0, None)) == 0.0
    assert noise_of(None) is None
    left = [t for t in trials() if t.recipe.steps[1].params["only"] != ("c",)]
    found = sensitivity(spec(), left)
    assert [layer.group.name for layer in found.layers][-1] == "c"
    assert found.layers[-1].noise is None


def test_what_was_in_float_before_stays_there() -> None:
    kept = changed(RECIPE, 1, keep_float=("a",))
    mine = [
        trial(0, 9.0, keep_float=("a",)),
        trial(1, 10.0, only=("b",), keep_float=("a",)),
        trial(2, 12.0, keep_float=("a", "b")),
    ]
    found = sensitivity(replace(spec(), recipes=(kept,)), mine)
    b = next(layer for layer in found.layers if layer.group.name == "b")
    assert b.noise == pytest.approx(0.1)
    assert b.recovered == pytest.approx(1 - 10**-0.3)


def test_mixed_precision_raises_one_more_layer_in_each_recipe_within_its_budget() -> None:
    ranking = sensitivity(spec(), trials()).layers
    made = [r.steps[1].params["keep_float"] for r in mixed_recipes(RECIPE, 1, ranking, 10)]
    assert made[:2] == [("b",), ("c",)]  # most noise; most noise for each byte (c saves one byte)
    assert ("b", "c") in made
    assert {frozenset(m) for m in made} == {
        frozenset("b"),
        frozenset("c"),
        frozenset("bc"),
        frozenset("abc"),
    }
    assert len(mixed_recipes(RECIPE, 1, ranking, 2)) == 2
    wide = mixed_recipes(RECIPE, 1, ranking, 1, "wide")
    assert wide[0].steps[1].params == {"only": (), "keep_float": (), "wide": ("b",)}
