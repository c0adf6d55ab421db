"""Specs of studies: reading them from JSON, and checking their numbers and names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from lab import registry
from lab.errors import InvalidOption, UsageError
from lab.options import PRESETS
from lab.spec.chains import NOTHING, chain_from_json, check_chain, check_space, check_values
from lab.spec.recipes import complete_step
from lab.spec.search import completed, search_from_json
from lab.types import Objective, Recipe, StudySpec, Target

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


def check_new_values(spec: StudySpec) -> StudySpec:
    """Return the spec if the options accept all values of its space and chains.

    Its recipes may be stored ones with values that are no longer accepted, see
    `lab.options.Option.only`; their trials fail with an error.

    Raises:
        InvalidOption: an option does not accept a value.
    """
    for stage in (spec.space, *(stage for chain in spec.chains for stage in chain)):
        for id_, space in stage.items():
            if id_ != NOTHING:
                check_values(registry.technique(id_), space)
    return spec


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
