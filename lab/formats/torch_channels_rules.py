"""What each operator does with the units of its inputs' channels; see `lab.formats.torch_channels`.

An operator that is in none of these lists keeps every channel that it reads: nothing is pruned that is not understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.formats.torch_channels import IN, NORM, OUT, STORED, Channels
from lab.formats.torch_fx import kind, tensor_of

POINTWISE = {
    "relu", "relu6", "hardtanh", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "gelu", "elu", "celu", "selu", "mish",
    "leaky_relu", "softplus", "softsign", "logsigmoid", "exp", "log", "log1p", "sqrt", "rsqrt", "abs", "neg", "pow", "square",
    "reciprocal", "erf", "sin", "cos", "clamp", "clamp_min", "clamp_max", "clip", "to", "contiguous", "clone", "zeros_like",
    "ones_like", "full_like", "add", "sub", "rsub", "mul", "div", "maximum", "minimum", "where", "ne", "eq", "gt", "lt", "ge",
    "le", "logical_not", "logical_and", "logical_or", "masked_fill", "type_as", "dropout",
}  # fmt: skip
"""Each number of the output comes from the numbers at the same place."""
MOVES = {
    "reshape", "view", "flatten", "unflatten", "permute", "transpose", "t", "movedim", "chunk", "split", "split_with_sizes",
    "unbind", "getitem", "sliced", "select", "squeeze", "unsqueeze", "expand",
}  # fmt: skip
"""No number changes, only where it lies."""
SPLITTING = {"reshape", "view", "flatten", "unflatten"}
PICKING = {"unbind": 0, "select": None, "sliced": 0}
REDUCTIONS = {"mean", "sum", "amax", "amin", "logsumexp"}
SPATIAL = {
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "upsample_nearest2d", "upsample_bilinear2d", "pad", "constant_pad_nd",
}  # fmt: skip
"""Channel by channel, axis 1; the axes behind it may change their sizes."""

Rule = Callable[["Step"], Any]


class Step:
    """A node as it ran.

    Attributes:
        made: what it made.
        values: node -> what it made, of all before.
    """

    def __init__(self, node: Any, made: Any, values: Mapping[Any, Any], channels: Channels, model: Any) -> None:
        self.node, self.made, self.values, self.channels, self.model = node, made, values, channels, model

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


def units_of(node: Any, made: Any, values: Mapping[Any, Any], channels: Channels, model: Any) -> Any:
    """Units of what a node made; see `Channels.made`."""
    import torch

    step = Step(node, made, values, channels, model)
    parts = made if isinstance(made, tuple | list) else [made]
    if node.op != "output" and not all(isinstance(part, torch.Tensor) for part in parts):
        return None
    try:
        return _rule(node, model)(step)
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):  # arguments that the rule does not know
        return _unknown(step)


def stored_axis(tensor: Any) -> int | None:
    """The axis of a stored tensor that may follow channels: its last one that is longer than 1."""
    return next((axis for axis in reversed(range(tensor.dim())) if tensor.shape[axis] > 1), None)


def varying(labels: Any) -> list[int]:
    """Axes along which units differ."""
    return (
        [axis for axis in range(labels.dim()) if (labels != labels.narrow(axis, 0, 1)).any()] if labels.numel() else []
    )


def _rule(node: Any, model: Any) -> Rule:
    if node.op in _BY_KIND_OF_NODE:
        return _BY_KIND_OF_NODE[node.op]
    if node.op == "call_module":
        return _MODULES.get(type(model.get_submodule(node.target)).__name__, _unknown)
    name = kind(node)
    for names, rule in ((POINTWISE, _pointwise), (MOVES, _moved), (REDUCTIONS, _reduced), (SPATIAL, _spatial)):
        if name in names:
            return rule
    return _FUNCTIONS.get(name, _unknown)


def _nothing(step: Step) -> Any:
    """What no layer made has no units."""
    import torch

    if isinstance(step.made, tuple | list):
        return [torch.zeros(part.shape, dtype=torch.int64) for part in step.made]
    return torch.zeros(step.made.shape, dtype=torch.int64)


def _inputs(step: Step) -> list[Any]:
    found = [step.units(node) for node in step.node.all_input_nodes]
    flat = [part for made in found for part in (made if isinstance(made, list) else [made])]
    return [labels for labels in flat if labels is not None]


def _unknown(step: Step) -> Any:
    name = kind(step.node) or type(step.model.get_submodule(step.node.target)).__name__
    for labels in _inputs(step):
        step.fix(labels, f"{name} reads them, an operator that pruning cannot follow")
    return _nothing(step)


def _answer(step: Step) -> None:
    for labels in _inputs(step):
        step.fix(labels, "they are the network's answers")


def _stored(step: Step) -> Any:
    """A stored tensor has units along one axis, see `stored_axis`."""
    tensor = tensor_of(step.model, step.node)
    axis = stored_axis(tensor)
    if axis is None or not tensor.is_floating_point():
        return _nothing(step)
    place = (step.node.target, STORED)
    if place not in step.channels.places:
        step.channels.places[place] = step.channels.units.fresh(tensor.shape[axis])
    return step.along(step.channels.at(place), axis)


def _pointwise(step: Step) -> Any:
    return _met(step, _inputs(step), step.made.shape)


def _met(step: Step, inputs: Sequence[Any], shape: Sequence[int]) -> Any:
    """Tensors meet number by number, those of size 1 spread over the others."""
    import torch

    inputs = [labels.reshape((1,) * (len(shape) - labels.dim()) + tuple(labels.shape)) for labels in inputs]
    labelled = [labels for labels in inputs if labels.any()]
    for plain in (labels for labels in inputs if not labels.any()):
        for labels in labelled:
            if any(plain.shape[axis] > 1 for axis in varying(labels)):
                step.fix(labels, f"{step.node.name} joins them with something that has no channels to prune")
    for labels in labelled[1:]:
        why = f"{step.node.name} joins them with channels that must stay"
        step.channels.units.join(labelled[0].expand(shape), labels.expand(shape), why)
    return step.channels.units.find(labelled[0].expand(shape)) if labelled else torch.zeros(shape, dtype=torch.int64)


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
    """Whether it takes channels out by a number that stands in the graph and cannot be another one."""
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

    A layer's channels that become heads × size keep differing between heads, or within them; all others become one.
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
        _met(step, firsts, firsts[0].shape)
    import torch

    labels = torch.cat([step.channels.units.find(part) for part in whole], dim)
    return step.only_along(labels, varying(labels)[:1], f"{step.node.name} spreads them over several axes")


def _reduced(step: Step) -> Any:
    x = step.units(step.node.args[0])
    dims = step.argument(1, "dim") if isinstance(step.argument(1, "dim"), int | list | tuple) else None
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
        return _unknown(step)
    return step.along(step.vector(x, 1, f"{step.node.name} changes the axis along which they differ"), 1)


def _product(step: Step) -> Any:
    a, b = (step.units(node) for node in step.node.args[:2])
    return _multiplied(step, a, b, step.made.shape)


def _multiplied(step: Step, a: Any, b: Any, shape: Sequence[int]) -> Any:
    """A matrix product: what is summed over must be the same units on both sides, and is gone."""
    if a.dim() < 2 or b.dim() < 2:
        return _unknown(step)
    batch = tuple(shape[:-2])
    rows, columns = a.shape[-2], b.shape[-1]
    inner = [a.narrow(-2, 0, 1).transpose(-2, -1), b.narrow(-1, 0, 1)]
    if any(part.dim() - 2 in varying(part) for part in inner):
        _met(step, inner, (*batch, a.shape[-1], 1))
        a, b = step.channels.units.find(a), step.channels.units.find(b)
    outer = [_without(a, -1), _without(b, -2)]
    labels = _met(step, outer, (*batch, rows, columns))
    return step.only_along(labels, varying(labels)[:1], f"{step.node.name} spreads them over several axes")


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
        scores = _met(step, [scores, step.units(mask)], scores.shape)
    scores = step.only_along(scores, range(scores.dim() - 1), f"{step.node.name} weighs all of them against each other")
    return _multiplied(step, scores, step.channels.units.find(value), step.made.shape)


def _layer(step: Step) -> tuple[Any, str, Any]:
    """The module, its name, and the units that it reads."""
    return step.model.get_submodule(step.node.target), step.node.target, step.units(step.node.args[0])


def _linear(step: Step) -> Any:
    module, name, x = _layer(step)
    return step.along(_weighed(step, module.out_features, name, step.vector(x, -1, _MIXES.format(name))), -1)


def _convolution(step: Step) -> Any:
    module, name, x = _layer(step)
    vector = step.vector(x, 1, _MIXES.format(name))
    if module.groups == 1:
        return step.along(_weighed(step, module.out_channels, name, vector), 1)
    return step.along(_grouped(step, module, name, vector), 1)


def _weighed(step: Step, n: int, name: str, vector: Any) -> Any:
    """Units of n channels that a layer makes of those that it reads, the same ones in each of its calls."""
    step.channels.meet((name, IN), vector, f"{name} reads channels there that must stay")
    if (name, OUT) not in step.channels.places:
        step.channels.places[name, OUT] = step.channels.units.fresh(n)
    return step.channels.at((name, OUT))


def _grouped(step: Step, module: Any, name: str, vector: Any) -> Any:
    """A depthwise convolution makes an output of each input; other groups lose their channels at the same places."""
    out, join = _weighed(step, module.out_channels, name, vector), step.channels.units.join
    if module.groups == module.in_channels:
        each = module.out_channels // module.groups
        join(out, step.channels.at((name, IN)).repeat_interleave(each), f"{name} makes them of channels that must stay")
    else:
        for labels in (out, step.channels.at((name, IN))):
            rows = labels.reshape(module.groups, -1)
            join(rows, rows[:1].expand(rows.shape), f"{name} reads other groups that must stay")
    return step.channels.at((name, OUT))


def _batch_norm(step: Step) -> Any:
    _, name, x = _layer(step)
    vector = step.vector(x, 1, f"{name} normalises another axis")
    return step.along(step.channels.meet((name, NORM), vector, f"{name} normalises channels that must stay"), 1)


def _layer_norm(step: Step) -> Any:
    module, name, x = _layer(step)
    others = range(x.dim() - len(module.normalized_shape))
    return step.only_along(
        x, others, f"{name} normalises over all of them: without some, it would make other numbers of the rest"
    )


def _embedding(step: Step) -> Any:
    module, name, _ = _layer(step)
    if (name, OUT) not in step.channels.places:
        step.channels.places[name, OUT] = step.channels.units.fresh(module.embedding_dim)
    return step.along(step.channels.at((name, OUT)), -1)


_MIXES = "{} reads them along several axes"
_BY_KIND_OF_NODE: dict[str, Rule] = {"placeholder": _nothing, "get_attr": _stored, "output": _answer}
_FUNCTIONS: dict[str, Rule] = {
    "cat": _joined, "stack": _joined, "softmax": _softmax, "log_softmax": _softmax, "matmul": _product, "bmm": _product,
    "scaled_dot_product_attention": _attention,
}  # fmt: skip
_MODULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _convolution), "Linear": _linear, "Embedding": _embedding,
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), _batch_norm), "LayerNorm": _layer_norm,
    **dict.fromkeys(("Dropout", "Dropout2d", "AlphaDropout"), _pointwise),
}  # fmt: skip
