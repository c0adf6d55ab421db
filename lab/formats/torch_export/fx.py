"""Preparation of a graph of torch's functions for FX quantization: folded batch normalisations, and
operators that it may not touch.

FX quantization (torch.ao.quantization.quantize_fx) finds operators by their Python function or
module. An operator that must stay in float is wrapped in a module that it does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lab.formats.torch_export.functions import CONVOLUTIONS, cleaned

STATIC = {
    *CONVOLUTIONS,
    "linear",
    "embedding",
    "gru",
    "lstm",
    "matmul",
    "add",
    "mul",
    "layer_norm",
    "sigmoid",
    "tanh",
    "hardswish",
    "hardsigmoid",
    "leaky_relu",
}
"""Operators that static quantization computes in integers (embeddings store integers, recurrent
ones are dynamic).
"""
DYNAMIC = {"linear", "embedding", "gru", "lstm"}
FOLLOWING = {
    "relu", "hardtanh", "mean", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "cat", "stack",
    "flatten", "transpose", "squeeze", "unsqueeze", "reshape", "view", "permute", "contiguous",
}  # fmt: skip
"""Operators that work on integers with their input's scale, where that has one."""


def fold_batch_norms(model: Any) -> Any:
    """Multiply each batch normalisation into the convolution before it, in place, where nothing
    else reads that.

    Source: torch.nn.utils.fusion.fuse_conv_bn_weights.
    """
    readers = _readers(model)
    for norm in list(model.graph.nodes):
        if kind(norm) == "batch_norm" and _is_foldable(norm, readers):
            _fold(model, norm.args[0], norm)
    return cleaned(model)


def kind(node: Any) -> str:
    """A function's or method's name; "" for what is no operation."""
    if node.op == "call_method":
        return str(node.target)
    return str(getattr(node.target, "__name__", "")) if node.op == "call_function" else ""


def _readers(model: Any) -> dict[str, int]:
    """Name of a stored tensor -> how many operations read it."""
    counts: dict[str, int] = {}
    for node in model.graph.nodes:
        if node.op == "get_attr":
            counts[node.target] = counts.get(node.target, 0) + len(node.users)
    return counts


def _is_foldable(norm: Any, readers: Mapping[str, int]) -> bool:
    conv = norm.args[0]
    return (
        kind(conv) in CONVOLUTIONS
        and len(conv.users) == 1
        and not norm.args[5]
        and readers[conv.args[1].target] == 1
    )


def _fold(model: Any, conv: Any, norm: Any) -> None:
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    stored = [
        None if node is None else tensor_of(model, node)
        for node in (*conv.args[1:3], *norm.args[1:5])
    ]
    weight, bias = stored[0], stored[1] if len(conv.args) > 2 else None
    scale, shift, mean, variance = stored[-4:]
    folded = fuse_conv_bn_weights(weight, bias, mean, variance, norm.args[7], scale, shift)
    names = [
        add_tensor(model, f"{conv.name}_{part}", value)
        for part, value in zip(("weight", "bias"), folded, strict=True)
    ]
    with model.graph.inserting_before(conv):
        conv.args = (conv.args[0], *map(model.graph.get_attr, names), *conv.args[3:])
    norm.replace_all_uses_with(conv)
    model.graph.erase_node(norm)


def tensor_of(model: Any, node: Any) -> Any:
    """The stored tensor that a get_attr node names."""
    found = model
    for part in node.target.split("."):
        found = getattr(found, part)
    return found


def add_tensor(model: Any, name: str, value: Any) -> str:
    """Store a tensor in the model and return its name."""
    model.register_buffer(name, value.detach().clone())
    return name


def quantized_nodes(
    model: Any, kinds: Collection[str], layer_of: Mapping[str, str], left: Collection[str]
) -> set[str]:
    """Names of the nodes that FX quantization may take.

    Args:
        kinds: operators that the method quantizes by themselves, STATIC or DYNAMIC.
        layer_of: node -> layer of the source's table.
        left: layers that stay in float.
    """
    taken: set[str] = set()
    for node in model.graph.nodes:
        follows = kind(node) in FOLLOWING and any(
            before.name in taken for before in node.all_input_nodes
        )
        if follows or (_is_known(node, kinds) and layer_of.get(node.name) not in left):
            taken.add(node.name)
    return taken


def _is_known(node: Any, kinds: Collection[str]) -> bool:
    """Return whether a node is one of these operators, on floating-point elements, in a form that
    FX quantization has.
    """
    if kind(node) not in kinds or not _is_float(node):
        return False
    if kind(node) in CONVOLUTIONS:
        return not isinstance(node.args[4], str)  # a padding that is not even
    return kind(node) not in ("gru", "lstm") or _is_plain(node.args)


def _is_plain(args: tuple[Any, ...]) -> bool:
    """Return whether a recurrent layer is one that torch.nn makes without projections, fed with a
    tensor and no packed sequence.
    """
    weights, biased, layers, both_ways = args[2], args[3], args[4], args[7]
    return isinstance(weights, list | tuple) and len(weights) == layers * (1 + both_ways) * 2 * (
        1 + biased
    )


def _is_float(node: Any) -> bool:
    made = node.meta.get("val")
    first = made[0] if isinstance(made, tuple | list) else made
    return bool(getattr(first, "dtype", None) and first.dtype.is_floating_point)


def untouchable(model: Any, taken: Collection[str]) -> Any:
    """The model, changed in place: what FX may not quantize is a module of its own, what it knows
    as a module only is one.
    """
    for node in list(model.graph.nodes):
        if node.op in ("call_function", "call_method") and kind(node) != "getitem":
            if node.name not in taken:
                _replace(model, node, *_hidden(model, node))
            elif kind(node) in _MODULES:
                _replace(model, node, *_MODULES[kind(node)](model, node))
    return cleaned(model)


def contiguous_clipping(model: Any) -> Any:
    """The model, changed in place: what is clipped is laid out channel by channel first.

    QNNPACK's clipping reads a convolution's output, whose channels come last, in the wrong order
    (torch 2.13).
    """
    for node in list(model.graph.nodes):
        if kind(node) == "hardtanh":
            with model.graph.inserting_before(node):
                node.replace_input_with(
                    node.args[0], model.graph.call_method("contiguous", (node.args[0],))
                )
    return cleaned(model)


def _replace(model: Any, node: Any, module: Any, args: tuple[Any, ...]) -> None:
    name = f"own_{node.name}"
    model.add_submodule(name, module.eval())
    node.op, node.target, node.args, node.kwargs = "call_module", name, args, {}


def _hidden(model: Any, node: Any) -> tuple[Any, tuple[Any, ...]]:
    """An operation as an opaque module that holds its weights itself, since FX folds away those
    that it packs.
    """
    from torch.fx.node import map_arg

    inputs: list[Any] = []
    stored: list[Any] = []

    def place(value: Any) -> _Place:
        known, found = (
            (stored, tensor_of(model, value)) if value.op == "get_attr" else (inputs, value)
        )
        known.append(found)
        return _Place(len(known) - 1, value.op == "get_attr")

    template = map_arg((node.args, node.kwargs), place)
    return _opaque()(node.target, template, stored), tuple(inputs)


@dataclass(frozen=True)
class _Place:
    """Origin of an argument: the module's inputs, or its stored tensors."""

    index: int
    is_stored: bool


@cache
def _opaque() -> Any:
    """The class of the modules that FX quantization does not look into."""
    import torch
    from torch.fx.node import map_aggregate

    class Opaque(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, target: Any, template: Any, stored: list[Any]) -> None:
            super().__init__()
            self.function = getattr(torch.Tensor, target) if isinstance(target, str) else target
            self.template = template
            for number, tensor in enumerate(stored):
                self.register_buffer(f"stored_{number}", tensor.detach())

        def forward(self, *inputs: Any) -> Any:
            def value(v: Any) -> Any:
                if not isinstance(v, _Place):
                    return v
                return getattr(self, f"stored_{v.index}") if v.is_stored else inputs[v.index]

            args, kwargs = map_aggregate(self.template, value)
            return self.function(*args, **kwargs)

    return Opaque


def opaque_modules() -> list[Any]:
    """Classes for FX's list of modules that it must not trace into."""
    return [_opaque()]


def _embedding(model: Any, node: Any) -> tuple[Any, tuple[Any, ...]]:
    import torch

    weight = tensor_of(model, node.args[0])
    return torch.nn.Embedding.from_pretrained(weight), (node.args[1],)


def _recurrent(model: Any, node: Any) -> tuple[Any, tuple[Any, ...]]:
    import torch

    x, state, weights, biased, layers, _, _, both_ways, batch_first = node.args
    first, second = (tensor_of(model, weight) for weight in weights[:2])
    kinds = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
    module = kinds[kind(node)](
        first.shape[1],
        second.shape[1],
        layers,
        bias=biased,
        bidirectional=both_ways,
        batch_first=batch_first,
    )
    for parameter, weight in zip(module._flat_weights, weights, strict=True):
        parameter.data.copy_(tensor_of(model, weight))
    return module, (x, tuple(state) if isinstance(state, list) else state)


_MODULES = {"embedding": _embedding, "gru": _recurrent, "lstm": _recurrent}
