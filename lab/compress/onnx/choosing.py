"""Choice of the nodes that ONNX Runtime quantizes, from the layers and operator types in the
options.

A layer is a row of `lab.formats.layers.layer_table` for the file that a technique reads.
Preprocessing may have fused it into another node before quantization; then the layer that
multiplies decides for that node, and naming the bias or batch normalisation fused into it has no
effect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lab.compress.choosing import KEEP_FLOAT, ONLY, WIDE, left_float
from lab.errors import InvalidOption
from lab.formats.layers import layer_table
from lab.formats.onnx.files import load_onnx
from lab.formats.onnx.layers import nodes_and_layers
from lab.formats.onnx.origins import Origin
from lab.options import Option

OPERATORS = Option(
    id="operators",
    label="Operator types",
    kind="names",
    default=(),
    help=(
        "Quantize only operators of these types, such as Conv or MatMul; an empty list means"
        " all supported ones."
    ),
)

RIDING = frozenset({"Relu", "Clip"})
"""Operators that ONNX Runtime computes together with the layer before them, by storing its output
in the clipped range.
"""


@dataclass(frozen=True)
class Choice:
    """Nodes chosen by the options, by their names in the graph that the quantizer reads.

    Attributes:
        quantize: nodes to quantize, in the graph's order; None lets the quantizer choose.
        left: nodes that must stay in float.
        kept: nodes among `left` that the options name -> layer that decides for the node.
        wide: nodes whose activations get 16 bits.
        inside: named layer -> layer into which it is fused: naming it has no effect.
    """

    quantize: tuple[str, ...] | None = None
    left: frozenset[str] = frozenset()
    kept: Mapping[str, str] = field(default_factory=dict)
    wide: frozenset[str] = frozenset()
    inside: Mapping[str, str] = field(default_factory=dict)


def operators_suffix(params: Mapping[str, Any]) -> str:
    """Return `ops_…` with the operator types, or "" if none are named."""
    return "ops_" + "_".join(sorted(params[OPERATORS.id])) if params.get(OPERATORS.id) else ""


def is_chosen(params: Mapping[str, Any]) -> bool:
    """Return whether options name any layer or operator type."""
    return any(params.get(option.id) for option in (KEEP_FLOAT, ONLY, WIDE, OPERATORS))


def choose(
    source: Path, node_origins: Sequence[Origin], params: Mapping[str, Any], types: Collection[str]
) -> Choice:
    """Return the choice of nodes that a technique's options make.

    Args:
        source: float file whose layers the options name.
        found: origin of each node of the graph in that file; nodes must have unique names.
        params: options, of which KEEP_FLOAT, ONLY, WIDE and OPERATORS are read.
        types: operator types that the quantizer supports.

    Raises:
        InvalidOption: a named layer or operator type does not exist, or nothing is left to
            quantize.
    """
    _check_types(params.get(OPERATORS.id, ()), types)
    layers = layer_outputs(source)
    float_ = set(left_float(params, layers))
    if not is_chosen(params):
        return Choice()
    speaker, riders = _speakers(node_origins, layers), _riders(node_origins)
    wanted = {
        name
        for name, origin in _by_name(node_origins).items()
        if _is_of_type(origin, params.get(OPERATORS.id, ()), types)
        and _is_asked_for(speaker[name], float_, params)
    }
    chosen = _with_riders(wanted, riders)
    _check_any(chosen, params, node_origins, types)
    only = bool(params.get(ONLY.id) or params.get(OPERATORS.id))
    left = {
        name: layer
        for name, layer in speaker.items()
        if name not in chosen and (only or layer in float_)
    }
    wide = {name for name in chosen if speaker[name] in params.get(WIDE.id, ())}
    return Choice(
        tuple(name for name in speaker if name in chosen),
        frozenset(left),
        {name: layer for name, layer in left.items() if layer in params.get(KEEP_FLOAT.id, ())},
        frozenset(wide | {rider for rider, producer in riders.items() if producer in wide}),
        _inside(node_origins, layers, speaker, riders, params),
    )


def layer_outputs(path: Path) -> Mapping[str, str]:
    """Return layer -> first output of its node; cached for all builds from the same file."""
    about = path.stat()
    return _layer_outputs(str(path), about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=8)
def _layer_outputs(path: str, changed_ns: int, size: int) -> Mapping[str, str]:
    names = [layer.name for layer in layer_table(path, "onnx")]
    nodes = [node for node, _ in nodes_and_layers(load_onnx(Path(path)))]
    return {name: node.output[0] for name, node in zip(names, nodes, strict=True)}


def _by_name(node_origins: Sequence[Origin]) -> dict[str, Origin]:
    return {origin.node.name: origin for origin in node_origins}


def _speakers(node_origins: Sequence[Origin], layers: Mapping[str, str]) -> dict[str, str]:
    """Return node -> layer that decides for it, "" where there is none."""
    layer = {tensor: name for name, tensor in layers.items()}
    return {
        o.node.name: layer.get(o.main.output[0], "") if o.main is not None else ""
        for o in node_origins
    }


def _riders(node_origins: Sequence[Origin]) -> dict[str, str]:
    """Return activation -> node before it, where the activation is the only reader: the quantizer
    treats both as one.
    """
    maker = {tensor: origin.node.name for origin in node_origins for tensor in origin.node.output}
    read = [tensor for origin in node_origins for tensor in set(origin.node.input)]
    riding = [o.node for o in node_origins if o.node.op_type in RIDING and o.node.input[0] in maker]
    return {node.name: maker[node.input[0]] for node in riding if read.count(node.input[0]) == 1}


def _with_riders(wanted: set[str], riders: Mapping[str, str]) -> set[str]:
    """Add the activations behind the nodes, whatever the options say about the activations."""
    chosen = set(wanted)
    for rider, producer in riders.items():
        chosen = chosen | {rider} if producer in chosen else chosen - {rider}
    return chosen


def _is_of_type(origin: Origin, operators: Collection[str], types: Collection[str]) -> bool:
    main = origin.node if origin.main is None else origin.main
    return origin.node.op_type in types and (
        not operators or bool({origin.node.op_type, main.op_type} & {*operators})
    )


def _is_asked_for(layer: str, float_: Collection[str], params: Mapping[str, Any]) -> bool:
    return (
        layer in params[ONLY.id] and layer not in float_
        if params.get(ONLY.id)
        else layer not in float_
    )


def _inside(
    node_origins: Sequence[Origin],
    layers: Mapping[str, str],
    speaker: Mapping[str, str],
    riders: Mapping[str, str],
    params: Mapping[str, Any],
) -> dict[str, str]:
    """Return named layer -> layer that decides for its node."""
    parts = {part.output[0]: speaker[o.node.name] for o in node_origins for part in o.parts}
    parts |= {
        o.node.output[0]: speaker[riders[o.node.name]]
        for o in node_origins
        if o.node.name in riders
    }
    named = [name for option in (KEEP_FLOAT, ONLY, WIDE) for name in params.get(option.id, ())]
    return {
        name: other for name in named if (other := parts.get(layers[name], name)) not in (name, "")
    }


def _check_types(given: Collection[str], known: Collection[str]) -> None:
    for type_ in given:
        if type_ not in known:
            raise InvalidOption(
                "ONNX Runtime quantizes no operators of this type",
                allowed=", ".join(sorted(known)),
                given=type_,
                remedy="Operators of other types stay in float in any case: do not name them",
            )


def _check_any(
    chosen: Collection[str],
    params: Mapping[str, Any],
    node_origins: Sequence[Origin],
    types: Collection[str],
) -> None:
    if not chosen:
        raise nothing_quantized(
            params, sorted({o.node.op_type for o in node_origins if o.node.op_type in types})
        )


def nothing_quantized(params: Mapping[str, Any], present: Sequence[str]) -> InvalidOption:
    """Return the error for options that keep the whole model in float.

    Args:
        present: operator types of the model that could be quantized.
    """
    chosen_options = {
        option.id: list(params[option.id])
        for option in (ONLY, KEEP_FLOAT, OPERATORS)
        if params.get(option.id)
    }
    return InvalidOption(
        "With these options ONNX Runtime quantizes nothing of this model",
        allowed=f"operators of the types {', '.join(present)}" if present else "",
        given=chosen_options,
        remedy=(
            "Name layers that multiply by weights: operators that only move or clip elements"
            " follow the layer before them"
        ),
    )
