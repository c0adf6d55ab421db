"""A node of a network as it ran, and what every rule about it needs; see
`lab.compress.torch.channels.dependencies`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.compress.torch.channels.dependencies import Channels
from lab.formats.torch_export.fx import kind

Rule = Callable[["Step"], Any]


class Step:
    """A node as it ran.

    Attributes:
        made: what it made.
        values: node -> what it made, of all before.
    """

    def __init__(
        self, node: Any, made: Any, values: Mapping[Any, Any], channels: Channels, model: Any
    ) -> None:
        self.node, self.made, self.values, self.channels, self.model = (
            node,
            made,
            values,
            channels,
            model,
        )

    def units(self, node: Any) -> Any:
        """Units of what a node before made; None for what is no tensor."""
        return self.channels.labels(node)

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        args = self.node.args
        return args[index] if len(args) > index else self.node.kwargs.get(name, default)

    def fix(self, labels: Any, why: str) -> Any:
        """Let these stay; gives what they are now."""
        self.channels.units.fix(labels, why)
        return self.channels.units.find(labels)

    def only_along(self, labels: Any, allowed: Sequence[int], why: str) -> Any:
        """Let them stay if units differ along other axes than these."""
        return self.fix(labels, why) if set(varying(labels)) - set(allowed) else labels

    def vector(self, labels: Any, axis: int, why: str) -> Any:
        """Units along an axis, those along others fixed."""
        labels = self.only_along(labels, [axis % labels.dim()], why)
        return labels.movedim(axis, -1).reshape(-1, labels.shape[axis])[0]

    def along(self, vector: Any, axis: int) -> Any:
        """The output's units where they differ along that axis only."""
        shape = [1] * self.made.dim()
        shape[axis] = len(vector)
        return vector.reshape(shape).expand(self.made.shape)


def stored_axis(tensor: Any) -> int | None:
    """The axis of a stored tensor that may follow channels: its last one that is longer than 1."""
    return next((axis for axis in reversed(range(tensor.dim())) if tensor.shape[axis] > 1), None)


def varying(labels: Any) -> list[int]:
    """Axes along which units differ."""
    return (
        [axis for axis in range(labels.dim()) if (labels != labels.narrow(axis, 0, 1)).any()]
        if labels.numel()
        else []
    )


def nothing(step: Step) -> Any:
    """What no layer made has no units."""
    import torch

    if isinstance(step.made, tuple | list):
        return [torch.zeros(part.shape, dtype=torch.int64) for part in step.made]
    return torch.zeros(step.made.shape, dtype=torch.int64)


def inputs(step: Step) -> list[Any]:
    """Units of all tensors that the node reads."""
    found = [step.units(node) for node in step.node.all_input_nodes]
    flat = [part for made in found for part in (made if isinstance(made, list) else [made])]
    return [labels for labels in flat if labels is not None]


def unknown(step: Step) -> Any:
    """What nothing is known of keeps all that it reads, and makes nothing that can be pruned."""
    name = kind(step.node) or type(step.model.get_submodule(step.node.target)).__name__
    for labels in inputs(step):
        step.fix(labels, f"{name} reads them, an operator that pruning cannot follow")
    return nothing(step)


def met(step: Step, inputs: Sequence[Any], shape: Sequence[int]) -> Any:
    """Tensors meet number by number, those of size 1 spread over the others."""
    import torch

    inputs = [
        labels.reshape((1,) * (len(shape) - labels.dim()) + tuple(labels.shape))
        for labels in inputs
    ]
    labelled = [labels for labels in inputs if labels.any()]
    for plain in (labels for labels in inputs if not labels.any()):
        for labels in labelled:
            if any(plain.shape[axis] > 1 for axis in varying(labels)):
                step.fix(
                    labels,
                    f"{step.node.name} joins them with something that has no channels to prune",
                )
    for labels in labelled[1:]:
        why = f"{step.node.name} joins them with channels that must stay"
        step.channels.units.join(labelled[0].expand(shape), labels.expand(shape), why)
    return (
        step.channels.units.find(labelled[0].expand(shape))
        if labelled
        else torch.zeros(shape, dtype=torch.int64)
    )
