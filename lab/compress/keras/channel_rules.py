"""What each kind of Keras layer does with channels: the last axis of what it is given and of what
it makes.

A rule takes (coupling, layer, node, numbers of the channels of each input) and returns those of its
output, or None where it does not know the case; whatever has no rule keeps all channels that reach
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from lab.compress.keras.coupling import SPARED, Coupling, Width, length, stays
from lab.lazy import np
from lab.plugs import Array

Rule = Callable[[Coupling, Any, Any, list[Array]], Array | None]

_ELEMENTWISE = {
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish",
    "sigmoid", "hard_sigmoid", "log_sigmoid", "sparse_sigmoid", "tanh", "hard_tanh", "hard_silu",
    "hard_swish", "hard_shrink", "soft_shrink", "tanh_shrink", "softplus", "softsign",
    "sparse_plus", "squareplus", "exponential", "threshold",
}  # fmt: skip
_PLACES = (
    "MaxPooling",
    "AveragePooling",
    "GlobalMaxPooling",
    "GlobalAveragePooling",
    "ZeroPadding",
    "Cropping",
    "UpSampling",
)
_SAME_LAYERS = [
    "ReLU",
    "LeakyReLU",
    "ELU",
    "Dropout",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "RepeatVector",
    *(f"{kind}{n}D" for n in (1, 2, 3) for kind in ("SpatialDropout", *_PLACES)),
]
_SAME_OPERATIONS = [
    "Relu", "Relu6", "Sigmoid", "SparseSigmoid", "Softplus", "Softsign", "SoftShrink", "SparsePlus",
    "Silu", "Squareplus", "LogSigmoid", "LeakyRelu", "HardSigmoid", "HardSilu", "Elu", "Selu",
    "Gelu", "Celu", "TanhShrink", "HardTanh", "HardShrink", "Threshold", "Tanh", "Exp", "Absolute",
    "Abs", "Negative", "Square", "Sqrt", "Clip", "MaxPool", "AveragePool",
]  # fmt: skip
_MERGE_LAYERS = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]
_MERGE_OPERATIONS = ["Add", "Subtract", "Multiply", "Maximum", "Minimum", "Divide", "TrueDivide"]
_REDUCTIONS = ["Mean", "Sum", "Max", "Amax"]


def rule_of(operation: Any) -> Rule | None:
    """The rule of a layer or an operation of Keras itself; None for one that has none, or lays
    channels out first.
    """
    module, last = (
        type(operation).__module__,
        getattr(operation, "data_format", None) in (None, "channels_last"),
    )
    rules = next((rules for start, rules in _RULES.items() if module.startswith(start)), {})
    return rules.get(type(operation).__name__) if last else None


def elementwise(activation: Any) -> bool:
    """Whether an activation function treats each number by itself, as a softmax does not."""
    name = getattr(activation, "__name__", "")
    return activation is None or (
        getattr(activation, "__module__", "").startswith("keras.src.") and name in _ELEMENTWISE
    )


# --- layers that make channels --------------------------------------------------------------------


def _dense(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array:
    made = _makes(c, layer, "units", layer.units)
    c.weigh(layer, layer._kernel, 0, given[0], "reads")
    c.weigh(layer, layer._kernel, 1, made, "makes")
    return made


def _conv(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array:
    made, groups = _makes(c, layer, "filters", layer.filters), layer.groups
    if groups > 1:  # groups stay equally large: what one loses each loses
        c.join(*np.split(given[0], groups))
        c.join(*np.split(made, groups))
    axes = layer._kernel.shape
    c.weigh(layer, layer._kernel, len(axes) - 2, given[0][: axes[-2]], "reads", groups)
    c.weigh(layer, layer._kernel, len(axes) - 1, made, "makes")
    return made


def _transposed(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array:
    made, axes = _makes(c, layer, "filters", layer.filters), len(layer.kernel.shape)
    c.weigh(layer, layer.kernel, axes - 1, given[0], "reads")
    c.weigh(layer, layer.kernel, axes - 2, made, "makes")
    return made


def _separable(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array:
    made, axes = _makes(c, layer, "filters", layer.filters), len(layer.depthwise_kernel.shape)
    c.weigh(layer, layer.depthwise_kernel, axes - 2, given[0])
    c.weigh(
        layer,
        layer.pointwise_kernel,
        axes - 2,
        np.repeat(given[0], layer.depth_multiplier),
        "reads",
    )
    c.weigh(layer, layer.pointwise_kernel, axes - 1, made, "makes")
    return made


def _embedding(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array:
    made = c.fresh(layer.name, layer.output_dim)
    c.widths.append(Width(layer.name, "output_dim", made))
    c.weigh(layer, layer._embeddings, 1, made, "makes")
    return made


def _makes(c: Coupling, layer: Any, entry: str, count: int) -> Array:
    made = c.fresh(layer.name, count)
    c.widths.append(Width(layer.name, entry, made))
    c.weigh(layer, layer.bias if layer.use_bias else None, 0, made)
    if not elementwise(layer.activation):
        c.spare(made)
    return made


# --- layers that have weights for each channel ----------------------------------------------------


def _depthwise(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array:
    made, axes = np.repeat(given[0], layer.depth_multiplier), len(layer.kernel.shape)
    c.weigh(layer, layer.kernel, axes - 2, given[0])
    c.weigh(layer, layer.bias if layer.use_bias else None, 0, made)
    if not elementwise(layer.activation):
        c.spare(made)
    return made


def _batch_norm(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array | None:
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
    if axis not in (-1, len(node.input_tensors[0].shape) - 1):
        return None
    c.weigh(layer, layer.gamma if layer.scale else None, 0, given[0], "scales")
    for variable in (
        layer.beta if layer.center else None,
        layer.moving_mean,
        layer.moving_variance,
    ):
        c.weigh(layer, variable, 0, given[0])
    return given[0]


def _prelu(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array:
    if layer.alpha.shape[-1] != 1 or len(given[0]) == 1:
        c.weigh(layer, layer.alpha, len(layer.alpha.shape) - 1, given[0])
    return given[0]


# --- layers without weights -----------------------------------------------------------------------


def _same(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array:
    return given[0]


def _activation(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array | None:
    return given[0] if elementwise(layer.activation) else None


def _rescaling(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array | None:
    return given[0] if np.size(layer.scale) == np.size(layer.offset) == 1 else None


def _merge(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array | None:
    """Sums and the like: channels at the same place belong together; one channel for all of them
    must stay.
    """
    if not _constants_are_scalars(node):
        return None
    most = length(given)
    wide = [row for row in given if len(row) == most]
    if any(len(row) not in (1, most) for row in given):
        return None
    for row in given:
        if len(row) < most:
            c.spare(row)
    c.join(*wide)
    return wide[0]


def _constants_are_scalars(node: Any) -> bool:
    import keras

    tensors = set(map(id, node.input_tensors))
    others = [
        v
        for v in keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
        if id(v) not in tensors
    ]
    return all(np.size(value) == 1 for value in others)


def _concatenate(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array | None:
    if layer.axis in (-1, len(node.outputs[0].shape) - 1):
        return np.concatenate(given)
    c.join(*given)
    return given[0]


def _flatten(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array | None:
    places = node.input_tensors[0].shape[1:-1]
    return None if None in places or not len(given[0]) else np.tile(given[0], prod(places))


def _reshape(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array | None:
    """Known where the last axis stays as it is, or all become one: numbers lie in memory with the
    last axis running fastest.
    """
    before, after = node.input_tensors[0].shape[1:], node.outputs[0].shape[1:]
    if not (before and after):
        return None
    if len(after) == 1 and (made := _flatten(c, layer, node, given)) is not None:
        c.widths.append(Width(layer.name, "target_shape", made, ()))
        return made
    if after[-1] != before[-1] or after[-1] is None:
        return None
    c.widths.append(Width(layer.name, "target_shape", given[0], tuple(layer.target_shape[:-1])))
    return given[0]


def _permute(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array | None:
    return given[0] if layer.dims[-1] == len(layer.dims) else None


def _reduce(c: Coupling, layer: Any, node: Any, given: list[Array]) -> Array | None:
    axes, rank = layer.axis, len(node.input_tensors[0].shape)
    found = [axes] if isinstance(axes, int) else list(axes or [-1])
    return None if any(axis % rank == rank - 1 for axis in found) else given[0]


_LAYERS: Mapping[str, Rule] = {
    "Dense": _dense,
    "Embedding": _embedding,
    "BatchNormalization": _batch_norm,
    "PReLU": _prelu,
    **{f"Conv{n}D": _conv for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _transposed for n in (1, 2, 3)},
    **{f"SeparableConv{n}D": _separable for n in (1, 2)},
    **{f"DepthwiseConv{n}D": _depthwise for n in (1, 2)},
    **dict.fromkeys(_SAME_LAYERS, _same),
    "Activation": _activation,
    "Rescaling": _rescaling,
    **dict.fromkeys(_MERGE_LAYERS, _merge),
    "Concatenate": _concatenate,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
}
_OPERATIONS: Mapping[str, Rule] = {
    **dict.fromkeys(_SAME_OPERATIONS, _same),
    **dict.fromkeys(_MERGE_OPERATIONS, _merge),
    **dict.fromkeys(_REDUCTIONS, _reduce),
    "Concatenate": _concatenate,
}
_RULES = {"keras.src.layers.": _LAYERS, "keras.src.ops.": _OPERATIONS}


def unknown(c: Coupling, layer: Any, node: Any, given: list[Array]) -> list[Array]:
    """All channels that reach it stay, and those that it makes."""
    if any(c.root(number) != SPARED for row in given for number in row.tolist()):
        c.spared_by.append(f"{type(layer).__name__} {layer.name!r}")
    for row in given:
        c.spare(row)
    return [stays(tensor.shape[-1] if tensor.shape else 0) for tensor in node.outputs]
