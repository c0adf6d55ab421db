"""Which channels of a Keras graph can only go together, and which axes of which weights they are.

Each channel that a layer makes has a number. Channels that meet, as in the sum of a residual
connection, are joined (union-find); a channel that is joined with number 0 stays, whatever happens.

The idea is the dependency graph of G. Fang et al.: DepGraph, Towards Any Structural Pruning, CVPR
2023 (arXiv:2301.12900).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.lazy import np
from lab.plugs import Array

SPARED = 0
Role = Literal["makes", "reads", "scales", "other"]


@dataclass(frozen=True)
class Axis:
    """An axis of a weight that holds channels.

    Attributes:
        layer: the layer's name; weight: its place in `get_weights()`.
        channels: numbers of the channels along the axis.
        role: what the weight does with them: "makes" and "reads" for kernels, "scales" for a
            normalisation's factors.
        repeats: how many blocks of channels share the axis, as the inputs of a grouped convolution
            do.
    """

    layer: str
    weight: int
    axis: int
    channels: Array
    role: Role = "other"
    repeats: int = 1


@dataclass(frozen=True)
class Width:
    """An entry of a layer's configuration that says how many channels it makes, or a shape that
    ends in that number.
    """

    layer: str
    entry: str
    channels: Array
    before: tuple[int, ...] | None = None


@dataclass
class Coupling:
    """What is found while a graph is walked.

    Attributes:
        parent: of each number in the union-find forest.
        maker: number -> the layer that makes the channel.
        spared_by: layers, as "type 'name'", that channels were spared for because nothing is known
            of what becomes of them.
    """

    parent: list[int] = field(default_factory=lambda: [SPARED])
    maker: list[str] = field(default_factory=lambda: [""])
    axes: list[Axis] = field(default_factory=list)
    widths: list[Width] = field(default_factory=list)
    spared_by: list[str] = field(default_factory=list)

    def fresh(self, layer: str, count: int) -> Array:
        """Numbers of the channels that a layer makes."""
        first = len(self.parent)
        self.parent += range(first, first + count)
        self.maker += [layer] * count
        return np.arange(first, first + count)

    def root(self, number: int) -> int:
        """What stands for all channels joined with this one; SPARED wins."""
        while self.parent[number] != number:
            self.parent[number] = self.parent[self.parent[number]]
            number = self.parent[number]
        return number

    def join(self, *rows: Array) -> None:
        """Channels at the same place of each row go together or not at all."""
        for numbers in zip(*(row.tolist() for row in rows), strict=True):
            roots = [self.root(n) for n in numbers]
            least = min(roots)
            for root in roots:
                self.parent[root] = least

    def spare(self, channels: Array) -> None:
        """These channels stay."""
        self.join(channels, np.full(len(channels), SPARED))

    def roots(self) -> Array:
        """Number -> root, for all numbers."""
        return np.asarray([self.root(n) for n in range(len(self.parent))])

    def weigh(
        self,
        layer: Any,
        variable: Any,
        axis: int,
        channels: Array,
        role: Role = "other",
        repeats: int = 1,
    ) -> None:
        """Note that an axis of a layer's variable holds these channels; a variable that the layer
        lacks is passed over.
        """
        place = (
            [id(one) for one in layer.weights].index(id(variable)) if variable is not None else None
        )
        if place is not None:
            self.axes.append(Axis(layer.name, place, axis, channels, role, repeats))


def stays(count: int | None) -> Array:
    """Numbers of so many channels that must stay; none where their count is not known."""
    return np.full(count or 0, SPARED)


def length(rows: Sequence[Array]) -> int:
    """Channels of the widest of several inputs."""
    return max(map(len, rows), default=0)
