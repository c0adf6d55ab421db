"""Which channels go: those that matter least, by torch-pruning's measures of importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from types import SimpleNamespace
from typing import Any

from lab.formats.torch_channels import IN, NORM, OUT, Group
from lab.lazy import np

LEAST_SHARE = 0.1
"""What ranking over the whole network leaves of each layer at least, where less was asked to go."""


@dataclass(frozen=True)
class Aim:
    """How much is to go.

    Attributes:
        ratio: share of channels; of each group, or of all together.
        everywhere: whether all groups are ranked together.
        round_to: what layers keep is a multiple of this, where they had that many.
    """

    ratio: float
    everywhere: bool = False
    round_to: int = 1


class _Part(tuple[Any, list[int]]):
    """A layer and the positions of channels in it, as torch-pruning's measures take it; `root_idxs` numbers their units."""

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
        ("Linear", OUT): tp.prune_linear_out_channels, ("Linear", IN): tp.prune_linear_in_channels,
        ("Conv", OUT): tp.prune_conv_out_channels, ("Conv", IN): tp.prune_conv_in_channels,
        ("BatchNorm", NORM): tp.prune_batchnorm_out_channels,
    }  # fmt: skip
    module = model.get_submodule(layer) if side in (OUT, IN, NORM) else None
    function = functions.get((type(module).__name__.rstrip("123d"), side))
    if function is None or (side == IN and getattr(module, "groups", 1) > 1):
        return None  # a depthwise kernel is judged once, as what it makes
    dep = SimpleNamespace(layer=module, target=SimpleNamespace(module=module), pruning_fn=function, handler=function)
    positions, units = group.members[place]
    part = _Part((dep, positions.tolist()))
    part.root_idxs = units.tolist()
    return part


def chosen(groups: Sequence[Group], sizes: Sequence[int], importance: Sequence[Any], aim: Aim) -> list[int]:
    """The units that go: numbers that stand for them.

    Args:
        sizes: how many units each group had at first, before any step.
        importance: see `importances`.
    """
    kept = (
        _kept_of_all(groups, sizes, importance, aim) if aim.everywhere else [size * (1 - aim.ratio) for size in sizes]
    )
    gone: list[int] = []
    for group, size, wanted, values in zip(groups, sizes, kept, importance, strict=True):
        stay = min(_rounded(group, size, wanted, aim.round_to), len(group.units))
        order = np.argsort(values, kind="stable")
        gone += [group.units[i] for i in order[: len(group.units) - stay]]
    return gone


def _rounded(group: Group, size: int, wanted: float, round_to: int) -> int:
    """A number of units that makes layers as wide as kernels like them, at least one; heads stay whole."""
    each = min(int(np.bincount(group.members[layer, OUT][1]).min()) for layer in group.layers)
    step = round_to // gcd(each, round_to)
    step = step if size >= step else 1
    return max(step, int(wanted / step + 0.5) * step)


def _kept_of_all(groups: Sequence[Group], sizes: Sequence[int], importance: Sequence[Any], aim: Aim) -> list[float]:
    """How many units of each group are left when the least important channels of the whole network have gone."""
    least = [max(1, round(size * min(LEAST_SHARE, 1 - aim.ratio))) for size in sizes]
    ranked = []
    for number, (group, values) in enumerate(zip(groups, importance, strict=True)):
        order = np.sort(values)[::-1][least[number] :]  # the most important ones of each group are safe
        ranked += [(value, number, group.weight()) for value in order]
    to_go = aim.ratio * sum(s * g.weight() for s, g in zip(sizes, groups, strict=True)) - sum(
        (s - len(g.units)) * g.weight() for s, g in zip(sizes, groups, strict=True)
    )
    kept = [float(len(group.units)) for group in groups]
    for _, number, weight in sorted(ranked):
        if to_go < weight / 2:
            break
        kept[number] -= 1
        to_go -= weight
    return kept
