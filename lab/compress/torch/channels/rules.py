"""What each operator does with the units of its inputs' channels; see
`lab.compress.torch.channels.dependencies`.

An operator that is in none of these lists keeps every channel that it reads: nothing is pruned that
is not understood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.compress.torch.channels.dependencies import STORED, Channels
from lab.compress.torch.channels.layers import LAYERS
from lab.compress.torch.channels.step import (
    Rule,
    Step,
    inputs,
    met,
    nothing,
    stored_axis,
    unknown,
    varying,
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
"""Each number of the output comes from the numbers at the same place."""
MOVES = {
    "reshape", "view", "flatten", "unflatten", "permute", "transpose", "t", "movedim", "chunk",
    "split", "split_with_sizes", "unbind", "getitem", "sliced", "select", "squeeze", "unsqueeze",
    "expand",
}  # fmt: skip
"""No number changes, only where it lies."""
SPLITTING = {"reshape", "view", "flatten", "unflatten"}
PICKING = {"unbind": 0, "select": None, "sliced": 0}
REDUCTIONS = {"mean", "sum", "amax", "amin", "logsumexp"}
SPATIAL = {
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d",
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "upsample_nearest2d",
    "upsample_bilinear2d", "pad", "constant_pad_nd",
}  # fmt: skip
"""Channel by channel, axis 1; the axes behind it may change their sizes."""


def units_of(
    node: Any, made: Any, values: Mapping[Any, Any], channels: Channels, model: Any
) -> Any:
    """Units of what a node made; see `Channels.made`."""
    import torch

    step = Step(node, made, values, channels, model)
    parts = made if isinstance(made, tuple | list) else [made]
    if node.op != "output" and not all(isinstance(part, torch.Tensor) for part in parts):
        return None
    try:
        return _rule(node, model)(step)
    except (
        AttributeError,
        IndexError,
        RuntimeError,
        TypeError,
        ValueError,
    ):  # arguments that the rule does not know
        return unknown(step)


def _rule(node: Any, model: Any) -> Rule:
    if node.op in _BY_KIND_OF_NODE:
        return _BY_KIND_OF_NODE[node.op]
    if node.op == "call_module":
        return LAYERS.get(type(model.get_submodule(node.target)).__name__, unknown)
    name = kind(node)
    for names, rule in (
        (POINTWISE, _pointwise),
        (MOVES, _moved),
        (REDUCTIONS, _reduced),
        (SPATIAL, _spatial),
    ):
        if name in names:
            return rule
    return _FUNCTIONS.get(name, unknown)


def _answer(step: Step) -> None:
    for labels in inputs(step):
        step.fix(labels, "they are the network's answers")


def _stored(step: Step) -> Any:
    """A stored tensor has units along one axis, see `stored_axis`."""
    tensor = tensor_of(step.model, step.node)
    axis = stored_axis(tensor)
    if axis is None or not tensor.is_floating_point():
        return nothing(step)
    place = (step.node.target, STORED)
    if place not in step.channels.places:
        step.channels.places[place] = step.channels.units.fresh(tensor.shape[axis])
    return step.along(step.channels.at(place), axis)


def _pointwise(step: Step) -> Any:
    return met(step, inputs(step), step.made.shape)


def _moved(step: Step) -> Any:
    import torch

    x, name = step.units(step.node.args[0]), kind(step.node)
    if name in PICKING and _picks(step, x, name):
        x = step.fix(x, f"{step.node.name} picks some of them by their number")
    moved = _again(step, x)
    if isinstance(moved, torch.Tensor) and len(axes := varying(moved)) > 1:
        moved = _settled(step, moved, axes, name in SPLITTING)
    return moved


def _picks(step: Step, x: Any, name: str) -> bool:
    """Whether it takes channels out by a number that stands in the graph and cannot be another
    one.
    """
    dim = step.argument(1, "dim", PICKING[name])
    return dim % x.dim() in varying(x) and (name != "sliced" or step.argument(4, "step", 1) != 1)


def _again(step: Step, x: Any) -> Any:
    """The same move on units instead of numbers."""
    from torch.fx.node import map_arg

    first = step.node.args[0]
    given = {node: x if node is first else step.values[node] for node in step.node.all_input_nodes}
    args, kwargs = (map_arg(a, given.__getitem__) for a in (step.node.args, step.node.kwargs))
    if step.node.op == "call_method":
        return getattr(args[0], step.node.target)(*args[1:], **kwargs)
    return step.node.target(*args, **kwargs)


def _settled(step: Step, labels: Any, axes: Sequence[int], split: bool) -> Any:
    """Units that differ along several axes: only one of them can be shortened.

    A layer's channels that become heads × size keep differing between heads, or within them; all
    others become one.
    """
    if not split or step.channels.attention == "spare":
        return step.fix(labels, f"{step.node.name} spreads them over several axes")
    kept = axes[-2] if step.channels.attention == "heads" else axes[-1]
    for axis in axes:
        if axis != kept:
            step.channels.units.join(labels, labels.narrow(axis, 0, 1).expand(labels.shape), "")
    return step.channels.units.find(labels)


def _joined(step: Step) -> Any:
    """cat and stack: along all other axes the parts have the same units."""
    parts, dim = [step.units(node) for node in step.node.args[0]], step.argument(1, "dim", 0)
    whole = [part if kind(step.node) == "cat" else part.unsqueeze(dim) for part in parts]
    firsts = [part.narrow(dim, 0, 1) for part in whole]
    if any(varying(first) for first in firsts):
        met(step, firsts, firsts[0].shape)
    import torch

    labels = torch.cat([step.channels.units.find(part) for part in whole], dim)
    return step.only_along(
        labels, varying(labels)[:1], f"{step.node.name} spreads them over several axes"
    )


def _reduced(step: Step) -> Any:
    x = step.units(step.node.args[0])
    dims = (
        step.argument(1, "dim") if isinstance(step.argument(1, "dim"), int | list | tuple) else None
    )
    over = [dims] if isinstance(dims, int) else list(dims or range(x.dim()))
    over = [axis % x.dim() for axis in over]
    rest = [axis for axis in range(x.dim()) if axis not in over]
    x = step.only_along(x, rest, f"{step.node.name} computes one number of all of them")
    return x.amax(over, keepdim=step.made.dim() == x.dim()) if over else x


def _softmax(step: Step) -> Any:
    x = step.units(step.node.args[0])
    dim = step.argument(1, "dim") % x.dim()
    others = [axis for axis in range(x.dim()) if axis != dim]
    return step.only_along(x, others, f"{step.node.name} weighs all of them against each other")


def _spatial(step: Step) -> Any:
    x = step.units(step.node.args[0])
    if step.made.shape[:2] != x.shape[:2]:
        return unknown(step)
    return step.along(
        step.vector(x, 1, f"{step.node.name} changes the axis along which they differ"), 1
    )


def _product(step: Step) -> Any:
    a, b = (step.units(node) for node in step.node.args[:2])
    return _multiplied(step, a, b, step.made.shape)


def _multiplied(step: Step, a: Any, b: Any, shape: Sequence[int]) -> Any:
    """A matrix product: what is summed over must be the same units on both sides, and is gone."""
    if a.dim() < 2 or b.dim() < 2:
        return unknown(step)
    batch = tuple(shape[:-2])
    rows, columns = a.shape[-2], b.shape[-1]
    inner = [a.narrow(-2, 0, 1).transpose(-2, -1), b.narrow(-1, 0, 1)]
    if any(part.dim() - 2 in varying(part) for part in inner):
        met(step, inner, (*batch, a.shape[-1], 1))
        a, b = step.channels.units.find(a), step.channels.units.find(b)
    outer = [_without(a, -1), _without(b, -2)]
    labels = met(step, outer, (*batch, rows, columns))
    return step.only_along(
        labels, varying(labels)[:1], f"{step.node.name} spreads them over several axes"
    )


def _without(labels: Any, axis: int) -> Any:
    """Units that are left when an axis is summed over: none of those that differed along it."""
    first = labels.narrow(axis, 0, 1)
    return first * 0 if axis % labels.dim() in varying(labels) else first


def _attention(step: Step) -> Any:
    """Scaled dot products, a mask added, and values weighed by them."""
    query, key, value = (step.units(node) for node in step.node.args[:3])
    scores = _multiplied(step, query, key.transpose(-2, -1), (*query.shape[:-1], key.shape[-2]))
    mask = step.argument(3, "attn_mask")
    if mask is not None:
        scores = met(step, [scores, step.units(mask)], scores.shape)
    scores = step.only_along(
        scores, range(scores.dim() - 1), f"{step.node.name} weighs all of them against each other"
    )
    return _multiplied(step, scores, step.channels.units.find(value), step.made.shape)


_BY_KIND_OF_NODE: dict[str, Rule] = {"placeholder": nothing, "get_attr": _stored, "output": _answer}
_FUNCTIONS: dict[str, Rule] = {
    "cat": _joined,
    "stack": _joined,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "matmul": _product,
    "bmm": _product,
    "scaled_dot_product_attention": _attention,
}
