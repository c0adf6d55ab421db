"""Specs of studies: presets, targets, and how long the work will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab import registry
from lab.api._models import model
from lab.engine import estimating
from lab.engine.estimating import Estimate
from lab.spec import presets
from lab.spec.reading import check_new_values, check_spec, spec_from_json
from lab.spec.recipes import complete_target, conversion_path
from lab.types import Chain, ModelCard, Recipe, StudySpec, Target


def parse_target(text: str) -> Target:
    """`ort`, or with options `litert:threads=2,xnnpack=false`, as a complete target.

    Raises:
        UsageError: an unknown runtime or option, or a value that it does not accept.
    """
    runtime, _, rest = text.partition(":")
    pairs = [part.partition("=") for part in rest.split(",") if part]
    return complete_target(Target(runtime, {key.strip(): value.strip() for key, _, value in pairs}))


def preset_space(
    model_id: str, preset: str, runtime_ids: Sequence[str]
) -> dict[str, dict[str, tuple[Any, ...]]]:
    """The grid of a preset: technique -> option -> values."""
    return presets.preset_space(model(model_id), preset, runtime_ids)


def preset_targets(preset: str, runtime_ids: Sequence[str] | None = None) -> tuple[Target, ...]:
    """The targets of a preset, of all installed runtimes or of the named ones."""
    return presets.preset_targets(preset, runtime_ids)


def preset_recipes(model_id: str, preset: str, runtime_ids: Sequence[str]) -> tuple[Recipe, ...]:
    """Recipes that a preset tries beside its grid: one setting at a time, such as other calibration
    items.
    """
    return presets.preset_recipes(model(model_id), preset, runtime_ids)


def preset_chains(model_id: str, preset: str, runtime_ids: Sequence[str]) -> tuple[Chain, ...]:
    """Compositions of several techniques that a preset tries, such as prune, fine-tune, quantize;
    see `lab.spec.chains`.
    """
    return presets.preset_chains(model(model_id), preset, runtime_ids)


def make_spec(
    model_id: str,
    preset: str = "quick",
    space: Mapping[str, Any] | None = None,
    targets: Sequence[Target | str] | None = None,
    recipes: Sequence[Recipe] = (),
    chains: Sequence[Chain] | None = None,
    **more: Any,
) -> StudySpec:
    """A complete spec.

    Args:
        model_id: id of a card.
        preset: "quick", "standard" or "full".
        space: technique -> option -> values; None takes the preset's grid of every technique that
            has a path, and what the
            preset tries beside it.
        targets: targets, or strings as `parse_target` reads them; None takes the preset's that the
            model can reach: of each
            runtime the usual one for every variant, the others for each technique as it comes.
        recipes: further recipes.
        chains: compositions, see `lab.spec.chains`; None takes the preset's where `space` is None,
            too.
        more: any further field of `StudySpec`, such as `rounds`, or `search={"trials": 60}` for a
            guided search instead of
            the whole grid, see `lab.spec.search`.

    Raises:
        UsageError: something in it cannot be.
    """
    card = model(model_id)
    presets.check_preset(preset)
    chosen, further = _targets(card, preset, targets)
    runtime_ids = list(dict.fromkeys(t.runtime for t in chosen))
    grid = presets.preset_space(card, preset, runtime_ids) if space is None else space
    extra = presets.preset_recipes(card, preset, runtime_ids) if space is None else ()
    if chains is None:
        chains = presets.preset_chains(card, preset, runtime_ids) if space is None else ()
    value = {
        "metrics": _metrics_of(card),
        "objectives": _objectives_of(card),
        "further_targets": [t.to_json() for t in further],
        **more,
    }
    spec = spec_from_json(
        {
            **StudySpec(
                card.id, grid, (*extra, *recipes), chosen, preset=preset, chains=tuple(chains)
            ).to_json(),
            **value,
        }
    )
    return check_new_values(check_spec(spec))


def _targets(
    card: ModelCard, preset: str, targets: Sequence[Target | str] | None
) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Targets of every variant, and further ones."""
    if targets is not None:
        return (
            tuple(parse_target(t) if isinstance(t, str) else complete_target(t) for t in targets),
            (),
        )
    reachable = [t for t in presets.preset_targets(preset) if _reachable(card, t)]
    usual = {t.runtime: t for t in reversed(reachable)}
    return tuple(t for t in reachable if t is usual[t.runtime]), tuple(
        t for t in reachable if t is not usual[t.runtime]
    )


def _reachable(card: ModelCard, target: Target) -> bool:
    return conversion_path(card.format, registry.runtime(target.runtime).formats) is not None


def _objectives_of(card: ModelCard) -> list[dict[str, str]]:
    """The task's own metric against size and latency."""
    wanted = (registry.task(card.task).primary, "size_bytes", "latency_s")
    return [{"metric": id_, "direction": registry.metric(id_).direction} for id_ in wanted]


def _metrics_of(card: ModelCard) -> list[str]:
    return sorted(m.id for m in registry.metrics().values() if not m.tasks or card.task in m.tasks)


def estimate(spec: StudySpec) -> Estimate:
    """Estimate the number of trials of a spec, how many of them are cached, and how long the rest
    takes.
    """
    return estimating.estimate(spec, model(spec.model))
