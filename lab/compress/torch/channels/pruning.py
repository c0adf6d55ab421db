"""One pruning of a network's channels: which, without them, and whether what is left computes what
it should.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.compress.torch.channels.choosing import Aim, chosen
from lab.compress.torch.channels.cutting import differs, without, zeroed
from lab.compress.torch.channels.dependencies import OUT, Channels, Group, follow, groups_of, spared
from lab.errors import InvalidFile

TOLERANCE = 1e-4
"""Largest difference to the network with its channels zeroed, as a share of the largest answer;
float32 sums in another order differ by a thousandth of that.
"""
Rank = Callable[[Any, Sequence[Group]], list[Any]]
"""(model, groups) -> importance of each group's units."""


@dataclass
class Pruner:
    """Prunes a model, perhaps in several steps.

    Attributes:
        items: batches that the pruned network is checked on.
        rank: see `Rank`.
        attention: see `Channels`.
        keep: layers whose channels stay.
        sizes: layers of a group -> its units before any step.
        faults: layers -> why they turned out to be no good to prune.
    """

    items: Sequence[Any]
    rank: Rank
    attention: str
    keep: Collection[str] = ()
    sizes: dict[tuple[str, ...], int] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def pruned(self, model: Any, aim: Aim) -> Any:
        """A smaller copy of the model.

        Raises:
            InvalidFile: there is nothing to prune.
        """
        channels, groups = self.looked_at(model)
        if not groups:
            raise nothing_to_prune(spared(channels))
        sizes = [self.sizes.setdefault(group.layers, len(group.units)) for group in groups]
        gone = chosen(groups, sizes, self.rank(model, groups), aim)
        smaller = self._checked(model, channels, gone)
        if smaller is not None:
            return smaller
        self._find_faults(model, channels, groups, gone)
        return self.pruned(model, aim)

    def looked_at(self, model: Any) -> tuple[Channels, list[Group]]:
        """Which channels there are, and those that may go."""
        channels = follow(model, self.items[0], self.attention)
        for layer, why in {**dict.fromkeys(self.keep, "asked for"), **self.faults}.items():
            if (layer, OUT) in channels.places:
                channels.units.fix(channels.places[layer, OUT], why)
        return channels, groups_of(channels)

    def _checked(self, model: Any, channels: Channels, gone: Collection[int]) -> Any:
        """The model without these; None if it does not answer as one in which they are zero."""
        import torch

        with torch.no_grad():
            wanted = [zeroed(model, channels, gone)(x) for x in self.items]
            try:
                smaller = without(model, channels, gone)
                answers = [smaller(x) for x in self.items]
            except Exception:  # sizes that do not fit: any of torch's errors
                return None
        same = [a.shape for a in answers] == [w.shape for w in wanted] and differs(
            wanted, answers
        ) <= TOLERANCE
        return smaller if same else None

    def _find_faults(
        self, model: Any, channels: Channels, groups: Iterable[Group], gone: Collection[int]
    ) -> None:
        """Spare each group that comes out wrong by itself, or all where only some together do."""
        groups = list(groups)
        wrong = [
            g for g in groups if self._checked(model, channels, set(gone) & set(g.units)) is None
        ]
        for group in wrong or groups:
            self.faults |= dict.fromkeys(
                group.layers,
                "without them, the network would not compute what it does when they are zero",
            )


def nothing_to_prune(reasons: Mapping[str, str]) -> InvalidFile:
    """What to raise where all channels must stay.

    Args:
        reasons: layer -> why.
    """
    given = "; ".join(f"{layer}: {why}" for layer, why in list(reasons.items())[:6])
    return InvalidFile(
        "No channels of this model can be removed",
        allowed="layers between others that read what they make",
        given=given or "no layers with weights",
        remedy="Spare fewer layers, or prune single weights instead",
    )


def widths(channels: Channels) -> dict[str, int]:
    """Layer -> how many channels it makes."""
    return {layer: len(units) for (layer, side), units in channels.places.items() if side == OUT}


def reasons_in_words(reasons: Mapping[str, str]) -> str:
    """Layers that were spared, together where it is for the same reason."""
    together: dict[str, list[str]] = {}
    for layer, why in reasons.items():
        together.setdefault(why, []).append(layer)
    return "; ".join(f"{', '.join(layers)} ({why})" for why, layers in together.items())
