"""Recipes: their names and identities, defaults filled in, and the conversions that lead from a
model's format through each step to a runtime.

A technique names its own step, see `lab.compress.naming`. A recipe of several techniques joins
their names with "+"; one that only converts is called "float32".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from lab import registry
from lab.errors import NoPath
from lab.options import restored
from lab.plugs import Technique
from lab.types import ModelCard, Recipe, Step, Target, digest_of


def complete_step(step: Step) -> Step:
    """The step with every option of its technique filled in and checked.

    Raises:
        UnknownId, InvalidOption: the technique or an option of it does not exist or does not accept
            the value.
    """
    technique = registry.technique(step.technique)
    return Step(technique.id, restored(technique.options, step.params, technique.id))


def complete_target(target: Target) -> Target:
    """The target with every option of its runtime filled in and checked."""
    runtime = registry.runtime(target.runtime)
    return Target(runtime.id, restored(runtime.options, target.options, runtime.id))


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
    techniques = []
    for technique in registry.techniques().values():
        if (
            not technique.conversion
            and technique.missing is None
            and _reaches(card.format, technique, runtime_ids)
        ):
            techniques.append(technique)
    return techniques


def _reaches(format_: str, technique: Technique, runtime_ids: Sequence[str]) -> bool:
    if conversion_path(format_, technique.accepts) is None:
        return False
    return any(
        conversion_path(technique.produces, registry.runtime(r).formats, untouched=False)
        is not None
        for r in runtime_ids
    )
