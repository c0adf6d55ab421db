"""A torch.export program as a graph of torch's Python functions: what tracing and FX quantization
understand.

An exported program calls ATen's operators directly. Tracing refuses those whose sizes are symbolic,
and FX quantization knows torch.conv2d but not aten.conv2d.default. Both take the same arguments,
since torch makes one from the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.errors import InvalidFile

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
_CHECKS = {
    "_assert_tensor_metadata",
    "_assert_scalar",
    "_assert_async",
    "sym_constrain_range_for_size",
}
_SAME = {"alias", "lift_fresh", "lift_fresh_copy", "detach", "detach_"}
_DROPOUTS = {"dropout", "feature_dropout", "alpha_dropout"}
_METHODS = {"reshape", "view", "permute", "contiguous", "expand", "repeat"}
_FUNCTIONAL = {
    "relu", "hardtanh", "layer_norm", "linear", "adaptive_avg_pool2d", "hardswish", "leaky_relu",
    "hardsigmoid", "max_pool2d",
}  # fmt: skip
"""What FX quantization knows by its name in torch.nn.functional, and by its method's name."""
_LONGEST = {"layer_norm": 5, "batch_norm": 9}
"""Arguments that the Python function takes, where ATen has one more, about cuDNN."""


def as_functions(program: Any, *, dropouts: bool = False) -> Any:
    """The program as a GraphModule with one input, nodes named as in `program.module()`; its
    weights are shared with it.

    Args:
        dropouts: keeps those that only work in training, for who trains it.

    Raises:
        InvalidFile: an operator of the program has no Python function.
    """
    import torch

    exported = program.module(check_guards=False)
    model = torch.fx.GraphModule(
        exported, exported.graph
    )  # without the hook that compares each input with the example
    model.graph.set_codegen(torch.fx.graph.CodeGen())
    for node in list(model.graph.nodes):
        if node.op == "output":
            node.args = (_the_only(node.args[0]),)
        elif node.op == "call_function":
            _translate(model.graph, node, dropouts)
        elif node.op == "call_module":  # the checks of the input's shape
            model.graph.erase_node(node)
    return cleaned(model)


def cleaned(model: Any) -> Any:
    """The GraphModule without nodes that nobody reads and weights that no node names, compiled
    again.
    """
    model.graph.eliminate_dead_code()
    model.graph.lint()
    model.delete_all_unused_submodules()
    model.recompile()
    model.training = False
    return model


def _the_only(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, tuple | list) else outputs


def _translate(graph: Any, node: Any, dropouts: bool) -> None:
    name = _name(node.target)
    if name in _CHECKS:
        graph.erase_node(node)
    elif name in _SAME or (name in _DROPOUTS and not node.args[2] and not dropouts):
        node.replace_all_uses_with(node.args[0])
        graph.erase_node(node)
    elif name in _METHODS:
        node.op, node.target = "call_method", name
    elif name:
        node.args = _complete(node) if name in CONVOLUTIONS else node.args
        node.target, node.args = _function(name, node.target), node.args[: _LONGEST.get(name)]


def _complete(node: Any) -> tuple[Any, ...]:
    """All arguments of a convolution, for quantization knows no defaults; an even padding that is
    called "same" as numbers.
    """
    declared = node.target._schema.arguments
    args = [*node.args, *(argument.default_value for argument in declared[len(node.args) :])]
    if args[4] in ("same", "valid"):
        kernel = node.args[1].meta["val"].shape[2:]
        whole = [
            step * (size - 1) if args[4] == "same" else 0
            for size, step in zip(kernel, args[5], strict=True)
        ]
        args[4] = args[4] if any(size % 2 for size in whole) else [size // 2 for size in whole]
    return tuple(args)


def _name(target: Any) -> str:
    """ATen's name of an operator, such as "conv2d"; "" for a Python function."""
    import torch

    return str(target.overloadpacket.__name__) if isinstance(target, torch._ops.OpOverload) else ""


def _function(name: str, target: Any) -> Callable[..., Any]:
    import torch

    own = {"slice": sliced, "index": indexed, "sym_size": torch.Tensor.size}
    places = (torch.nn.functional,) if name in _FUNCTIONAL else (torch, torch._C._nn, torch.Tensor)
    found: Callable[..., Any] | None = own.get(name) or next(
        filter(None, (getattr(p, name, None) for p in places)), None
    )
    if found:
        return found
    raise InvalidFile(
        "torch has no Python function for an operator of this program",
        given=str(target),
        remedy="Choose ONNX or TFLite, whose converters read the operators themselves",
    )


def sliced(
    x: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    """aten.slice: a part of an axis."""
    part = slice(start, end, step)
    return (
        x[(slice(None),) * dim + (part,)]
        if dim >= 0
        else x[(..., part, *(slice(None),) * (-dim - 1))]
    )


def indexed(x: Any, indices: list[Any]) -> Any:
    """aten.index: items that tensors name, along each axis that has one."""
    return x[tuple(slice(None) if index is None else index for index in indices)]
