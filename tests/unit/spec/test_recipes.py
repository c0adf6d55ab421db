"""The planner, on techniques and runtimes that the test makes up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab import registry
from lab.errors import NoPath, UsageError
from lab.options import Option
from lab.plugs import Runtime, Technique
from lab.spec.plan import plan, star
from lab.spec.presets import preset_space, preset_targets
from lab.spec.recipes import complete, conversion_path, name_of
from lab.types import InputSpec, ModelCard, Recipe, Step, StudySpec, Target

BITS = Option("bits", "Bits", "int", 8, "h", low=4, high=16, sweep={"full": (4, 8)})
THREADS = Option(
    "threads", "T", "int", 1, "h", low=1, high=4, affects_output=False, sweep={"full": (1, 2)}
)
CARD = ModelCard("m", "M", "classification", "f", "a", "m.a", InputSpec((4,)), "d")


def technique(id_: str, accepts: str, produces: str, **more: Any) -> Technique:
    return Technique(id_, id_, "h", (accepts,), produces, lambda s, p, c: Path(), **more)


def conversion(accepts: str, produces: str, **more: Any) -> Technique:
    return technique(f"{accepts}_to_{produces}", accepts, produces, conversion=True, **more)


def runtime(id_: str, *formats: str, options: tuple[Option, ...] = (THREADS,)) -> Runtime:
    return Runtime(id_, id_, "h", formats, lambda: None, lambda p, o: None, options)  # type: ignore[arg-type, return-value]


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Formats a → b → c, and a → c only for files that nothing has touched; z has no way out."""
    techniques = [
        conversion("a", "b"),
        conversion("b", "c"),
        conversion("a", "d"),
        conversion("d", "c", only_first=True),
        conversion("b", "e", requires=("not-there",)),
        technique("prune", "a", "a", name=lambda p: "pruned"),
        technique(
            "shrink",
            "b",
            "b",
            name=lambda p: f"wi{p['bits']}",
            options=(BITS,),
            valid=lambda p: p["bits"] != 16,
        ),
        technique("end", "d", "d", name=lambda p: "ended"),
    ]
    runtimes = [runtime("on_b", "b"), runtime("on_c", "c"), runtime("on_e", "e")]
    monkeypatch.setattr(registry, "techniques", lambda: {t.id: t for t in techniques})
    monkeypatch.setattr(registry, "runtimes", lambda: {r.id: r for r in runtimes})
    conversion_path.cache_clear()


@pytest.fixture(autouse=True)
def forget() -> Any:
    """Paths are cached for the life of a process."""
    yield
    conversion_path.cache_clear()


def ids(found: Recipe) -> list[str]:
    return [s.technique for s in found.steps]


def of(*techniques: str, **params: Any) -> Recipe:
    return Recipe(tuple(Step(t, params if t == "shrink" else {}) for t in techniques))


def test_conversions_are_found_and_are_the_shortest() -> None:
    assert ids(complete("a", of(), Target("on_b"))) == ["a_to_b"]
    assert ids(complete("a", of(), Target("on_c"))) == ["a_to_b", "b_to_c"]
    assert ids(complete("b", of(), Target("on_b"))) == []


def test_conversions_go_round_each_step() -> None:
    found = complete("a", of("prune", "shrink"), Target("on_c"))
    assert ids(found) == ["prune", "a_to_b", "shrink", "b_to_c"]
    assert found.steps[2].params == {"bits": 8}


def test_conversions_of_float_files_come_first_or_not_at_all() -> None:
    path = conversion_path("d", ("c",))
    assert path is not None
    assert [t.id for t in path] == ["d_to_c"]
    assert conversion_path("d", ("c",), untouched=False) is None
    with pytest.raises(NoPath, match="from 'd' to what 'on_c' takes"):
        complete("a", of("end"), Target("on_c"))


def test_what_is_not_installed_is_no_way() -> None:
    with pytest.raises(NoPath):
        complete("a", of(), Target("on_e"))
    assert conversion_path("z", ("b",)) is None


def test_names() -> None:
    assert name_of(complete("a", of(), Target("on_c"))) == "float32"
    assert name_of(complete("a", of("prune", "shrink", bits=4), Target("on_c"))) == "pruned+wi4"


def test_a_plan_is_every_recipe_on_every_target_with_the_baseline_first() -> None:
    spec = StudySpec(
        "m", {"shrink": {"bits": (4, 8, 16)}}, (of("prune"),), (Target("on_b"), Target("on_c"))
    )
    found = plan(spec, CARD).trials
    assert [(t.name, t.target.runtime) for t in found] == [
        (name, r) for r in ("on_b", "on_c") for name in ("float32", "pruned", "wi4", "wi8")
    ]
    assert [t.is_baseline for t in found] == [True, False, False, False] * 2
    assert found[0].target.options == {"threads": 1}


def test_the_same_trial_is_planned_once() -> None:
    twice = (of("shrink"), of("shrink", bits=8), of("a_to_b", "shrink", bits="8"), of("a_to_b"))
    targets = (Target("on_b"), Target("on_b", {"threads": "1"}))
    found = plan(StudySpec("m", {"shrink": {}}, twice, targets), CARD)
    assert [t.name for t in found.trials] == ["float32", "wi8"]


def test_what_has_no_path_is_told_with_its_reason() -> None:
    found = plan(StudySpec("m", {}, (of("end"), of("shrink")), (Target("on_c"),)), CARD)
    assert [t.name for t in found.trials] == ["float32", "wi8"]
    assert len(found.skipped) == 1
    assert found.skipped[0].startswith("ended on on_c: No conversion leads")


def test_a_recipe_with_options_is_named_also_where_it_has_no_path() -> None:
    found = plan(StudySpec("m", {}, (of("shrink", "end"),), (Target("on_b"),)), CARD)
    assert found.skipped[0].startswith("wi8+ended on on_b")


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="Nothing can be run"):
        plan(StudySpec("m", targets=(Target("on_e"),)), CARD)
    with pytest.raises(UsageError, match="no target"):
        plan(StudySpec("m"), CARD)


def test_presets() -> None:
    assert preset_space(CARD, "full", ["on_b"]) == {"prune": {}, "shrink": {"bits": (4, 8)}}
    assert preset_space(CARD, "quick", ["on_c"]) == {"prune": {}, "shrink": {"bits": (8,)}}
    assert [t.options["threads"] for t in preset_targets("full", ["on_b"])] == [1, 2]


def test_targets_vary_one_option_at_a_time() -> None:
    options = (
        Option("a", "A", "int", 1, "h"),
        Option("b", "B", "bool", True, "h"),
        Option("c", "C", "bool", False, "h"),
    )
    found = star(options, {"a": (1, 2, 4), "b": (True, False)})
    assert found == [
        {"a": 1, "b": True, "c": False},
        {"a": 2, "b": True, "c": False},
        {"a": 4, "b": True, "c": False},
        {"a": 1, "b": False, "c": False},
    ]


def test_on_further_targets_techniques_run_as_they_come() -> None:
    one, two = (Target("on_b", {"threads": n}) for n in (1, 2))
    spec = StudySpec(
        "m", {"shrink": {"bits": (4, 6, 8)}}, (of("prune"),), (one,), further_targets=(two,)
    )
    found = [(t.target.options["threads"], t.name) for t in plan(spec, CARD).trials]
    assert found == [
        (1, "float32"),
        (1, "pruned"),
        (1, "wi4"),
        (1, "wi6"),
        (1, "wi8"),
        (2, "float32"),
        (2, "wi8"),
    ]
