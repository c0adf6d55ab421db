"""Takes channels out of a Keras 3 model: tensors really get smaller, in every layer that is coupled
with them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lab.compress.choosing import check_names
from lab.compress.keras.channel_rules import rule_of, unknown
from lab.compress.keras.coupling import SPARED, Axis, Coupling, Width, stays
from lab.compress.keras.graph import Changed, calls, functional, rebuilt
from lab.lazy import np
from lab.plugs import Array


@dataclass(frozen=True)
class Channels:
    """The channels of a flat model.

    Attributes:
        model: functional, without models inside it.
        coupling: what was found on the walk.
        of: id of a tensor -> numbers of the channels in its last axis.
    """

    model: Any
    coupling: Coupling
    of: Mapping[int, Array]

    @cached_property
    def roots(self) -> Array:
        """Number -> what stands for all channels that are joined with it."""
        return self.coupling.roots()

    @cached_property
    def groups(self) -> dict[tuple[str, ...], Array]:
        """Layers whose channels are joined, or are made together -> the roots of the channels that
        may go, ascending.
        """
        blocks: dict[str, str] = {}

        def first(layer: str) -> str:
            while (other := blocks.setdefault(layer, layer)) != layer:
                layer = other
            return layer

        for maker, root in zip(self.coupling.maker[1:], self.roots[1:].tolist(), strict=True):
            if root != SPARED:
                blocks[first(maker)] = first(self.coupling.maker[root])
        members: dict[str, list[str]] = {}
        for layer in list(blocks):
            members.setdefault(first(layer), []).append(layer)
        return {tuple(layers): self._prunable(layers) for layers in members.values()}

    def _prunable(self, layers: Collection[str]) -> Array:
        made = [number for number, maker in enumerate(self.coupling.maker) if maker in layers]
        return np.setdiff1d(self.roots[made], [SPARED])

    def made_by(self, layer: str) -> Array:
        """Roots of the channels that a layer makes."""
        return np.asarray(
            [
                root
                for maker, root in zip(self.coupling.maker, self.roots, strict=True)
                if maker == layer
            ]
        )

    def zeroed(self, gone: Collection[int]) -> Any:
        """The whole model, in which the channels of these roots are zero wherever they occur."""
        import keras

        tensors, stays_ = (
            {id(tensor): tensor for tensor in self.model.inputs},
            ~np.isin(self.roots, list(gone)),
        )
        for node in calls(self.model):
            args, kwargs = node.arguments.fill_in(tensors)
            made = keras.tree.flatten(node.operation(*args, **kwargs))
            for old, new in zip(node.outputs, made, strict=True):
                mask = stays_[self.of[id(old)]]
                tensors[id(old)] = new if mask.all() else new * mask.astype(new.dtype)
        return keras.Model(self.model.input, [tensors[id(tensor)] for tensor in self.model.outputs])

    def without(self, gone: Collection[int]) -> Any:
        """A new model without the channels of these roots."""
        stays_ = ~np.isin(self.roots, list(gone))
        axes: dict[str, list[Axis]] = {}
        widths: dict[str, list[Width]] = {}
        for axis in self.coupling.axes:
            axes.setdefault(axis.layer, []).append(axis)
        for width in self.coupling.widths:
            widths.setdefault(width.layer, []).append(width)
        changed = {
            name: Changed(
                _config(widths.get(name, []), stays_),
                _cut(self.model.get_layer(name), axes.get(name, []), stays_),
            )
            for name in axes.keys() | widths.keys()
        }
        return rebuilt(self.model, changed)


def _config(widths: list[Width], stays_: Array) -> dict[str, Any]:
    counts = [(width, int(stays_[width.channels].sum())) for width in widths]
    return {
        width.entry: count if width.before is None else (*width.before, count)
        for width, count in counts
    }


def _cut(layer: Any, axes: list[Axis], stays_: Array) -> list[Array] | None:
    weights = layer.get_weights()
    for axis in axes:
        weights[axis.weight] = np.compress(stays_[axis.channels], weights[axis.weight], axis.axis)
    return weights or None


def channels(model: Any, keep: Collection[str] = ()) -> Channels:
    """How the channels of a functional or Sequential model are coupled.

    Args:
        keep: layers whose output keeps all of its channels.

    Raises:
        InvalidFile: the model is neither.
        InvalidOption: `keep` names a layer that is not there.
    """
    flat = rebuilt(model)
    check_names("keep", keep, [layer.name for layer in flat.layers])
    walk = _Walk(keep)
    for tensor in functional(flat).inputs:
        walk.of[id(tensor)] = stays(tensor.shape[-1] if len(tensor.shape) > 1 else 0)
    for node in calls(flat):
        walk.pass_(node)
    for tensor in functional(flat).outputs:
        walk.coupling.spare(walk.of[id(tensor)])
    return Channels(flat, walk.coupling, walk.of)


class _Walk:
    """From the inputs to the outputs, each layer by its rule."""

    def __init__(self, keep: Collection[str]) -> None:
        self.keep, self.coupling = frozenset(keep), Coupling()
        self.of: dict[int, Array] = {}
        self.seen: dict[int, tuple[list[Array], list[Array]]] = {}

    def pass_(self, node: Any) -> None:
        """Number the channels of a node's outputs."""
        layer, given = node.operation, [self.of[id(tensor)] for tensor in node.input_tensors]
        again = (
            self.seen.get(id(layer))
            if getattr(layer, "weights", ()) or hasattr(layer, "target_shape")
            else None
        )
        made = self._again(node, given, *again) if again else self._first(node, given)
        self.seen.setdefault(id(layer), (given, made))
        if layer.name in self.keep:
            for row in made:
                self.coupling.spare(row)
        self.of |= zip(map(id, node.outputs), made, strict=True)

    def _first(self, node: Any, given: list[Array]) -> list[Array]:
        rule: Callable[..., Array | None] | None = rule_of(node.operation)
        made = (
            rule(self.coupling, node.operation, node, given)
            if rule and len(node.outputs) == 1
            else None
        )
        return unknown(self.coupling, node.operation, node, given) if made is None else [made]

    def _again(
        self, node: Any, given: list[Array], before: list[Array], made: list[Array]
    ) -> list[Array]:
        """A layer that is called again has the same weights, so what it is given is coupled with
        what it was given.
        """
        if [len(row) for row in given] != [len(row) for row in before]:
            for row in (*before, *made):
                self.coupling.spare(row)
            return unknown(self.coupling, node.operation, node, given)
        for one, other in zip(given, before, strict=True):
            self.coupling.join(one, other)
        return made
