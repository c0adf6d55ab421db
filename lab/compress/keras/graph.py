"""Rebuilding of a Keras 3 model with some layers changed, for pruning, clustering and folding.

Layers have the names of `lab.formats.keras.layers`: a layer of a nested model is `model.layer`.
Nested models are dissolved, so that the rebuilt graph is flat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.errors import InvalidFile
from lab.lazy import np


@dataclass(frozen=True)
class Changed:
    """A change of a layer.

    Attributes:
        config: changed entries of its configuration.
        weights: all weights in the order of `get_weights()` of the new layer; None keeps the old
            ones.
        gone: True removes the layer: its input passes through.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Sequence[Any] | None = None
    gone: bool = False


def rebuilt(model: Any, changed: Mapping[str, Changed] | None = None) -> Any:
    """Return a new functional model of new layers with the same names; unchanged layers keep their
    configuration, weights and seeds.

    Args:
        model: functional or Sequential, built; it is not changed.

    Raises:
        InvalidFile: the model is neither, so that its graph is not known.
    """
    import keras

    graph, making = functional(model), _Making(dict(changed or {}))
    inputs = [_input_like(tensor) for tensor in graph.inputs]
    outputs = making.run(graph, inputs, "", {})
    new_of = dict(zip(map(id, (*graph.inputs, *graph.outputs)), (*inputs, *outputs), strict=True))
    new_inputs, new_outputs = (
        keras.tree.map_structure(lambda tensor: new_of[id(tensor)], structure)
        for structure in (graph._inputs_struct, graph._outputs_struct)
    )
    result = keras.Model(new_inputs, new_outputs, name=model.name)
    making.carry_weights()
    return result


def functional(model: Any) -> Any:
    """Return the graph of a functional or Sequential model.

    Raises:
        InvalidFile: the model is neither, or its input shape is not known yet.
    """
    from keras.src.models.functional import Functional

    graph = getattr(model, "_functional", None) or model
    if isinstance(graph, Functional):
        return graph
    raise InvalidFile(
        "The graph of this Keras model cannot be read",
        allowed="functional and Sequential models with a known input shape",
        given=type(model).__name__,
        remedy=(
            "Build it with keras.Model(inputs, outputs), or give the Sequential model a keras.Input"
        ),
    )


def calls(model: Any) -> list[Any]:
    """Return the nodes of a functional or Sequential model in the order of computation, without its
    inputs.

    Each has `operation` (a layer, or an operation without weights), `arguments`, `input_tensors`
    and `outputs`.
    """
    levels = functional(model)._nodes_by_depth
    return [
        node
        for depth in sorted(levels, reverse=True)
        for node in levels[depth]
        if not node.is_input
    ]


def _input_like(tensor: Any) -> Any:
    import keras

    return keras.Input(
        batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor._keras_history.operation.name
    )


class _Making:
    """New layers made while a graph is walked: one for each layer, however often it is called."""

    def __init__(self, changed: dict[str, Changed]) -> None:
        self.changed = changed
        self.made: dict[int, tuple[Any, Any, Changed]] = {}

    def run(self, graph: Any, inputs: list[Any], prefix: str, mode: dict[str, Any]) -> list[Any]:
        """Return the graph's outputs for new inputs; `mode` is the `training` argument with which
        the outer model was called.
        """
        import keras

        new_of = dict(zip(map(id, graph.inputs), inputs, strict=True))
        for node in calls(graph):
            args, kwargs = node.arguments.fill_in(new_of)
            outputs_of_node = self._call(node.operation, args, mode | kwargs, prefix)
            new_of |= zip(map(id, node.outputs), keras.tree.flatten(outputs_of_node), strict=True)
        return [new_of[id(tensor)] for tensor in graph.outputs]

    def _call(self, operation: Any, args: Any, kwargs: dict[str, Any], prefix: str) -> Any:
        import keras

        name = prefix + operation.name
        if isinstance(operation, keras.Model):
            mode = {"training": kwargs["training"]} if kwargs.get("training") is not None else {}
            return self.run(functional(operation), keras.tree.flatten(args), f"{name}.", mode)
        if self.changed.get(name, _AS_IT_IS).gone:
            return args[0]
        return self._new(operation, name)(*args, **_understood(operation, kwargs))

    def _new(self, operation: Any, name: str) -> Any:
        if id(operation) not in self.made:
            change = self.changed.get(name, _AS_IT_IS)
            config = operation.get_config() | {"name": name} | dict(change.config)
            self.made[id(operation)] = (operation, type(operation).from_config(config), change)
        return self.made[id(operation)][1]

    def carry_weights(self) -> None:
        """Copy weights and the states of random generators into the layers, which are built by
        now.
        """
        for old, new, change in self.made.values():
            if hasattr(old, "weights"):
                new.set_weights(old.get_weights() if change.weights is None else change.weights)
                for variable, before in zip(_generators(new), _generators(old), strict=True):
                    variable.assign(before)


_AS_IT_IS = Changed()


def _understood(operation: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that the layer accepts: not every layer of a model called with
    `training` has that argument.
    """
    takes = getattr(operation, "_call_has_training_arg", "training" in kwargs)
    return {name: value for name, value in kwargs.items() if name != "training" or takes}


def _generators(layer: Any) -> list[Any]:
    weight_ids = set(map(id, layer.weights))
    return [variable for variable in layer.variables if id(variable) not in weight_ids]


# --- batch normalisations -------------------------------------------------------------------------


def fold_batch_norms(model: Any) -> Any:
    """Return a new model whose batch normalisations are multiplied into the convolution or dense
    layer before them.

    Its outputs in inference equal those of the given model up to rounding. A normalisation stays
    where the layer before it has an activation, another reader, or several calls.

    Raises:
        InvalidFile: the model is neither functional nor Sequential.
    """
    flat = rebuilt(model)
    changed: dict[str, Changed] = {}
    for layer, norm in _foldable(flat):
        changed |= {layer.name: _folded(layer, norm), norm.name: Changed(gone=True)}
    return rebuilt(flat, changed)


def _foldable(model: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (layer, batch normalisation that is its only reader)."""
    nodes, results = calls(model), set(map(id, functional(model).outputs))
    readers = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    uses = Counter(id(node.operation) for node in nodes)
    for norm in [node.operation for node in nodes if _is(node.operation, "BatchNormalization")]:
        norm_input = norm._inbound_nodes[0].input_tensors[0]
        layer = norm_input._keras_history.operation
        alone = (
            readers[id(norm_input)] == uses[id(layer)] == uses[id(norm)] == 1
            and id(norm_input) not in results
        )
        if alone and _takes_scale(layer) and norm.axis in (-1, len(norm_input.shape) - 1):
            yield layer, norm


def _is(layer: Any, *kinds: str) -> bool:
    import keras

    return any(isinstance(layer, getattr(keras.layers, kind)) for kind in kinds)


_TRANSPOSED = ("Conv1DTranspose", "Conv2DTranspose")
_SCALED = (
    "Conv1D",
    "Conv2D",
    *_TRANSPOSED,
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "Dense",
)


def _takes_scale(layer: Any) -> bool:
    import keras

    plain = getattr(layer, "activation", None) in (None, keras.activations.linear)
    return (
        _is(layer, *_SCALED)
        and plain
        and getattr(layer, "data_format", "channels_last") == "channels_last"
    )


def _folded(layer: Any, norm: Any) -> Changed:
    """Return the change of a layer: its last kernel times gamma/σ for each output channel, and the
    matching bias.
    """
    gamma, beta, mean, variance = (np.asarray(v, np.float64) for v in _statistics(norm))
    scale = gamma / np.sqrt(variance + norm.epsilon)
    values = [np.asarray(w, np.float64) for w in layer.get_weights()]
    bias = values.pop() if layer.use_bias else np.zeros_like(mean)
    values[-1] = values[-1] * _along_outputs(layer, scale, values[-1].shape)
    weights = [*values, beta + (bias - mean) * scale]
    return Changed({"use_bias": True}, [w.astype(np.float32) for w in weights])


def _statistics(norm: Any) -> Iterator[Any]:
    mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    yield norm.gamma.numpy() if norm.scale else np.ones_like(mean)
    yield norm.beta.numpy() if norm.center else np.zeros_like(mean)
    yield from (mean, variance)


def _along_outputs(layer: Any, scale: Any, shape: tuple[int, ...]) -> Any:
    """Reshape the scale to that of a kernel whose last axis, or last two axes, hold the outputs."""
    if _is(layer, *_TRANSPOSED):
        return scale[:, None]
    return scale.reshape(shape[-2:]) if _is(layer, "DepthwiseConv1D", "DepthwiseConv2D") else scale
