"""One pruning of a network's channels: choice, removal, and a check of the smaller network's
outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.compress.torch.channels.choosing import Aim, channels_to_remove
from lab.compress.torch.channels.cutting import relative_difference, remove_channels, zero_channels
from lab.compress.torch.channels.dependencies import trace
from lab.compress.torch.channels.groups import (
    OUT,
    ChannelGroup,
    Dependencies,
    protected_layers,
    removable_groups,
)
from lab.errors import InvalidFile

TOLERANCE = 1e-4
"""Largest accepted difference from the network with its channels zeroed, relative to the largest
output; float32 sums in another order differ by a thousandth of this.
"""
Rank = Callable[[Any, Sequence[ChannelGroup]], list[Any]]
"""Function (model, groups) -> importance of each group's ids."""


@dataclass
class Pruner:
    """Pruner of a model, in one or several steps.

    Attributes:
        items: batches on which the pruned network is checked.
        rank: see `Rank`.
        attention: see `Dependencies`.
        keep: layers whose channels stay.
        sizes: layers of a group -> number of its ids before the first step.
        faults: layers -> reason why the check failed without these channels.
    """

    items: Sequence[Any]
    rank: Rank
    attention: str
    keep: Collection[str] = ()
    sizes: dict[tuple[str, ...], int] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def pruned(self, model: Any, aim: Aim) -> Any:
        """Return a smaller copy of the model.

        Raises:
            InvalidFile: no channels can be removed.
        """
        dependencies, groups = self.dependencies_of(model)
        if not groups:
            raise nothing_to_prune(protected_layers(dependencies))
        sizes = [self.sizes.setdefault(group.layers, len(group.ids)) for group in groups]
        removed = channels_to_remove(groups, sizes, self.rank(model, groups), aim)
        smaller = self._checked(model, dependencies, removed)
        if smaller is not None:
            return smaller
        self._find_faults(model, dependencies, groups, removed)
        return self.pruned(model, aim)

    def dependencies_of(self, model: Any) -> tuple[Dependencies, list[ChannelGroup]]:
        """Return the dependencies of a model's channels, and the groups that can be removed."""
        dependencies = trace(model, self.items[0], self.attention)
        for layer, why in {**dict.fromkeys(self.keep, "asked for"), **self.faults}.items():
            if (layer, OUT) in dependencies.axes:
                dependencies.ids.protect(dependencies.axes[layer, OUT], why)
        return dependencies, removable_groups(dependencies)

    def _checked(self, model: Any, dependencies: Dependencies, removed: Collection[int]) -> Any:
        """Return the model without these channels; None if its outputs differ from those of the
        model with these channels zeroed.
        """
        import torch

        with torch.no_grad():
            expected = [zero_channels(model, dependencies, removed)(x) for x in self.items]
            try:
                smaller = remove_channels(model, dependencies, removed)
                outputs = [smaller(x) for x in self.items]
            except Exception:  # sizes that do not fit: any of torch's errors
                return None
        same = [a.shape for a in outputs] == [e.shape for e in expected] and relative_difference(
            expected, outputs
        ) <= TOLERANCE
        return smaller if same else None

    def _find_faults(
        self,
        model: Any,
        dependencies: Dependencies,
        groups: Iterable[ChannelGroup],
        removed: Collection[int],
    ) -> None:
        """Protect each group that fails the check by itself, or all groups where only several
        together fail.
        """
        groups = list(groups)
        wrong = [
            g
            for g in groups
            if self._checked(model, dependencies, set(removed) & set(g.ids)) is None
        ]
        for group in wrong or groups:
            self.faults |= dict.fromkeys(
                group.layers,
                "without them, the network would not compute what it does when they are zero",
            )


def nothing_to_prune(reasons: Mapping[str, str]) -> InvalidFile:
    """Return the error for a model whose channels must all stay.

    Args:
        reasons: layer -> reason.
    """
    given = "; ".join(f"{layer}: {why}" for layer, why in list(reasons.items())[:6])
    return InvalidFile(
        "No channels of this model can be removed",
        allowed="layers whose outputs other layers read",
        given=given or "no layers with weights",
        remedy="Spare fewer layers, or prune single weights instead",
    )


def widths(dependencies: Dependencies) -> dict[str, int]:
    """Return layer -> number of its output channels."""
    return {layer: len(ids) for (layer, side), ids in dependencies.axes.items() if side == OUT}


def reasons_in_words(reasons: Mapping[str, str]) -> str:
    """Describe the protected layers, grouped by reason."""
    together: dict[str, list[str]] = {}
    for layer, why in reasons.items():
        together.setdefault(why, []).append(layer)
    return "; ".join(f"{', '.join(layers)} ({why})" for why, layers in together.items())
