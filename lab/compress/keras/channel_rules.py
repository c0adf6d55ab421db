"""Rules for Keras layers: how each kind of layer couples the channels of its inputs and outputs
(their last axes).

A rule takes (coupling, layer, node, channel ids of each input) and returns the ids of the output,
or None where it does not support the case. A layer without a rule protects all channels that reach
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from lab.compress.keras.coupling import PROTECTED, Coupling, Width, most_channels, protected_ids
from lab.lazy import np
from lab.plugs import Array

Rule = Callable[[Coupling, Any, Any, list[Array]], Array | None]

_ELEMENTWISE = {
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish",
    "sigmoid", "hard_sigmoid", "log_sigmoid", "sparse_sigmoid", "tanh", "hard_tanh", "hard_silu",
    "hard_swish", "hard_shrink", "soft_shrink", "tanh_shrink", "softplus", "softsign",
    "sparse_plus", "squareplus", "exponential", "threshold",
}  # fmt: skip
_SPATIAL = (
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
    *(f"{kind}{n}D" for n in (1, 2, 3) for kind in ("SpatialDropout", *_SPATIAL)),
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
    """Return the rule of a layer or an operation of Keras; None where there is none, or where
    channels come first.
    """
    module, last = (
        type(operation).__module__,
        getattr(operation, "data_format", None) in (None, "channels_last"),
    )
    rules = next((rules for start, rules in _RULES.items() if module.startswith(start)), {})
    return rules.get(type(operation).__name__) if last else None


def elementwise(activation: Any) -> bool:
    """Return whether an activation function works on each element by itself; a softmax does not."""
    name = getattr(activation, "__name__", "")
    return activation is None or (
        getattr(activation, "__module__", "").startswith("keras.src.") and name in _ELEMENTWISE
    )


# --- layers that make channels --------------------------------------------------------------------


def _dense(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array:
    outputs = _output_ids(coupling, layer, "units", layer.units)
    coupling.add_axis(layer, layer._kernel, 0, inputs[0], "reads")
    coupling.add_axis(layer, layer._kernel, 1, outputs, "makes")
    return outputs


def _conv(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array:
    outputs, groups = _output_ids(coupling, layer, "filters", layer.filters), layer.groups
    if groups > 1:  # groups stay equally large: each loses the same channels
        coupling.couple(*np.split(inputs[0], groups))
        coupling.couple(*np.split(outputs, groups))
    axes = layer._kernel.shape
    coupling.add_axis(layer, layer._kernel, len(axes) - 2, inputs[0][: axes[-2]], "reads", groups)
    coupling.add_axis(layer, layer._kernel, len(axes) - 1, outputs, "makes")
    return outputs


def _transposed(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array:
    outputs, axes = _output_ids(coupling, layer, "filters", layer.filters), len(layer.kernel.shape)
    coupling.add_axis(layer, layer.kernel, axes - 1, inputs[0], "reads")
    coupling.add_axis(layer, layer.kernel, axes - 2, outputs, "makes")
    return outputs


def _separable(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array:
    outputs, axes = (
        _output_ids(coupling, layer, "filters", layer.filters),
        len(layer.depthwise_kernel.shape),
    )
    coupling.add_axis(layer, layer.depthwise_kernel, axes - 2, inputs[0])
    coupling.add_axis(
        layer,
        layer.pointwise_kernel,
        axes - 2,
        np.repeat(inputs[0], layer.depth_multiplier),
        "reads",
    )
    coupling.add_axis(layer, layer.pointwise_kernel, axes - 1, outputs, "makes")
    return outputs


def _embedding(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array:
    outputs = coupling.new_ids(layer.name, layer.output_dim)
    coupling.widths.append(Width(layer.name, "output_dim", outputs))
    coupling.add_axis(layer, layer._embeddings, 1, outputs, "makes")
    return outputs


def _output_ids(coupling: Coupling, layer: Any, entry: str, count: int) -> Array:
    outputs = coupling.new_ids(layer.name, count)
    coupling.widths.append(Width(layer.name, entry, outputs))
    coupling.add_axis(layer, layer.bias if layer.use_bias else None, 0, outputs)
    if not elementwise(layer.activation):
        coupling.protect(outputs)
    return outputs


# --- layers that have weights for each channel ----------------------------------------------------


def _depthwise(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array:
    outputs, axes = np.repeat(inputs[0], layer.depth_multiplier), len(layer.kernel.shape)
    coupling.add_axis(layer, layer.kernel, axes - 2, inputs[0])
    coupling.add_axis(layer, layer.bias if layer.use_bias else None, 0, outputs)
    if not elementwise(layer.activation):
        coupling.protect(outputs)
    return outputs


def _batch_norm(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array | None:
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
    if axis not in (-1, len(node.input_tensors[0].shape) - 1):
        return None
    coupling.add_axis(layer, layer.gamma if layer.scale else None, 0, inputs[0], "scales")
    for variable in (
        layer.beta if layer.center else None,
        layer.moving_mean,
        layer.moving_variance,
    ):
        coupling.add_axis(layer, variable, 0, inputs[0])
    return inputs[0]


def _prelu(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array:
    if layer.alpha.shape[-1] != 1 or len(inputs[0]) == 1:
        coupling.add_axis(layer, layer.alpha, len(layer.alpha.shape) - 1, inputs[0])
    return inputs[0]


# --- layers without weights -----------------------------------------------------------------------


def _same(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array:
    return inputs[0]


def _activation(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array | None:
    return inputs[0] if elementwise(layer.activation) else None


def _rescaling(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array | None:
    return inputs[0] if np.size(layer.scale) == np.size(layer.offset) == 1 else None


def _merge(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array | None:
    """Couple the channels at the same position of each input, as a sum does; an input with one
    channel for all others is protected.
    """
    if not _constants_are_scalars(node):
        return None
    most = most_channels(inputs)
    widest = [ids for ids in inputs if len(ids) == most]
    if any(len(ids) not in (1, most) for ids in inputs):
        return None
    for ids in inputs:
        if len(ids) < most:
            coupling.protect(ids)
    coupling.couple(*widest)
    return widest[0]


def _constants_are_scalars(node: Any) -> bool:
    import keras

    tensors = set(map(id, node.input_tensors))
    others = [
        v
        for v in keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
        if id(v) not in tensors
    ]
    return all(np.size(value) == 1 for value in others)


def _concatenate(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array | None:
    if layer.axis in (-1, len(node.outputs[0].shape) - 1):
        return np.concatenate(inputs)
    coupling.couple(*inputs)
    return inputs[0]


def _flatten(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array | None:
    positions = node.input_tensors[0].shape[1:-1]
    return None if None in positions or not len(inputs[0]) else np.tile(inputs[0], prod(positions))


def _reshape(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array | None:
    """Support reshapes that keep the last axis, or that flatten all axes: the last axis runs
    fastest in memory.
    """
    before, after = node.input_tensors[0].shape[1:], node.outputs[0].shape[1:]
    if not (before and after):
        return None
    if len(after) == 1 and (outputs := _flatten(coupling, layer, node, inputs)) is not None:
        coupling.widths.append(Width(layer.name, "target_shape", outputs, ()))
        return outputs
    if after[-1] != before[-1] or after[-1] is None:
        return None
    coupling.widths.append(
        Width(layer.name, "target_shape", inputs[0], tuple(layer.target_shape[:-1]))
    )
    return inputs[0]


def _permute(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array | None:
    return inputs[0] if layer.dims[-1] == len(layer.dims) else None


def _reduce(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> Array | None:
    axes, rank = layer.axis, len(node.input_tensors[0].shape)
    reduced = [axes] if isinstance(axes, int) else list(axes or [-1])
    return None if any(axis % rank == rank - 1 for axis in reduced) else inputs[0]


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


def unsupported(coupling: Coupling, layer: Any, node: Any, inputs: list[Array]) -> list[Array]:
    """Protect all channels that reach the layer and all that it makes."""
    if any(
        coupling.representative(channel_id) != PROTECTED
        for ids in inputs
        for channel_id in ids.tolist()
    ):
        coupling.protected_by.append(f"{type(layer).__name__} {layer.name!r}")
    for ids in inputs:
        coupling.protect(ids)
    return [protected_ids(tensor.shape[-1] if tensor.shape else 0) for tensor in node.outputs]
