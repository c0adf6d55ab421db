"""Which channels go: those that matter least, by torch-pruning's measures of importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from types import SimpleNamespace
from typing import Any

from lab.compress.channels import kept_counts
from lab.compress.torch.channels.dependencies import IN, NORM, OUT, Group
from lab.lazy import np


@dataclass(frozen=True)
class Aim:
    """How much is to go; see the options of these names in `lab.compress.channels`."""

    ratio: float
    scope: str = "per_layer"
    round_to: int = 1


class _Part(tuple[Any, list[int]]):
    """A layer and the positions of channels in it, as torch-pruning's measures take it; `root_idxs`
    numbers their units.
    """

    root_idxs: list[int]


def importances(model: Any, groups: Sequence[Group], measure: str, seed: int = 0) -> list[Any]:
    """For each group an array with the importance of each of its units, their mean 1.

    Args:
        measure: "l1", "l2", "bn_scale", "taylor" (parameters have their gradients) or "random".
    """
    if measure == "random":
        rng = np.random.default_rng(seed)
        return [rng.random(len(group.units)) for group in groups]
    return [_importance(model, group, measure) for group in groups]


def _importance(model: Any, group: Group, measure: str) -> Any:
    """Where no batch normalisation scales these channels, their weights are judged instead."""
    parts = [part for place in group.members if (part := _part(model, group, place)) is not None]
    found = _measure(measure)(sorted(parts, key=lambda part: -len(part[1])))
    if found is None:
        return _importance(model, group, "l2")
    values = found.double().numpy()[: len(group.units)]
    return values / max(values.mean(), 1e-30)


def _measure(name: str) -> Any:
    import torch_pruning as tp

    return {
        "l1": lambda: tp.importance.GroupMagnitudeImportance(p=1, normalizer=None),
        "l2": lambda: tp.importance.GroupMagnitudeImportance(p=2, normalizer=None),
        "bn_scale": lambda: tp.importance.BNScaleImportance(normalizer=None),
        "taylor": lambda: tp.importance.GroupTaylorImportance(normalizer=None),
    }[name]()


def _part(model: Any, group: Group, place: tuple[str, str]) -> _Part | None:
    import torch_pruning as tp

    layer, side = place
    functions = {
        ("Linear", OUT): tp.prune_linear_out_channels,
        ("Linear", IN): tp.prune_linear_in_channels,
        ("Conv", OUT): tp.prune_conv_out_channels,
        ("Conv", IN): tp.prune_conv_in_channels,
        ("BatchNorm", NORM): tp.prune_batchnorm_out_channels,
    }
    module = model.get_submodule(layer) if side in (OUT, IN, NORM) else None
    function = functions.get((type(module).__name__.rstrip("123d"), side))
    if function is None or (side == IN and getattr(module, "groups", 1) > 1):
        return None  # a depthwise kernel is judged once, as what it makes
    dep = SimpleNamespace(
        layer=module, target=SimpleNamespace(module=module), pruning_fn=function, handler=function
    )
    positions, units = group.members[place]
    part = _Part((dep, positions.tolist()))
    part.root_idxs = units.tolist()
    return part


def chosen(
    groups: Sequence[Group], sizes: Sequence[int], importance: Sequence[Any], aim: Aim
) -> list[int]:
    """The units that go: numbers that stand for them.

    Args:
        sizes: how many units each group had at first, before any step.
        importance: see `importances`.
    """
    channels, steps = (
        [group.weight() for group in groups],
        [_step(group, aim.round_to) for group in groups],
    )
    kept = kept_counts(importance, sizes, aim.ratio, aim.scope, aim.round_to, channels, steps)
    gone: list[int] = []
    for group, stay, values in zip(groups, kept, importance, strict=True):
        order = np.argsort(values, kind="stable")
        gone += [group.units[i] for i in order[: len(group.units) - stay]]
    return gone


def _step(group: Group, round_to: int) -> int:
    """Units that make a layer wider by a multiple of `round_to` channels; a head may be that by
    itself.
    """
    each = min(int(np.bincount(group.members[layer, OUT][1]).min()) for layer in group.layers)
    return round_to // gcd(each, round_to)
