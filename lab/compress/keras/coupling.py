"""Coupling of channels in a Keras graph: which can only be removed together, and along which axes
of which weights they lie.

Each channel that a layer makes has an id. Channels that are combined, as in the sum of a residual
connection, are coupled (union-find); a channel coupled with id 0 is protected: it always stays.

The idea is the dependency graph of G. Fang et al.: DepGraph, Towards Any Structural Pruning, CVPR
2023 (arXiv:2301.12900).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.lazy import np
from lab.plugs import Array

PROTECTED = 0
Role = Literal["makes", "reads", "scales", "other"]


@dataclass(frozen=True)
class Axis:
    """An axis of a weight that holds channels.

    Attributes:
        layer: name of the layer.
        weight: position in `get_weights()`.
        channels: ids of the channels along the axis.
        role: use of the channels by the weight: "makes" and "reads" for kernels, "scales" for the
            factors of a normalisation.
        repeats: number of blocks of channels that share the axis, as the inputs of a grouped
            convolution do.
    """

    layer: str
    weight: int
    axis: int
    channels: Array
    role: Role = "other"
    repeats: int = 1


@dataclass(frozen=True)
class Width:
    """An entry of a layer's configuration that holds its number of channels, or a shape that ends
    in this number.
    """

    layer: str
    entry: str
    channels: Array
    before: tuple[int, ...] | None = None


@dataclass
class Coupling:
    """Channel ids and the axes that hold them, collected while a graph is walked.

    Attributes:
        parent: parent of each channel id in the union-find forest.
        maker: channel id -> layer that makes the channel.
        protected_by: layers without a rule, as "type 'name'", for which channels were protected.
    """

    parent: list[int] = field(default_factory=lambda: [PROTECTED])
    maker: list[str] = field(default_factory=lambda: [""])
    axes: list[Axis] = field(default_factory=list)
    widths: list[Width] = field(default_factory=list)
    protected_by: list[str] = field(default_factory=list)

    def new_ids(self, layer: str, count: int) -> Array:
        """Return new ids for the channels that a layer makes."""
        first = len(self.parent)
        self.parent += range(first, first + count)
        self.maker += [layer] * count
        return np.arange(first, first + count)

    def representative(self, channel_id: int) -> int:
        """Return the representative of all channels coupled with this one; PROTECTED wins."""
        while self.parent[channel_id] != channel_id:
            self.parent[channel_id] = self.parent[self.parent[channel_id]]
            channel_id = self.parent[channel_id]
        return channel_id

    def couple(self, *rows: Array) -> None:
        """Couple the channels at the same position of each row: they are removed together or not at
        all.
        """
        for ids in zip(*(row.tolist() for row in rows), strict=True):
            roots = [self.representative(n) for n in ids]
            least = min(roots)
            for root in roots:
                self.parent[root] = least

    def protect(self, channels: Array) -> None:
        """Mark these channels as channels that must stay."""
        self.couple(channels, np.full(len(channels), PROTECTED))

    def representatives(self) -> Array:
        """Return the representative of each channel id."""
        return np.asarray([self.representative(n) for n in range(len(self.parent))])

    def add_axis(
        self,
        layer: Any,
        variable: Any,
        axis: int,
        channels: Array,
        role: Role = "other",
        repeats: int = 1,
    ) -> None:
        """Add an axis of a layer's variable that holds these channels; skip a variable that the
        layer does not have.
        """
        position = (
            [id(one) for one in layer.weights].index(id(variable)) if variable is not None else None
        )
        if position is not None:
            self.axes.append(Axis(layer.name, position, axis, channels, role, repeats))


def protected_ids(count: int | None) -> Array:
    """Return the ids of channels that must stay; empty where their number is not known."""
    return np.full(count or 0, PROTECTED)


def most_channels(rows: Sequence[Array]) -> int:
    """Return the number of channels of the widest of several inputs."""
    return max(map(len, rows), default=0)
