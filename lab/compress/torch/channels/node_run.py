"""One node of a network with its output, and the helpers that every rule needs; see
`lab.compress.torch.channels.dependencies`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.compress.torch.channels.groups import Dependencies
from lab.formats.torch_export.fx import kind

Rule = Callable[["NodeRun"], Any]


class NodeRun:
    """A node of the graph together with its output.

    Attributes:
        output: output of the node.
        values: node -> output, for all nodes before it.
    """

    def __init__(
        self,
        node: Any,
        output: Any,
        values: Mapping[Any, Any],
        dependencies: Dependencies,
        model: Any,
    ) -> None:
        self.node, self.output, self.values, self.dependencies, self.model = (
            node,
            output,
            values,
            dependencies,
            model,
        )

    def ids_of(self, node: Any) -> Any:
        """Return the channel ids of an earlier node's output; None where it is no tensor."""
        return self.dependencies.output_ids(node)

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """Return an argument of the node by its position or its name."""
        args = self.node.args
        return args[index] if len(args) > index else self.node.kwargs.get(name, default)

    def protect(self, ids: Any, reason: str) -> Any:
        """Protect these channels and return their representatives."""
        self.dependencies.ids.protect(ids, reason)
        return self.dependencies.ids.representatives(ids)

    def protect_unless_along(self, ids: Any, allowed: Sequence[int], reason: str) -> Any:
        """Protect the channels if their ids vary along an axis that is not allowed."""
        return self.protect(ids, reason) if set(channel_axes(ids)) - set(allowed) else ids

    def ids_along(self, ids: Any, axis: int, reason: str) -> Any:
        """Return the ids along one axis, shape (size,); protect those that vary along another
        axis.
        """
        ids = self.protect_unless_along(ids, [axis % ids.dim()], reason)
        return ids.movedim(axis, -1).reshape(-1, ids.shape[axis])[0]

    def spread_along(self, ids: Any, axis: int) -> Any:
        """Return ids in the shape of the output that vary along this axis only."""
        shape = [1] * self.output.dim()
        shape[axis] = len(ids)
        return ids.reshape(shape).expand(self.output.shape)


def stored_axis(tensor: Any) -> int | None:
    """Return the axis of a stored tensor that may hold channels: the last one longer than 1."""
    return next((axis for axis in reversed(range(tensor.dim())) if tensor.shape[axis] > 1), None)


def channel_axes(ids: Any) -> list[int]:
    """Return the axes along which the ids vary."""
    return (
        [axis for axis in range(ids.dim()) if (ids != ids.narrow(axis, 0, 1)).any()]
        if ids.numel()
        else []
    )


def no_channels(run: NodeRun) -> Any:
    """Return zeros in the shape of the output: it has no channels that a layer made."""
    import torch

    if isinstance(run.output, tuple | list):
        return [torch.zeros(part.shape, dtype=torch.int64) for part in run.output]
    return torch.zeros(run.output.shape, dtype=torch.int64)


def input_ids(run: NodeRun) -> list[Any]:
    """Return the channel ids of all tensors that the node reads."""
    ids_of_inputs = [run.ids_of(node) for node in run.node.all_input_nodes]
    flat = [part for ids in ids_of_inputs for part in (ids if isinstance(ids, list) else [ids])]
    return [ids for ids in flat if ids is not None]


def unsupported(run: NodeRun) -> Any:
    """Protect all channels that an unknown operator reads; its output has no channels."""
    name = kind(run.node) or type(run.model.get_submodule(run.node.target)).__name__
    for ids in input_ids(run):
        run.protect(ids, f"{name} reads them, an operator that pruning cannot follow")
    return no_channels(run)


def coupled_elementwise(run: NodeRun, input_ids: Sequence[Any], shape: Sequence[int]) -> Any:
    """Couple tensors that are combined element by element; axes of size 1 are broadcast."""
    import torch

    input_ids = [
        ids.reshape((1,) * (len(shape) - ids.dim()) + tuple(ids.shape)) for ids in input_ids
    ]
    with_channels = [ids for ids in input_ids if ids.any()]
    for plain in (ids for ids in input_ids if not ids.any()):
        for ids in with_channels:
            if any(plain.shape[axis] > 1 for axis in channel_axes(ids)):
                run.protect(
                    ids,
                    f"{run.node.name} joins them with something that has no channels to prune",
                )
    for ids in with_channels[1:]:
        reason = f"{run.node.name} joins them with channels that must stay"
        run.dependencies.ids.couple(with_channels[0].expand(shape), ids.expand(shape), reason)
    return (
        run.dependencies.ids.representatives(with_channels[0].expand(shape))
        if with_channels
        else torch.zeros(shape, dtype=torch.int64)
    )
