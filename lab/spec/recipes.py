"""Recipes: how they are named, completed with conversions, laid out from a search space, and read
from JSON.

Speaking names are decoded in `lab.compress.naming`. A recipe of several techniques joins their
names with "+"; one that only converts is called "float32".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from lab import registry
from lab.errors import InvalidOption, NoPath, UnknownId, UsageError
from lab.options import PRESETS, Option, grid, validate
from lab.plugs import Technique
from lab.spec.chains import chain_from_json, check_chain, check_space, recipes_of
from lab.spec.chains import preset_chains as chains_of
from lab.spec.search import completed, search_from_json
from lab.types import Chain, ModelCard, Objective, Recipe, Step, StudySpec, Target, digest_of


@dataclass(frozen=True)
class PlannedTrial:
    """A complete recipe on a target."""

    name: str
    recipe: Recipe
    target: Target
    is_baseline: bool


@dataclass(frozen=True)
class Plan:
    """What a spec comes to: the trials, and the combinations that have no path, each with its
    reason.
    """

    trials: tuple[PlannedTrial, ...]
    skipped: tuple[str, ...] = ()


def complete_step(step: Step) -> Step:
    """The step with every option of its technique filled in and checked.

    Raises:
        UnknownId, InvalidOption: the technique or an option of it does not exist or does not accept
            the value.
    """
    technique = registry.technique(step.technique)
    return Step(technique.id, validate(technique.options, step.params, technique.id))


def complete_target(target: Target) -> Target:
    """The target with every option of its runtime filled in and checked."""
    runtime = registry.runtime(target.runtime)
    return Target(runtime.id, validate(runtime.options, target.options, runtime.id))


def identity(recipe: Recipe, target: Target) -> str:
    """Equal for equal recipes on equal targets, also where one was stored before an option
    existed.
    """
    whole = Recipe(tuple(map(complete_step, recipe.steps)))
    return digest_of([whole.to_json(), complete_target(target).to_json()])


def name_of(recipe: Recipe) -> str:
    """The recipe's speaking name; "float32" where it only converts."""
    names = [registry.technique(s.technique).name(s.params) for s in recipe.steps]
    return "+".join(n for n in names if n) or "float32"


def prefixes(recipe: Recipe) -> list[tuple[Step, ...]]:
    """The chains of steps that lead to the recipe, the shortest first: each makes a file that
    others may share.
    """
    return [recipe.steps[:n] for n in range(1, len(recipe.steps) + 1)]


def is_conversion_only(recipe: Recipe) -> bool:
    """True for the float baseline of a runtime."""
    return all(registry.technique(step.technique).conversion for step in recipe.steps)


@cache
def conversion_path(
    source: str, wanted: tuple[str, ...], *, untouched: bool = True
) -> list[Technique] | None:
    """The shortest chain of installed conversions from a format to any of the wanted ones, or None.

    Args:
        untouched: False where another technique came before: conversions of float files only are
            out.
    """
    paths: list[tuple[str, list[Technique]]] = [(source, [])]
    seen = {source}
    for format_, path in paths:  # grows while it is walked: breadth first
        if format_ in wanted:
            return path
        for technique in _conversions(format_):
            if technique.produces not in seen and (untouched or not technique.only_first):
                seen.add(technique.produces)
                paths.append((technique.produces, [*path, technique]))
    return None


def _conversions(format_: str) -> list[Technique]:
    return [
        t
        for t in registry.techniques().values()
        if t.conversion and format_ in t.accepts and t.missing is None
    ]


def complete(source: str, recipe: Recipe, target: Target) -> Recipe:
    """Fill in defaults and insert the conversions that lead from the source format through each
    step to the runtime.

    Raises:
        NoPath: no chain of installed conversions does.
    """
    format_, steps = source, list[Step]()
    for step in map(complete_step, recipe.steps):
        technique = registry.technique(step.technique)
        steps += [*_bridge(format_, technique.accepts, technique.id, steps), step]
        format_ = technique.produces
    runtime = registry.runtime(target.runtime)
    return Recipe((*steps, *_bridge(format_, runtime.formats, runtime.id, steps)))


def _bridge(
    format_: str, wanted: tuple[str, ...], consumer: str, before: Sequence[Step]
) -> list[Step]:
    path = conversion_path(format_, wanted, untouched=is_conversion_only(Recipe(tuple(before))))
    if path is None:
        raise NoPath(
            f"No conversion leads from {format_!r} to what {consumer!r} takes",
            allowed=" or ".join(wanted),
            given=format_,
            remedy="Choose another runtime, or add the model in another format",
        )
    return [complete_step(Step(t.id)) for t in path]


def applicable(card: ModelCard, runtime_ids: Sequence[str]) -> list[Technique]:
    """The installed techniques, other than conversions, that lead from this model to one of these
    runtimes.
    """
    found = []
    for technique in registry.techniques().values():
        if (
            not technique.conversion
            and technique.missing is None
            and _reaches(card.format, technique, runtime_ids)
        ):
            found.append(technique)
    return found


def _reaches(format_: str, technique: Technique, runtime_ids: Sequence[str]) -> bool:
    if conversion_path(format_, technique.accepts) is None:
        return False
    return any(
        conversion_path(technique.produces, registry.runtime(r).formats, untouched=False)
        is not None
        for r in runtime_ids
    )


def check_preset(preset: str) -> str:
    """The preset, if there is one of that name.

    Raises:
        UnknownId: there is not.
    """
    if preset not in PRESETS:
        raise UnknownId.of("preset", preset, PRESETS)
    return preset


def preset_space(
    card: ModelCard, preset: str, runtime_ids: Sequence[str]
) -> dict[str, dict[str, tuple[Any, ...]]]:
    """The grid that a preset tries: technique -> option -> values."""
    check_preset(preset)
    chosen = [t for t in applicable(card, runtime_ids) if preset in t.presets]
    return {t.id: {o.id: o.values(preset) for o in t.options} for t in chosen}


def preset_recipes(card: ModelCard, preset: str, runtime_ids: Sequence[str]) -> tuple[Recipe, ...]:
    """What a preset tries beside its grid: one setting at a time, such as other calibration
    items.
    """
    check_preset(preset)
    chosen = [t for t in applicable(card, runtime_ids) if preset in t.presets]
    return tuple(
        Recipe((Step(t.id, dict(params)),)) for t in chosen for params in t.extra.get(preset, ())
    )


def preset_chains(card: ModelCard, preset: str, runtime_ids: Sequence[str]) -> tuple[Chain, ...]:
    """The compositions that a preset tries, see `lab.spec.chains.preset_chains`."""
    return chains_of(applicable(card, runtime_ids), check_preset(preset))


def preset_targets(preset: str, runtime_ids: Sequence[str] | None = None) -> tuple[Target, ...]:
    """The preset's installed runtimes (or the named ones) with the option values that it tries, see
    `star`.
    """
    check_preset(preset)
    installed = [
        r.id for r in registry.runtimes().values() if r.missing is None and preset in r.presets
    ]
    return tuple(
        Target(runtime.id, params)
        for runtime in map(registry.runtime, runtime_ids or installed)
        for params in star(runtime.options, {o.id: o.values(preset) for o in runtime.options})
    )


def star(options: Sequence[Option], space: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The first value of each option, then each other value, one at a time: every variant runs on
    every target, so that
    their combinations would multiply the work of a whole sweep.
    """
    usual = grid(options, {id_: values[:1] for id_, values in space.items()})[0]
    others = (
        grid(options, {**{k: (v,) for k, v in usual.items()}, id_: values[1:]})
        for id_, values in space.items()
    )
    return [usual, *(params for found in others for params in found)]


def plan(spec: StudySpec, card: ModelCard) -> Plan:
    """Lay out a spec's trials: every recipe on every target that it can reach, the float baseline
    first.

    Raises:
        UsageError: nothing can be run.
    """
    trials: dict[str, PlannedTrial] = {}
    skipped: list[str] = []
    for target, recipes in _layout(spec):
        for recipe in recipes:
            try:
                trial = _planned(card, recipe, target)
            except NoPath as error:
                whole = Recipe(tuple(map(complete_step, recipe.steps)))
                skipped.append(f"{name_of(whole)} on {target.runtime}: {error}")
            else:
                trials.setdefault(identity(trial.recipe, target), trial)
    if not trials:
        raise UsageError(
            "Nothing can be run",
            given=skipped[0] if skipped else "no target",
            remedy="Name a target that the model can be converted for",
        )
    return Plan(tuple(trials.values()), tuple(skipped))


def _layout(spec: StudySpec) -> Iterator[tuple[Target, Sequence[Recipe]]]:
    """Each target with what runs on it, the float model first."""
    composed = (recipe for chain in spec.chains for recipe in recipes_of(chain))
    everything = (Recipe(), *spec.recipes, *_grid_recipes(spec), *composed)
    as_they_come = (Recipe(), *(Recipe((Step(id_),)) for id_ in spec.space))
    yield from ((complete_target(target), everything) for target in spec.targets)
    yield from ((complete_target(target), as_they_come) for target in spec.further_targets)


def _planned(card: ModelCard, recipe: Recipe, target: Target) -> PlannedTrial:
    done = complete(card.format, recipe, target)
    return PlannedTrial(name_of(done), done, target, is_conversion_only(done))


def _grid_recipes(spec: StudySpec) -> list[Recipe]:
    recipes = []
    for id_, space in spec.space.items():
        technique = registry.technique(id_)
        check_space(technique, space)
        recipes += [
            Recipe((Step(id_, p),)) for p in grid(technique.options, space) if technique.valid(p)
        ]
    return recipes


_SPEC_FIELDS = set(StudySpec.__dataclass_fields__)


def spec_from_json(value: Mapping[str, Any]) -> StudySpec:
    """Read a spec.

    Raises:
        UsageError: not an object, an unknown field, or a field of the wrong form.
    """
    if (
        not isinstance(value, Mapping)
        or "model" not in value
        or (unknown := set(value) - _SPEC_FIELDS)
    ):
        raise UsageError(
            "This is not a study's spec",
            allowed="an object with 'model' and any of " + ", ".join(sorted(_SPEC_FIELDS)),
            given=sorted(unknown) if isinstance(value, Mapping) and "model" in value else value,
        )
    try:
        return _read_spec(value)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise UsageError(
            "A field of the spec has the wrong form",
            given=str(error),
            remedy="Compare it with the 'study.spec' that sweep --json writes",
        ) from error


def _read_spec(value: Mapping[str, Any]) -> StudySpec:
    plain = {
        k: value[k]
        for k in (
            "model",
            "preset",
            "seed",
            "rounds",
            "runs",
            "turn_s",
            "test_samples",
            "precision",
            "budget_s",
        )
        if k in value
    }
    spec = StudySpec(
        **plain,
        space={
            t: {o: tuple(v) for o, v in opts.items()}
            for t, opts in (value.get("space") or {}).items()
        },
        chains=tuple(chain_from_json(chain) for chain in value.get("chains") or ()),
        recipes=tuple(Recipe.from_json(r) for r in value.get("recipes") or ()),
        targets=tuple(Target.from_json(t) for t in value.get("targets") or ()),
        further_targets=tuple(Target.from_json(t) for t in value.get("further_targets") or ()),
        metrics=tuple(value.get("metrics") or ()),
        about=dict(value.get("about") or {}),
        search=completed(value.get("search")),
    )
    objectives = tuple(
        Objective(o["metric"], o["direction"]) for o in value.get("objectives") or ()
    )
    return replace(spec, objectives=objectives) if objectives else spec


def check_spec(spec: StudySpec) -> StudySpec:
    """The spec, if its numbers are possible and all that it names exists.

    Raises:
        InvalidOption, UnknownId: they are not, or it does not.
    """
    for name, allowed, possible in _NUMBERS:
        if not possible(getattr(spec, name)):
            raise InvalidOption(
                f"The spec's {name!r} is not possible",
                allowed=allowed,
                given=repr(getattr(spec, name)),
            )
    for id_ in (*spec.metrics, *(o.metric for o in spec.objectives)):
        registry.metric(id_)
    for id_, space in spec.space.items():
        check_space(registry.technique(id_), space)
    for chain in spec.chains:
        check_chain(chain)
    for recipe in spec.recipes:
        tuple(map(complete_step, recipe.steps))
    return replace(spec, search=search_from_json(spec.search))


def _is_int(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= high


_LARGE = 2**31
_NUMBERS: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("rounds", "a whole number from 2 to 1000", lambda v: _is_int(v, 2, 1000)),
    ("runs", "a whole number from 1 to 10000", lambda v: _is_int(v, 1, 10_000)),
    ("turn_s", "0 to 60 s", lambda v: _is_number(v, 60.0)),
    ("precision", "0 to 1: half of the interval over the median", lambda v: _is_number(v, 1.0)),
    ("budget_s", "0 to 3600 s", lambda v: _is_number(v, 3600.0)),
    ("seed", "a whole number from 0", lambda v: _is_int(v, 0, _LARGE)),
    (
        "test_samples",
        "a whole number from 1, or nothing",
        lambda v: v is None or _is_int(v, 1, _LARGE),
    ),
    ("preset", ", ".join(PRESETS) + ", or nothing", lambda v: v is None or v in PRESETS),
    (
        "objectives",
        "maximize or minimize",
        lambda v: all(o.direction in ("maximize", "minimize") for o in v),
    ),
)
