"""What FX quantization needs of a graph of torch's functions: folded batch normalisations, and operators that it may not touch.

FX quantization (torch.ao.quantization.quantize_fx) finds operators by their Python function or module. An operator that
must stay in float is wrapped in a module that it does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from lab.formats.torch_functions import CONVOLUTIONS, cleaned

STATIC = {*CONVOLUTIONS, "linear", "embedding", "gru", "lstm", "matmul", "add", "mul", "layer_norm", "sigmoid", "tanh",
          "hardswish", "hardsigmoid", "leaky_relu"}  # fmt: skip
"""Operators that static quantization computes in integers (embeddings store integers, recurrent ones are dynamic)."""
DYNAMIC = {"linear", "embedding", "gru", "lstm"}
FOLLOWING = {"relu", "hardtanh", "mean", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "cat", "stack", "flatten",
             "transpose", "squeeze", "unsqueeze", "reshape", "view", "permute", "contiguous"}  # fmt: skip
"""Operators that work on integers with their input's scale, where that has one."""


def fold_batch_norms(model: Any) -> Any:
    """Multiply each batch normalisation into the convolution before it, in place, where nothing else reads that.

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
        kind(conv) in CONVOLUTIONS and len(conv.users) == 1 and not norm.args[5] and readers[conv.args[1].target] == 1
    )


def _fold(model: Any, conv: Any, norm: Any) -> None:
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    stored = [None if node is None else tensor_of(model, node) for node in (*conv.args[1:3], *norm.args[1:5])]
    weight, bias = stored[0], stored[1] if len(conv.args) > 2 else None
    scale, shift, mean, variance = stored[-4:]
    folded = fuse_conv_bn_weights(weight, bias, mean, variance, norm.args[7], scale, shift)
    names = [
        add_tensor(model, f"{conv.name}_{part}", value) for part, value in zip(("weight", "bias"), folded, strict=True)
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


def quantized_nodes(model: Any, kinds: Collection[str], layer_of: Mapping[str, str], left: Collection[str]) -> set[str]:
    """Names of the nodes that FX quantization may take.

    Args:
        kinds: operators that the method quantizes by themselves, STATIC or DYNAMIC.
        layer_of: node -> layer of the source's table.
        left: layers that stay in float.
    """
    taken: set[str] = set()
    for node in model.graph.nodes:
        follows = kind(node) in FOLLOWING and any(before.name in taken for before in node.all_input_nodes)
        if follows or (kind(node) in kinds and is_float(node) and layer_of.get(node.name) not in left):
            taken.add(node.name)
    return taken


def is_float(node: Any) -> bool:
    """Whether the node makes floating-point numbers."""
    made = node.meta.get("val")
    first = made[0] if isinstance(made, tuple | list) else made
    return bool(getattr(first, "dtype", None) and first.dtype.is_floating_point)


def untouchable(model: Any, taken: Collection[str]) -> Any:
    """The model, changed in place: what FX may not quantize is a module of its own, what it knows as a module only is one."""
    for node in list(model.graph.nodes):
        if node.op in ("call_function", "call_method") and kind(node) != "getitem":
            if node.name not in taken:
                _as_module(model, node, _opaque()(node.target), node.args)
            elif kind(node) in _MODULES:
                _as_module(model, node, *_MODULES[kind(node)](model, node))
    return cleaned(model)


def _as_module(model: Any, node: Any, module: Any, args: tuple[Any, ...]) -> None:
    name = f"own_{node.name}"
    model.add_submodule(name, module.eval())
    node.op, node.target, node.args = "call_module", name, args


@cache
def _opaque() -> Any:
    """The class of the modules that FX quantization does not look into."""
    import torch

    class Opaque(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, target: Any) -> None:
            super().__init__()
            self.target = target

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            function = getattr(torch.Tensor, self.target) if isinstance(self.target, str) else self.target
            return function(*args, **kwargs)

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
        first.shape[1], second.shape[1], layers, bias=biased, bidirectional=both_ways, batch_first=batch_first
    )
    for parameter, weight in zip(module._flat_weights, weights, strict=True):
        parameter.data.copy_(tensor_of(model, weight))
    return module, (x, tuple(state) if isinstance(state, list) else state)


_MODULES = {"embedding": _embedding, "gru": _recurrent, "lstm": _recurrent}
