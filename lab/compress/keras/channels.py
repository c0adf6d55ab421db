"""Removal of channels from a Keras 3 model: tensors become smaller in every layer that is coupled
with them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lab.compress.choosing import check_names
from lab.compress.keras.channel_rules import rule_of, unsupported
from lab.compress.keras.coupling import PROTECTED, Axis, Coupling, Width, protected_ids
from lab.compress.keras.graph import Changed, calls, functional, rebuilt
from lab.lazy import np
from lab.plugs import Array


@dataclass(frozen=True)
class Channels:
    """The channels of a flat model.

    Attributes:
        model: functional model without nested models.
        coupling: coupling of the channels, collected on a walk through the graph.
        of: id() of a tensor -> channel ids along its last axis.
    """

    model: Any
    coupling: Coupling
    of: Mapping[int, Array]

    @cached_property
    def representatives(self) -> Array:
        """Channel id -> representative of all channels coupled with it."""
        return self.coupling.representatives()

    @cached_property
    def groups(self) -> dict[tuple[str, ...], Array]:
        """Layers whose channels are coupled or made together -> representatives of the removable
        channels, ascending.
        """
        blocks: dict[str, str] = {}

        def first(layer: str) -> str:
            while (other := blocks.setdefault(layer, layer)) != layer:
                layer = other
            return layer

        for maker, root in zip(
            self.coupling.maker[1:], self.representatives[1:].tolist(), strict=True
        ):
            if root != PROTECTED:
                blocks[first(maker)] = first(self.coupling.maker[root])
        members: dict[str, list[str]] = {}
        for layer in list(blocks):
            members.setdefault(first(layer), []).append(layer)
        return {tuple(layers): self._prunable(layers) for layers in members.values()}

    def _prunable(self, layers: Collection[str]) -> Array:
        channel_ids = [
            channel_id for channel_id, maker in enumerate(self.coupling.maker) if maker in layers
        ]
        return np.setdiff1d(self.representatives[channel_ids], [PROTECTED])

    def made_by(self, layer: str) -> Array:
        """Return the representatives of the channels that a layer makes."""
        return np.asarray(
            [
                root
                for maker, root in zip(self.coupling.maker, self.representatives, strict=True)
                if maker == layer
            ]
        )

    def zeroed(self, removed: Collection[int]) -> Any:
        """Return the model in full size in which these channels are zero wherever they occur."""
        import keras

        tensors, stays = (
            {id(tensor): tensor for tensor in self.model.inputs},
            ~np.isin(self.representatives, list(removed)),
        )
        for node in calls(self.model):
            args, kwargs = node.arguments.fill_in(tensors)
            outputs = keras.tree.flatten(node.operation(*args, **kwargs))
            for old, new in zip(node.outputs, outputs, strict=True):
                mask = stays[self.of[id(old)]]
                tensors[id(old)] = new if mask.all() else new * mask.astype(new.dtype)
        return keras.Model(self.model.input, [tensors[id(tensor)] for tensor in self.model.outputs])

    def without(self, removed: Collection[int]) -> Any:
        """Return a new model without these channels."""
        stays = ~np.isin(self.representatives, list(removed))
        axes: dict[str, list[Axis]] = {}
        widths: dict[str, list[Width]] = {}
        for axis in self.coupling.axes:
            axes.setdefault(axis.layer, []).append(axis)
        for width in self.coupling.widths:
            widths.setdefault(width.layer, []).append(width)
        changed = {
            name: Changed(
                _config(widths.get(name, []), stays),
                _cut(self.model.get_layer(name), axes.get(name, []), stays),
            )
            for name in axes.keys() | widths.keys()
        }
        return rebuilt(self.model, changed)


def _config(widths: list[Width], stays: Array) -> dict[str, Any]:
    counts = [(width, int(stays[width.channels].sum())) for width in widths]
    return {
        width.entry: count if width.before is None else (*width.before, count)
        for width, count in counts
    }


def _cut(layer: Any, axes: list[Axis], stays: Array) -> list[Array] | None:
    weights = layer.get_weights()
    for axis in axes:
        weights[axis.weight] = np.compress(stays[axis.channels], weights[axis.weight], axis.axis)
    return weights or None


def channels(model: Any, keep: Collection[str] = ()) -> Channels:
    """Return the channels of a functional or Sequential model and their coupling.

    Args:
        keep: layers whose output keeps all channels.

    Raises:
        InvalidFile: the model is neither functional nor Sequential.
        InvalidOption: `keep` names a layer that the model does not have.
    """
    flat = rebuilt(model)
    check_names("keep", keep, [layer.name for layer in flat.layers])
    walk = _Walk(keep)
    for tensor in functional(flat).inputs:
        walk.of[id(tensor)] = protected_ids(tensor.shape[-1] if len(tensor.shape) > 1 else 0)
    for node in calls(flat):
        walk.visit(node)
    for tensor in functional(flat).outputs:
        walk.coupling.protect(walk.of[id(tensor)])
    return Channels(flat, walk.coupling, walk.of)


class _Walk:
    """Walk from the inputs to the outputs that applies the rule of each layer."""

    def __init__(self, keep: Collection[str]) -> None:
        self.keep, self.coupling = frozenset(keep), Coupling()
        self.of: dict[int, Array] = {}
        self.calls_seen: dict[int, tuple[list[Array], list[Array]]] = {}

    def visit(self, node: Any) -> None:
        """Assign channel ids to a node's outputs."""
        layer, inputs = node.operation, [self.of[id(tensor)] for tensor in node.input_tensors]
        again = (
            self.calls_seen.get(id(layer))
            if getattr(layer, "weights", ()) or hasattr(layer, "target_shape")
            else None
        )
        outputs = self._again(node, inputs, *again) if again else self._first(node, inputs)
        self.calls_seen.setdefault(id(layer), (inputs, outputs))
        if layer.name in self.keep:
            for ids in outputs:
                self.coupling.protect(ids)
        self.of |= zip(map(id, node.outputs), outputs, strict=True)

    def _first(self, node: Any, inputs: list[Array]) -> list[Array]:
        rule: Callable[..., Array | None] | None = rule_of(node.operation)
        outputs = (
            rule(self.coupling, node.operation, node, inputs)
            if rule and len(node.outputs) == 1
            else None
        )
        return (
            unsupported(self.coupling, node.operation, node, inputs)
            if outputs is None
            else [outputs]
        )

    def _again(
        self, node: Any, inputs: list[Array], before: list[Array], outputs: list[Array]
    ) -> list[Array]:
        """Couple the inputs of a repeated call with those of the first call: the layer has the same
        weights.
        """
        if [len(ids) for ids in inputs] != [len(ids) for ids in before]:
            for ids in (*before, *outputs):
                self.coupling.protect(ids)
            return unsupported(self.coupling, node.operation, node, inputs)
        for one, other in zip(inputs, before, strict=True):
            self.coupling.couple(one, other)
        return outputs
