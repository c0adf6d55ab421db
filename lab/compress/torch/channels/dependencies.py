"""Which channels of a network belong together: those that can only be removed in one go.

The network is run once on an example. Beside each tensor goes another of the same shape that says
which unit each of its numbers belongs to; 0 is what must stay. A layer with weights gives its
outputs units of their own, what only moves numbers moves their units along, and where two tensors
meet number by number, their units become one. So reshapes, splits, gates and shared layers need no
rules of their own, which is where tracing the backward pass (torch-pruning) has to guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.lazy import np

OUT, IN, NORM, STORED = "out", "in", "norm", "stored"
Place = tuple[str, str]
"""A layer and which of its axes: what it makes, what it reads, what it normalises; what a stored
tensor has.
"""


class Units:
    """Numbers that become one number where they must share a fate; the smallest stands for all of
    them.

    Attributes:
        why: unit -> why it, and all that became one with it, must stay.
    """

    def __init__(self) -> None:
        self.parent = np.zeros(1, np.int64)
        self.why: dict[int, str] = {}

    def fresh(self, n: int) -> Any:
        """Tensor (n,) of new units."""
        import torch

        start = len(self.parent)
        self.parent = np.concatenate([self.parent, np.arange(start, start + n)])
        return torch.arange(start, start + n)

    def find(self, labels: Any) -> Any:
        """The same tensor with the number that stands for each unit; 0 for what must stay."""
        import torch

        found = labels.numpy()
        while (up := self.parent[found]).tobytes() != found.tobytes():
            found = up
        return torch.from_numpy(found.copy())

    def join(self, a: Any, b: Any, why: str) -> None:
        """Make units of two tensors of one shape one, place by place.

        Args:
            why: what to say where one of them must stay.
        """
        n = len(self.parent)
        pairs = np.unique(self.find(a).numpy().ravel() * n + self.find(b).numpy().ravel())
        for one, other in zip(pairs // n, pairs % n, strict=True):
            low, high = sorted((self._root(one), self._root(other)))
            if low != high:
                self.parent[high] = low
                if not low:
                    self.why[high] = why

    def fix(self, labels: Any, why: str) -> None:
        """These must stay."""
        self.join(labels, labels * 0, why)

    def reason(self, label: int) -> str:
        """Why it must stay; "" where it need not."""
        while self.parent[label] not in (0, label):
            label = int(self.parent[label])
        return self.why.get(label, "") if not self.parent[label] else ""

    def _root(self, label: int) -> int:
        while self.parent[label] != label:
            label = int(self.parent[label])
        return int(label)


@dataclass
class Channels:
    """What a run of the network tells.

    Attributes:
        places: place -> tensor with a unit for each channel there.
        made: name of a node -> units of what it makes, as tensor, list of tensors, or None for what
            is no tensor.
        attention: what becomes of channels that a reshape splits over several axes: "heads",
            "head_size" or "spare".
    """

    attention: str = "heads"
    units: Units = field(default_factory=Units)
    places: dict[Place, Any] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)

    def labels(self, node: Any) -> Any:
        """Units of what a node makes, as they stand now."""
        made = self.made[node.name]
        if isinstance(made, tuple | list):
            return [self.units.find(part) for part in made]
        return None if made is None else self.units.find(made)

    def at(self, place: Place) -> Any:
        """Units of the channels there, as they stand now."""
        return self.units.find(self.places[place])

    def meet(self, place: Place, vector: Any, why: str) -> Any:
        """Channels arrive at a place, which may have been met before; gives the units there."""
        if place in self.places:
            self.units.join(self.places[place], vector, why)
        else:
            self.places[place] = vector
        return self.at(place)


@dataclass(frozen=True)
class Group:
    """Units that occur in the same places: their importance is compared with each other.

    Attributes:
        units: number that stands for each.
        members: place -> (position of a channel there, which of the units it is), both int arrays
            of the same length.
    """

    units: tuple[int, ...]
    members: Mapping[Place, tuple[Any, Any]]

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers whose outputs these are, in the order of the network."""
        return tuple(layer for layer, side in self.members if side == OUT)

    def weight(self) -> float:
        """How many channels of its layers one of them stands for."""
        return sum(len(self.members[layer, OUT][0]) for layer in self.layers) / len(self.units)


def follow(model: Any, x: Any, attention: str) -> Channels:
    """Run a model of modules (see `lab.formats.torch_export.modules`) and tell which channels
    belong together.

    Args:
        model: GraphModule; it is not changed.
        x: example input.
        attention: see `Channels`.
    """
    import torch

    from lab.compress.torch.channels.rules import units_of

    channels = Channels(attention)

    class Follower(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            made = super().run_node(n)
            channels.made[n.name] = units_of(n, made, self.env, channels, self.module)
            return made

    with torch.no_grad():
        Follower(model, garbage_collect_values=False).run(x)
    return channels


def groups_of(channels: Channels) -> list[Group]:
    """The groups of units that can be removed, in the order of the network; each has at least two
    units.
    """
    found: dict[int, dict[Place, list[int]]] = {}
    for place in channels.places:
        for position, unit in enumerate(channels.at(place).tolist()):
            if unit:
                found.setdefault(unit, {}).setdefault(place, []).append(position)
    alike: dict[Any, list[int]] = {}
    for unit, places in sorted(found.items()):
        if any(side == OUT for _, side in places):
            alike.setdefault(tuple((place, len(at)) for place, at in places.items()), []).append(
                unit
            )
    return [_group(units, found) for units in alike.values() if len(units) > 1]


def _group(units: list[int], found: Mapping[int, Mapping[Place, list[int]]]) -> Group:
    members = {}
    for place in found[units[0]]:
        pairs = sorted(
            (position, number)
            for number, unit in enumerate(units)
            for position in found[unit][place]
        )
        members[place] = (np.array([p for p, _ in pairs]), np.array([n for _, n in pairs]))
    return Group(tuple(units), members)


def spared(channels: Channels) -> dict[str, str]:
    """Layer -> why all channels that it makes must stay."""
    reasons = {}
    for (layer, side), labels in channels.places.items():
        if side == OUT and not channels.at((layer, side)).any():
            reasons[layer] = channels.units.reason(int(labels[0]))
    return reasons
