"""Rules for operators: how they pass on or couple the channel ids of their inputs; see
`lab.compress.torch.channels.dependencies`.

An operator without a rule protects every channel that it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.compress.torch.channels.groups import STORED, Dependencies
from lab.compress.torch.channels.layers import LAYERS
from lab.compress.torch.channels.node_run import (
    NodeRun,
    Rule,
    channel_axes,
    coupled_elementwise,
    input_ids,
    no_channels,
    stored_axis,
    unsupported,
)
from lab.formats.torch_export.fx import kind, tensor_of

POINTWISE = {
    "relu", "relu6", "hardtanh", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "gelu",
    "elu", "celu", "selu", "mish", "leaky_relu", "softplus", "softsign", "logsigmoid", "exp", "log",
    "log1p", "sqrt", "rsqrt", "abs", "neg", "pow", "square", "reciprocal", "erf", "sin", "cos",
    "clamp", "clamp_min", "clamp_max", "clip", "to", "contiguous", "clone", "zeros_like",
    "ones_like", "full_like", "add", "sub", "rsub", "mul", "div", "maximum", "minimum", "where",
    "ne", "eq", "gt", "lt", "ge", "le", "logical_not", "logical_and", "logical_or", "masked_fill",
    "type_as", "dropout",
}  # fmt: skip
"""Operators whose output elements depend on the input elements at the same position."""
MOVES = {
    "reshape", "view", "flatten", "unflatten", "permute", "transpose", "t", "movedim", "chunk",
    "split", "split_with_sizes", "unbind", "getitem", "sliced", "select", "squeeze", "unsqueeze",
    "expand",
}  # fmt: skip
"""Operators that move elements without changing them."""
SPLITTING = {"reshape", "view", "flatten", "unflatten"}
SELECTING = {"unbind": 0, "select": None, "sliced": 0}
REDUCTIONS = {"mean", "sum", "amax", "amin", "logsumexp"}
SPATIAL = {
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d",
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "upsample_nearest2d",
    "upsample_bilinear2d", "pad", "constant_pad_nd",
}  # fmt: skip
"""Operators that work channel by channel (axis 1); the axes behind it may change their sizes."""


def ids_of_output(
    node: Any, output: Any, values: Mapping[Any, Any], dependencies: Dependencies, model: Any
) -> Any:
    """Return the channel ids of a node's output; see `Dependencies.outputs`."""
    import torch

    run = NodeRun(node, output, values, dependencies, model)
    parts = output if isinstance(output, tuple | list) else [output]
    if node.op != "output" and not all(isinstance(part, torch.Tensor) for part in parts):
        return None
    try:
        return _rule(node, model)(run)
    except (
        AttributeError,
        IndexError,
        RuntimeError,
        TypeError,
        ValueError,
    ):  # arguments that the rule does not support
        return unsupported(run)


def _rule(node: Any, model: Any) -> Rule:
    if node.op in _BY_KIND_OF_NODE:
        return _BY_KIND_OF_NODE[node.op]
    if node.op == "call_module":
        return LAYERS.get(type(model.get_submodule(node.target)).__name__, unsupported)
    name = kind(node)
    for names, rule in (
        (POINTWISE, _pointwise),
        (MOVES, _moved),
        (REDUCTIONS, _reduced),
        (SPATIAL, _spatial),
    ):
        if name in names:
            return rule
    return _FUNCTIONS.get(name, unsupported)


def _output(run: NodeRun) -> None:
    for ids in input_ids(run):
        run.protect(ids, "they are the network's outputs")


def _stored(run: NodeRun) -> Any:
    """Return ids of a stored tensor along one axis; see `stored_axis`."""
    tensor = tensor_of(run.model, run.node)
    axis = stored_axis(tensor)
    if axis is None or not tensor.is_floating_point():
        return no_channels(run)
    layer_axis = (run.node.target, STORED)
    if layer_axis not in run.dependencies.axes:
        run.dependencies.axes[layer_axis] = run.dependencies.ids.new(tensor.shape[axis])
    return run.spread_along(run.dependencies.axis_ids(layer_axis), axis)


def _pointwise(run: NodeRun) -> Any:
    return coupled_elementwise(run, input_ids(run), run.output.shape)


def _moved(run: NodeRun) -> Any:
    import torch

    x, name = run.ids_of(run.node.args[0]), kind(run.node)
    if name in SELECTING and _selects_channels(run, x, name):
        x = run.protect(x, f"{run.node.name} selects some of them by their index")
    moved = _moved_ids(run, x)
    if isinstance(moved, torch.Tensor) and len(axes := channel_axes(moved)) > 1:
        moved = _one_axis_of(run, moved, axes, name in SPLITTING)
    return moved


def _selects_channels(run: NodeRun, x: Any, name: str) -> bool:
    """Return whether the operator selects channels by a constant index, which pruning cannot
    change.
    """
    dim = run.argument(1, "dim", SELECTING[name])
    return dim % x.dim() in channel_axes(x) and (
        name != "sliced" or run.argument(4, "step", 1) != 1
    )


def _moved_ids(run: NodeRun, x: Any) -> Any:
    """Apply the node's move to the ids instead of the elements."""
    from torch.fx.node import map_arg

    first = run.node.args[0]
    arguments = {
        node: x if node is first else run.values[node] for node in run.node.all_input_nodes
    }
    args, kwargs = (map_arg(a, arguments.__getitem__) for a in (run.node.args, run.node.kwargs))
    if run.node.op == "call_method":
        return getattr(args[0], run.node.target)(*args[1:], **kwargs)
    return run.node.target(*args, **kwargs)


def _one_axis_of(run: NodeRun, ids: Any, axes: Sequence[int], split: bool) -> Any:
    """Restrict ids that vary along several axes to one: only one axis can be shortened.

    Channels of a layer that are reshaped to heads × size keep varying between heads, or within
    them; all others are coupled.
    """
    if not split or run.dependencies.attention == "spare":
        return run.protect(ids, f"{run.node.name} spreads them over several axes")
    kept = axes[-2] if run.dependencies.attention == "heads" else axes[-1]
    for axis in axes:
        if axis != kept:
            run.dependencies.ids.couple(ids, ids.narrow(axis, 0, 1).expand(ids.shape), "")
    return run.dependencies.ids.representatives(ids)


def _joined(run: NodeRun) -> Any:
    """Concatenate or stack ids; along all other axes the ids of the parts are coupled."""
    parts, dim = [run.ids_of(node) for node in run.node.args[0]], run.argument(1, "dim", 0)
    whole = [part if kind(run.node) == "cat" else part.unsqueeze(dim) for part in parts]
    firsts = [part.narrow(dim, 0, 1) for part in whole]
    if any(channel_axes(first) for first in firsts):
        coupled_elementwise(run, firsts, firsts[0].shape)
    import torch

    ids = torch.cat([run.dependencies.ids.representatives(part) for part in whole], dim)
    return run.protect_unless_along(
        ids, channel_axes(ids)[:1], f"{run.node.name} spreads them over several axes"
    )


def _reduced(run: NodeRun) -> Any:
    x = run.ids_of(run.node.args[0])
    dims = (
        run.argument(1, "dim") if isinstance(run.argument(1, "dim"), int | list | tuple) else None
    )
    over = [dims] if isinstance(dims, int) else list(dims or range(x.dim()))
    over = [axis % x.dim() for axis in over]
    rest = [axis for axis in range(x.dim()) if axis not in over]
    x = run.protect_unless_along(x, rest, f"{run.node.name} reduces all of them to one element")
    return x.amax(over, keepdim=run.output.dim() == x.dim()) if over else x


def _softmax(run: NodeRun) -> Any:
    x = run.ids_of(run.node.args[0])
    dim = run.argument(1, "dim") % x.dim()
    others = [axis for axis in range(x.dim()) if axis != dim]
    return run.protect_unless_along(
        x, others, f"{run.node.name} weighs all of them against each other"
    )


def _spatial(run: NodeRun) -> Any:
    x = run.ids_of(run.node.args[0])
    if run.output.shape[:2] != x.shape[:2]:
        return unsupported(run)
    return run.spread_along(
        run.ids_along(x, 1, f"{run.node.name} changes the axis along which they differ"), 1
    )


def _product(run: NodeRun) -> Any:
    a, b = (run.ids_of(node) for node in run.node.args[:2])
    return _multiplied(run, a, b, run.output.shape)


def _multiplied(run: NodeRun, a: Any, b: Any, shape: Sequence[int]) -> Any:
    """Couple the ids that a matrix product sums over, and return those of its output."""
    if a.dim() < 2 or b.dim() < 2:
        return unsupported(run)
    batch = tuple(shape[:-2])
    rows, columns = a.shape[-2], b.shape[-1]
    inner = [a.narrow(-2, 0, 1).transpose(-2, -1), b.narrow(-1, 0, 1)]
    if any(part.dim() - 2 in channel_axes(part) for part in inner):
        coupled_elementwise(run, inner, (*batch, a.shape[-1], 1))
        a, b = run.dependencies.ids.representatives(a), run.dependencies.ids.representatives(b)
    outer = [_summed_over(a, -1), _summed_over(b, -2)]
    ids = coupled_elementwise(run, outer, (*batch, rows, columns))
    return run.protect_unless_along(
        ids, channel_axes(ids)[:1], f"{run.node.name} spreads them over several axes"
    )


def _summed_over(ids: Any, axis: int) -> Any:
    """Return the ids that remain when an axis is summed over; 0 where they varied along it."""
    first = ids.narrow(axis, 0, 1)
    return first * 0 if axis % ids.dim() in channel_axes(ids) else first


def _attention(run: NodeRun) -> Any:
    """Return the ids of scaled dot-product attention, with its mask."""
    query, key, value = (run.ids_of(node) for node in run.node.args[:3])
    scores = _multiplied(run, query, key.transpose(-2, -1), (*query.shape[:-1], key.shape[-2]))
    mask = run.argument(3, "attn_mask")
    if mask is not None:
        scores = coupled_elementwise(run, [scores, run.ids_of(mask)], scores.shape)
    scores = run.protect_unless_along(
        scores, range(scores.dim() - 1), f"{run.node.name} weighs all of them against each other"
    )
    return _multiplied(run, scores, run.dependencies.ids.representatives(value), run.output.shape)


_BY_KIND_OF_NODE: dict[str, Rule] = {
    "placeholder": no_channels,
    "get_attr": _stored,
    "output": _output,
}
_FUNCTIONS: dict[str, Rule] = {
    "cat": _joined,
    "stack": _joined,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "matmul": _product,
    "bmm": _product,
    "scaled_dot_product_attention": _attention,
}
