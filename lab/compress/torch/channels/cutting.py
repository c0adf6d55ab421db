"""Takes channels out of a network: its layers' tensors become smaller, and so do the sizes that
stand in its graph.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from math import sqrt
from typing import Any

from lab.compress.torch.channels.dependencies import IN, NORM, OUT, STORED, Channels
from lab.compress.torch.channels.step import stored_axis, varying
from lab.formats.torch_export.functions import cleaned
from lab.formats.torch_export.fx import kind

Kept = Callable[[Any], Any]
"""Units -> which of them stay, a bool tensor of the same shape."""


def without(model: Any, channels: Channels, removed: Collection[int]) -> Any:
    """A copy of the model in which the channels of these units are gone; it need not run if they
    were not chosen well.

    Args:
        model: GraphModule that `channels` was made of.
        removed: the numbers that stand for the units.
    """
    model, kept = deepcopy(model), kept_of(removed)
    for layer in dict.fromkeys(layer for layer, _ in channels.places):
        sides = {
            side: kept(channels.at((layer, side)))
            for side in (OUT, IN, NORM, STORED)
            if (layer, side) in channels.places
        }
        _shrink(model, layer, sides)
    for node in model.graph.nodes:
        if kind(node) in _SIZES and channels.made[node.name] is not None:
            _SIZES[kind(node)](node, channels, kept)
    return cleaned(model)


def kept_of(removed: Collection[int]) -> Kept:
    """Tells of units whether they stay."""
    import torch

    gone = torch.tensor(sorted(removed), dtype=torch.int64)
    return lambda labels: ~torch.isin(labels, gone)


def _shrink(model: Any, layer: str, sides: Mapping[str, Any]) -> None:
    if all(bool(kept.all()) for kept in sides.values()):
        return
    if STORED in sides:
        owner, _, name = layer.rpartition(".")
        home = model.get_submodule(owner)
        _replace(home, name, stored_axis(getattr(home, name)) or 0, sides[STORED])
        return
    module = model.get_submodule(layer)
    if NORM in sides:
        _shrink_norm(module, sides[NORM])
    else:
        _shrink_weighing(module, sides)


def _replace(module: Any, name: str, axis: int, kept: Any) -> None:
    """Keep these places of a tensor's axis."""
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


def _shrink_weighing(module: Any, sides: Mapping[str, Any]) -> None:
    """A convolution, dense layer or embedding."""
    out = sides[OUT]
    if IN not in sides:  # an embedding
        _replace(module, "weight", 1, out)
        module.embedding_dim = int(out.sum())
        return
    read = sides[IN]
    _replace(module, "weight", 0, out)
    _replace(module, "bias", 0, out)
    groups = getattr(module, "groups", 1)
    if groups > 1 and groups == module.in_channels:  # depthwise: an output has one input, its own
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


def new_sizes(labels: Any, kept: Kept) -> list[int]:
    """The shape of a tensor of these units once those that go are gone."""
    stays, sizes = kept(labels), list(labels.shape)
    for axis in varying(labels):
        others = [a for a in range(labels.dim()) if a != axis]
        sizes[axis] = int((stays.sum(others) > 0).sum()) if others else int(stays.sum())
    return sizes


def _resized(given: Any, old: int, new: int) -> Any:
    """A size in the graph: -1 and what is computed while it runs stay as they are."""
    return new if isinstance(given, int) and given == old else given


def _resize(node: Any, channels: Channels, kept: Kept) -> None:
    """x.reshape(sizes): each that stands for an axis that became shorter is another number now."""
    labels = channels.labels(node)
    listed = isinstance(node.args[1], list | tuple)
    given = node.args[1] if listed else node.args[1:]
    sizes = [
        _resized(g, o, n)
        for g, o, n in zip(given, labels.shape, new_sizes(labels, kept), strict=True)
    ]
    node.args = (node.args[0], sizes) if listed else (node.args[0], *sizes)


def _unflatten(node: Any, channels: Channels, kept: Kept) -> None:
    labels, (x, dim, given) = channels.labels(node), node.args
    first = dim % channels.labels(x).dim()
    pairs = list(zip(labels.shape, new_sizes(labels, kept), strict=True))[
        first : first + len(given)
    ]
    node.args = (
        x,
        dim,
        [_resized(g, old, new) for g, (old, new) in zip(given, pairs, strict=True)],
    )


def _split(node: Any, channels: Channels, kept: Kept) -> None:
    """Parts of an axis of which some became shorter: their sizes one by one."""
    import torch

    x, dim = node.args[0], (*node.args, node.kwargs.get("dim", 0))[2]
    axis = dim % channels.labels(x).dim()
    if axis in varying(channels.labels(x)):
        sizes = [new_sizes(part, kept)[axis] for part in channels.labels(node)]
        node.op, node.target, node.args, node.kwargs = (
            "call_function",
            torch.split,
            (x, sizes, dim),
            {},
        )


def _slice(node: Any, channels: Channels, kept: Kept) -> None:
    """x[…, start:end]: counted among those that stay."""
    x, dim, *ends = (*node.args, *(None,) * 4)[:4]
    labels = channels.labels(x)
    axis = (dim or 0) % labels.dim()
    if axis not in varying(labels):
        return
    stays = kept(labels.movedim(axis, -1).reshape(-1, labels.shape[axis])[0])
    start, end, _ = slice(*ends).indices(len(stays))
    node.args = (x, dim, int(stays[:start].sum()), int(stays[:end].sum()))


def _scale(node: Any, channels: Channels, _: Kept) -> None:
    """Scaled dot products are divided by the root of the size that heads had when they were
    trained.
    """
    size = channels.labels(node.args[0]).shape[-1]
    if node.kwargs.get("scale") is None and len(node.args) < 7:
        node.kwargs = {**node.kwargs, "scale": 1 / sqrt(size)}


_SIZES: dict[str, Callable[[Any, Channels, Kept], None]] = {
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
"""Operators with sizes of axes among their arguments."""


def zeroed(model: Any, channels: Channels, removed: Collection[int]) -> Any:
    """A copy of the model as large as it is, in which the channels of these units are always zero:
    what pruning should equal.

    They are set to zero where a layer has made them and before a layer reads them.
    """
    model, kept = deepcopy(model), kept_of(removed)
    for (layer, side), labels in channels.places.items():
        stays = kept(channels.units.find(labels))
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
        module.register_forward_hook(lambda _module, _args, made: masked(made))


def differs(one: Sequence[Any], other: Sequence[Any]) -> float:
    """The largest difference of two series of answers, as a share of the largest answer."""
    import torch

    a, b = (torch.cat([x.flatten() for x in answers]).double() for answers in (one, other))
    return float((a - b).abs().max() / a.abs().max().clamp_min(1e-30))
