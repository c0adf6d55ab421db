"""Choice of the channels to remove: the least important ones, by torch-pruning's measures of
importance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from types import SimpleNamespace
from typing import Any

from lab.compress.channels import kept_counts
from lab.compress.torch.channels.groups import IN, NORM, OUT, ChannelGroup
from lab.lazy import np


@dataclass(frozen=True)
class Aim:
    """Target of a pruning; see the options of these names in `lab.compress.channels`."""

    ratio: float
    scope: str = "per_layer"
    round_to: int = 1


class _Part(tuple[Any, list[int]]):
    """A layer and positions of channels in it, in the form that torch-pruning's measures read;
    `root_idxs` holds the index of each position's id.
    """

    root_idxs: list[int]


def importances(
    model: Any, groups: Sequence[ChannelGroup], measure: str, seed: int = 0
) -> list[Any]:
    """Return an array for each group with the importance of each of its ids, normalized to a mean
    of 1.

    Args:
        measure: "l1", "l2", "bn_scale", "taylor" (parameters need gradients) or "random".
    """
    if measure == "random":
        rng = np.random.default_rng(seed)
        return [rng.random(len(group.ids)) for group in groups]
    return [_importance(model, group, measure) for group in groups]


def _importance(model: Any, group: ChannelGroup, measure: str) -> Any:
    """Return the importances of one group; where no batch normalization scales its channels,
    measure l2 instead.
    """
    parts = [
        part
        for layer_axis in group.members
        if (part := _part(model, group, layer_axis)) is not None
    ]
    measured = _measure(measure)(sorted(parts, key=lambda part: -len(part[1])))
    if measured is None:
        return _importance(model, group, "l2")
    values = measured.double().numpy()[: len(group.ids)]
    return values / max(values.mean(), 1e-30)


def _measure(name: str) -> Any:
    import torch_pruning as tp

    return {
        "l1": lambda: tp.importance.GroupMagnitudeImportance(p=1, normalizer=None),
        "l2": lambda: tp.importance.GroupMagnitudeImportance(p=2, normalizer=None),
        "bn_scale": lambda: tp.importance.BNScaleImportance(normalizer=None),
        "taylor": lambda: tp.importance.GroupTaylorImportance(normalizer=None),
    }[name]()


def _part(model: Any, group: ChannelGroup, layer_axis: tuple[str, str]) -> _Part | None:
    import torch_pruning as tp

    layer, side = layer_axis
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
        return None  # a depthwise kernel counts once, by its outputs
    dep = SimpleNamespace(
        layer=module, target=SimpleNamespace(module=module), pruning_fn=function, handler=function
    )
    positions, indices = group.members[layer_axis]
    part = _Part((dep, positions.tolist()))
    part.root_idxs = indices.tolist()
    return part


def channels_to_remove(
    groups: Sequence[ChannelGroup], sizes: Sequence[int], importance: Sequence[Any], aim: Aim
) -> list[int]:
    """Return the ids of the channels to remove.

    Args:
        sizes: number of ids of each group before the first pruning step.
        importance: see `importances`.
    """
    channels, steps = (
        [group.channels_per_id() for group in groups],
        [_step(group, aim.round_to) for group in groups],
    )
    kept = kept_counts(importance, sizes, aim.ratio, aim.scope, aim.round_to, channels, steps)
    removed: list[int] = []
    for group, stay, values in zip(groups, kept, importance, strict=True):
        order = np.argsort(values, kind="stable")
        removed += [group.ids[i] for i in order[: len(group.ids) - stay]]
    return removed


def _step(group: ChannelGroup, round_to: int) -> int:
    """Return how many ids widen a layer by a multiple of `round_to` channels; one attention head
    may already do.
    """
    each = min(int(np.bincount(group.members[layer, OUT][1]).min()) for layer in group.layers)
    return round_to // gcd(each, round_to)
