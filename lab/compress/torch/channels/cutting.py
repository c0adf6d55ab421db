"""Removal of channels: tensors of layers become smaller, and so do the sizes in the graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from math import sqrt
from typing import Any

from lab.compress.torch.channels.groups import IN, NORM, OUT, STORED, Dependencies
from lab.compress.torch.channels.node_run import channel_axes, stored_axis
from lab.formats.torch_export.functions import cleaned
from lab.formats.torch_export.fx import kind

Kept = Callable[[Any], Any]
"""Function of channel ids: returns a bool tensor of the same shape, True where the channel stays.
"""


def remove_channels(model: Any, dependencies: Dependencies, removed: Collection[int]) -> Any:
    """Return a copy of the model without these channels; a wrong choice may give a model that
    cannot run.

    Args:
        model: GraphModule whose `dependencies` these are.
        removed: representatives of the channels.
    """
    model, kept = deepcopy(model), kept_mask(removed)
    for layer in dict.fromkeys(layer for layer, _ in dependencies.axes):
        sides = {
            side: kept(dependencies.axis_ids((layer, side)))
            for side in (OUT, IN, NORM, STORED)
            if (layer, side) in dependencies.axes
        }
        _shrink(model, layer, sides)
    for node in model.graph.nodes:
        if kind(node) in _SIZES and dependencies.outputs[node.name] is not None:
            _SIZES[kind(node)](node, dependencies, kept)
    return cleaned(model)


def kept_mask(removed: Collection[int]) -> Kept:
    """Return the function that tells which channel ids stay."""
    import torch

    removed_ids = torch.tensor(sorted(removed), dtype=torch.int64)
    return lambda ids: ~torch.isin(ids, removed_ids)


def _shrink(model: Any, layer: str, sides: Mapping[str, Any]) -> None:
    if all(bool(kept.all()) for kept in sides.values()):
        return
    if STORED in sides:
        path, _, name = layer.rpartition(".")
        owner = model.get_submodule(path)
        _replace(owner, name, stored_axis(getattr(owner, name)) or 0, sides[STORED])
        return
    module = model.get_submodule(layer)
    if NORM in sides:
        _shrink_norm(module, sides[NORM])
    else:
        _shrink_weights(module, sides)


def _replace(module: Any, name: str, axis: int, kept: Any) -> None:
    """Keep only these positions along an axis of a tensor."""
    import torch

    tensor = getattr(module, name, None)
    if tensor is not None:
        part = tensor.detach().index_select(axis % tensor.dim(), kept.nonzero()[:, 0]).clone()
        setattr(
            module,
            name,
            torch.nn.Parameter(part) if isinstance(tensor, torch.nn.Parameter) else part,
        )


def _shrink_norm(module: Any, kept: Any) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        _replace(module, name, 0, kept)
    module.num_features = int(kept.sum())


def _shrink_weights(module: Any, sides: Mapping[str, Any]) -> None:
    """Shrink a convolution, dense layer or embedding."""
    out = sides[OUT]
    if IN not in sides:  # an embedding
        _replace(module, "weight", 1, out)
        module.embedding_dim = int(out.sum())
        return
    read = sides[IN]
    _replace(module, "weight", 0, out)
    _replace(module, "bias", 0, out)
    groups = getattr(module, "groups", 1)
    if groups > 1 and groups == module.in_channels:  # depthwise: each output has its own input
        module.groups = int(read.sum())
    else:
        _replace(module, "weight", 1, read.reshape(groups, -1)[0])
    names = (
        ("out_channels", "in_channels")
        if hasattr(module, "out_channels")
        else ("out_features", "in_features")
    )
    for name, kept in zip(names, (out, read), strict=True):
        setattr(module, name, int(kept.sum()))


def new_sizes(ids: Any, kept: Kept) -> list[int]:
    """Return the shape that a tensor with these ids has without the removed channels."""
    stays, sizes = kept(ids), list(ids.shape)
    for axis in channel_axes(ids):
        others = [a for a in range(ids.dim()) if a != axis]
        sizes[axis] = int((stays.sum(others) > 0).sum()) if others else int(stays.sum())
    return sizes


def _resized(size: Any, old: int, new: int) -> Any:
    """Return the new size of an axis; -1 and sizes computed at run time stay unchanged."""
    return new if isinstance(size, int) and size == old else size


def _resize(node: Any, dependencies: Dependencies, kept: Kept) -> None:
    """Replace the sizes of axes that became shorter in x.reshape(sizes)."""
    ids = dependencies.output_ids(node)
    listed = isinstance(node.args[1], list | tuple)
    sizes_given = node.args[1] if listed else node.args[1:]
    sizes = [
        _resized(g, o, n)
        for g, o, n in zip(sizes_given, ids.shape, new_sizes(ids, kept), strict=True)
    ]
    node.args = (node.args[0], sizes) if listed else (node.args[0], *sizes)


def _unflatten(node: Any, dependencies: Dependencies, kept: Kept) -> None:
    ids, (x, dim, sizes_given) = dependencies.output_ids(node), node.args
    first = dim % dependencies.output_ids(x).dim()
    pairs = list(zip(ids.shape, new_sizes(ids, kept), strict=True))[
        first : first + len(sizes_given)
    ]
    node.args = (
        x,
        dim,
        [_resized(g, old, new) for g, (old, new) in zip(sizes_given, pairs, strict=True)],
    )


def _split(node: Any, dependencies: Dependencies, kept: Kept) -> None:
    """Replace a split by one with the new size of each part."""
    import torch

    x, dim = node.args[0], (*node.args, node.kwargs.get("dim", 0))[2]
    axis = dim % dependencies.output_ids(x).dim()
    if axis in channel_axes(dependencies.output_ids(x)):
        sizes = [new_sizes(part, kept)[axis] for part in dependencies.output_ids(node)]
        node.op, node.target, node.args, node.kwargs = (
            "call_function",
            torch.split,
            (x, sizes, dim),
            {},
        )


def _slice(node: Any, dependencies: Dependencies, kept: Kept) -> None:
    """Replace the bounds of x[…, start:end] by positions among the channels that stay."""
    x, dim, *ends = (*node.args, *(None,) * 4)[:4]
    ids = dependencies.output_ids(x)
    axis = (dim or 0) % ids.dim()
    if axis not in channel_axes(ids):
        return
    stays = kept(ids.movedim(axis, -1).reshape(-1, ids.shape[axis])[0])
    start, end, _ = slice(*ends).indices(len(stays))
    node.args = (x, dim, int(stays[:start].sum()), int(stays[:end].sum()))


def _scale(node: Any, dependencies: Dependencies, _: Kept) -> None:
    """Keep dividing scaled dot products by the root of the head size that the model was trained
    with.
    """
    size = dependencies.output_ids(node.args[0]).shape[-1]
    if node.kwargs.get("scale") is None and len(node.args) < 7:
        node.kwargs = {**node.kwargs, "scale": 1 / sqrt(size)}


_SIZES: dict[str, Callable[[Any, Dependencies, Kept], None]] = {
    "reshape": _resize,
    "view": _resize,
    "expand": _resize,
    "unflatten": _unflatten,
    "chunk": _split,
    "split": _split,
    "split_with_sizes": _split,
    "sliced": _slice,
    "scaled_dot_product_attention": _scale,
}
"""Operators with sizes of axes among their arguments -> function that updates them."""


def zero_channels(model: Any, dependencies: Dependencies, removed: Collection[int]) -> Any:
    """Return a copy of the model in its full size in which these channels are always zero; the
    pruned model must give the same outputs.

    Channels are zeroed in the output of each layer and in the input of each layer.
    """
    model, kept = deepcopy(model), kept_mask(removed)
    for (layer, side), ids in dependencies.axes.items():
        stays = kept(dependencies.ids.representatives(ids))
        if side != STORED and not bool(stays.all()):
            _silence(model.get_submodule(layer), side, stays)
    return model


def _silence(module: Any, side: str, stays: Any) -> None:
    mask = stays.to(next(module.parameters()).dtype)
    last = hasattr(module, "in_features") or hasattr(module, "embedding_dim")

    def masked(x: Any) -> Any:
        return x * (mask if last else mask.reshape(-1, *[1] * (x.dim() - 2)))

    if side == IN:
        module.register_forward_pre_hook(lambda _, args: (masked(args[0]),))
    else:
        module.register_forward_hook(lambda _module, _args, output: masked(output))


def relative_difference(one: Sequence[Any], other: Sequence[Any]) -> float:
    """Return the largest difference between two series of outputs, relative to the largest
    output.
    """
    import torch

    a, b = (torch.cat([x.flatten() for x in outputs]).double() for outputs in (one, other))
    return float((a - b).abs().max() / a.abs().max().clamp_min(1e-30))
