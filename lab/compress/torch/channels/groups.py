"""Channel ids, the dependencies between channels, and the groups that can be removed.

Each channel has an id. Channels that can only be removed together are coupled: their ids have one
representative. Id 0 marks channels that must stay. `lab.compress.torch.channels.dependencies` finds
the dependencies of a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.lazy import np

OUT, IN, NORM, STORED = "out", "in", "norm", "stored"
LayerAxis = tuple[str, str]
"""Name of a layer and one of its axes: output channels (OUT), input channels (IN), channels of a
normalization (NORM), or channels of a stored tensor (STORED).
"""


class ChannelIds:
    """Ids of channels in a union-find forest; the smallest id of a coupled set represents it.

    Attributes:
        parent: id -> parent in the forest, int64 array.
        reasons: id -> reason why the set that it represented must stay.
    """

    def __init__(self) -> None:
        self.parent = np.zeros(1, np.int64)
        self.reasons: dict[int, str] = {}

    def new(self, n: int) -> Any:
        """Return a tensor (n,) of new ids."""
        import torch

        start = len(self.parent)
        self.parent = np.concatenate([self.parent, np.arange(start, start + n)])
        return torch.arange(start, start + n)

    def representatives(self, ids: Any) -> Any:
        """Return the representative of each id, same shape; 0 where the channel must stay."""
        import torch

        roots = ids.numpy()
        while (up := self.parent[roots]).tobytes() != roots.tobytes():
            roots = up
        return torch.from_numpy(roots.copy())

    def couple(self, a: Any, b: Any, reason: str) -> None:
        """Couple the ids of two tensors of one shape, element by element.

        Args:
            reason: reason to report where one of the two must stay.
        """
        n = len(self.parent)
        pairs = np.unique(
            self.representatives(a).numpy().ravel() * n + self.representatives(b).numpy().ravel()
        )
        for one, other in zip(pairs // n, pairs % n, strict=True):
            low, high = sorted((self._root(one), self._root(other)))
            if low != high:
                self.parent[high] = low
                if not low:
                    self.reasons[high] = reason

    def protect(self, ids: Any, reason: str) -> None:
        """Mark these channels as channels that must stay."""
        self.couple(ids, ids * 0, reason)

    def reason(self, channel_id: int) -> str:
        """Return why the channel must stay; "" where it can be removed."""
        while self.parent[channel_id] not in (0, channel_id):
            channel_id = int(self.parent[channel_id])
        return self.reasons.get(channel_id, "") if not self.parent[channel_id] else ""

    def _root(self, channel_id: int) -> int:
        while self.parent[channel_id] != channel_id:
            channel_id = int(self.parent[channel_id])
        return int(channel_id)


@dataclass
class Dependencies:
    """Channel ids of a network, collected while it runs on an example.

    Attributes:
        axes: layer axis -> tensor with the id of each channel along it.
        outputs: name of a node -> ids of its output: a tensor, a list of tensors, or None where the
            output is no tensor.
        attention: how to treat channels that a reshape splits over several axes: "heads",
            "head_size" or "spare".
    """

    attention: str = "heads"
    ids: ChannelIds = field(default_factory=ChannelIds)
    axes: dict[LayerAxis, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def output_ids(self, node: Any) -> Any:
        """Return the current representatives of a node's output."""
        ids = self.outputs[node.name]
        if isinstance(ids, tuple | list):
            return [self.ids.representatives(part) for part in ids]
        return None if ids is None else self.ids.representatives(ids)

    def axis_ids(self, layer_axis: LayerAxis) -> Any:
        """Return the current representatives of the channels along a layer axis."""
        return self.ids.representatives(self.axes[layer_axis])

    def couple_axis(self, layer_axis: LayerAxis, ids: Any, reason: str) -> Any:
        """Couple channels with those of a layer axis, or add the axis; return the ids along it."""
        if layer_axis in self.axes:
            self.ids.couple(self.axes[layer_axis], ids, reason)
        else:
            self.axes[layer_axis] = ids
        return self.axis_ids(layer_axis)


@dataclass(frozen=True)
class ChannelGroup:
    """Ids that occur along the same layer axes; their importances are compared with each other.

    Attributes:
        ids: representatives; each is removed or kept as a whole.
        members: layer axis -> (positions of channels along it, index in `ids` of each), two int
            arrays of the same length.
    """

    ids: tuple[int, ...]
    members: Mapping[LayerAxis, tuple[Any, Any]]

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers whose outputs these channels are, in the order of the network."""
        return tuple(layer for layer, side in self.members if side == OUT)

    def channels_per_id(self) -> float:
        """Return how many output channels one id stands for, on average."""
        return sum(len(self.members[layer, OUT][0]) for layer in self.layers) / len(self.ids)


def removable_groups(dependencies: Dependencies) -> list[ChannelGroup]:
    """Return the groups of removable channels in the order of the network; each has at least two
    ids.
    """
    axes_by_id: dict[int, dict[LayerAxis, list[int]]] = {}
    for layer_axis in dependencies.axes:
        for position, channel_id in enumerate(dependencies.axis_ids(layer_axis).tolist()):
            if channel_id:
                axes_by_id.setdefault(channel_id, {}).setdefault(layer_axis, []).append(position)
    ids_by_axes: dict[Any, list[int]] = {}
    for channel_id, axes in sorted(axes_by_id.items()):
        if any(side == OUT for _, side in axes):
            ids_by_axes.setdefault(
                tuple((layer_axis, len(at)) for layer_axis, at in axes.items()), []
            ).append(channel_id)
    return [_group(ids, axes_by_id) for ids in ids_by_axes.values() if len(ids) > 1]


def _group(ids: list[int], axes_by_id: Mapping[int, Mapping[LayerAxis, list[int]]]) -> ChannelGroup:
    members = {}
    for layer_axis in axes_by_id[ids[0]]:
        pairs = sorted(
            (position, number)
            for number, channel_id in enumerate(ids)
            for position in axes_by_id[channel_id][layer_axis]
        )
        members[layer_axis] = (np.array([p for p, _ in pairs]), np.array([n for _, n in pairs]))
    return ChannelGroup(tuple(ids), members)


def protected_layers(dependencies: Dependencies) -> dict[str, str]:
    """Return layer -> reason, for layers whose output channels must all stay."""
    reasons = {}
    for (layer, side), ids in dependencies.axes.items():
        if side == OUT and not dependencies.axis_ids((layer, side)).any():
            reasons[layer] = dependencies.ids.reason(int(ids[0]))
    return reasons
