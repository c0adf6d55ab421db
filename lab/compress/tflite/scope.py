"""Selection of the operators of a TFLite file that stay in float or get 16-bit activations, in the
names of ai-edge-quantizer.

The library identifies an operator by the names of its output tensors. A layer is a row of
`lab.formats.layers.layer_table`; an operator without a row, such as a reshape, belongs to the layer
whose output it renames.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lab.compress.choosing import KEEP_FLOAT, ONLY, WIDE, left_float
from lab.compress.tflite.options import OPERATORS
from lab.errors import InvalidOption
from lab.formats.layers import layer_table
from lab.formats.tflite.files import give_own_tensor, is_constant, operator_name
from lab.formats.tflite.inspect import shape_of
from lab.formats.tflite.layers import rows_and_operators

Fate = Literal["quantized", "wide", "float"]
_LIBRARY_WORDS = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}


@dataclass(frozen=True)
class Operator:
    """An operator of the file.

    Attributes:
        name: names of its output tensors, joined as in the library.
        kind: type, in the library's names.
        layer: row of the layer table that it belongs to, if any.
        fate: its treatment according to the options.
        reads: indices of input tensors.
        writes: indices of output tensors.
        row_length: size of the last axis of its second input, which is the weight where it has one;
            0 where it has none.
        rank: number of axes of its output, or of its first input if larger.
    """

    name: str
    kind: str
    layer: str
    fate: Fate
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    row_length: int
    rank: int


@dataclass(frozen=True)
class Scope:
    """Treatment of a file's operators according to the options.

    Attributes:
        operators: operators of the first subgraph, in order.
        elsewhere: names of operators of further subgraphs, which stay float.
        input: fate of the model's input: float if a layer that reads it is float.
        output: fate of the model's output, likewise.
        layers_chosen: True if options name layers.
    """

    operators: tuple[Operator, ...]
    elsewhere: tuple[str, ...] = ()
    input: Fate = "quantized"
    output: Fate = "quantized"
    layers_chosen: bool = False

    def named(self, fate: Fate) -> tuple[str, ...]:
        """Return the names of the operators with this fate."""
        names = tuple(operator.name for operator in self.operators if operator.fate == fate)
        return (*names, *self.elsewhere) if fate == "float" else names

    def kinds(self, *fates: Fate) -> frozenset[str]:
        """Return the types, in the library's names, of the operators with these fates."""
        return frozenset(operator.kind for operator in self.operators if operator.fate in fates)


def library_word(kind: str) -> str:
    """Return the library's name for an operator type of the TFLite schema."""
    return _LIBRARY_WORDS.get(kind, kind)


def schema_words(kinds: Collection[str]) -> str:
    """Return the schema's names for operator types of the library, without the model's input and
    output.
    """
    back = {word: kind for kind, word in _LIBRARY_WORDS.items()}
    return (
        ", ".join(sorted(back.get(kind, kind) for kind in kinds if kind not in ("INPUT", "OUTPUT")))
        or "none"
    )


def scope(source: Path, model: Any, params: Mapping[str, Any]) -> Scope:
    """Return the scope that the options KEEP_FLOAT, ONLY, WIDE and OPERATORS define for a file.

    Raises:
        InvalidOption: a named layer or operator type is not in the file.
    """
    _check_kinds(params.get(OPERATORS.id, ()), model)
    graph = model.subgraphs[0]
    operators = _following(_operators(source, model, params))
    alone = bool(params.get(ONLY.id) or params.get(OPERATORS.id))
    return Scope(
        operators,
        _elsewhere(model) if alone else (),
        _fate_at(operators, "reads", graph.inputs),
        _fate_at(operators, "writes", graph.outputs),
        any(params.get(option.id) for option in (KEEP_FLOAT, ONLY, WIDE)),
    )


def _check_kinds(wanted: Sequence[str], model: Any) -> None:
    kinds_of_file = sorted(
        {operator_name(model, operator) for operator in model.subgraphs[0].operators}
    )
    for kind in wanted:
        if kind not in kinds_of_file:
            raise InvalidOption(
                "This file has no operator of that type",
                allowed=", ".join(kinds_of_file),
                given=kind,
            )


def _operators(source: Path, model: Any, params: Mapping[str, Any]) -> list[Operator]:
    """Return every operator with the fate of its layer."""
    names = [layer.name for layer in layer_table(source, "tflite")]
    rows, row_of = rows_and_operators(model)
    fates = _fates(names, [row.type for row in rows], params)
    return [
        _operator(
            model,
            operator,
            "" if row is None else names[row],
            "quantized" if row is None else fates[row],
        )
        for operator, row in zip(model.subgraphs[0].operators, row_of, strict=True)
    ]


def _fates(names: Sequence[str], types: Sequence[str], params: Mapping[str, Any]) -> list[Fate]:
    """Return the fate of each layer; float takes precedence over wide."""
    left, wide, kinds = (
        set(left_float(params, names)),
        set(params.get(WIDE.id, ())),
        params.get(OPERATORS.id, ()),
    )
    return [
        (
            "float"
            if name in left or (kinds and type_ not in kinds)
            else "wide"
            if name in wide
            else "quantized"
        )
        for name, type_ in zip(names, types, strict=True)
    ]


def _operator(model: Any, operator: Any, layer: str, fate: Fate) -> Operator:
    graph = model.subgraphs[0]
    reads, writes = (
        tuple(int(i) for i in numbers if i >= 0) for numbers in (operator.inputs, operator.outputs)
    )
    shapes = [shape_of(graph.tensors[number]) for number in (*reads[:2], *writes[:1])]
    row = shapes[1][-1] if len(reads) > 1 and shapes[1] else 0
    rank = max(len(shape) for shape in (*shapes[:1], *shapes[-1:]))
    return Operator(
        _name(graph, operator),
        library_word(operator_name(model, operator)),
        layer,
        fate,
        reads,
        writes,
        row,
        rank,
    )


def _name(graph: Any, operator: Any) -> str:
    from ai_edge_quantizer.utils.tfl_flatbuffer_utils import get_op_scope

    return str(get_op_scope(operator, graph.tensors))


def _elsewhere(model: Any) -> tuple[str, ...]:
    return tuple(
        _name(graph, operator) for graph in model.subgraphs[1:] for operator in graph.operators
    )


def _following(operators: Sequence[Operator]) -> tuple[Operator, ...]:
    """Return the operators with those that rename the model's input following their readers."""
    done = list(operators)
    for number in reversed(range(len(done))):
        if not done[number].layer:
            done[number] = replace(done[number], fate=_fate_at(done, "reads", done[number].writes))
    return tuple(done)


def _fate_at(
    operators: Sequence[Operator], side: Literal["reads", "writes"], tensors: Collection[int]
) -> Fate:
    """Return float, or else wide, if any operator with one of the tensors on that side has this
    fate.
    """
    wanted = set(map(int, tensors))
    fates = {operator.fate for operator in operators if wanted & set(getattr(operator, side))}
    return "float" if "float" in fates else "wide" if "wide" in fates else "quantized"


def part(model: Any, selection: Scope) -> bool:
    """Give operators of different fates that share a constant separate copies, in place; return
    False if there are none.

    ai-edge-quantizer 0.10 would do this itself, but fails on its name for the copy where a
    dequantization follows.
    """
    graph, changed = model.subgraphs[0], False
    for tensor in sorted({number for operator in selection.operators for number in operator.reads}):
        readers = [(n, o.fate) for n, o in enumerate(selection.operators) if tensor in o.reads]
        own = [number for number, fate in readers if fate == "float"]
        if own and len(own) < len(readers) and is_constant(model, graph.tensors[tensor]):
            give_own_tensor(model, tensor, own, ";float")
            changed = True
    return changed
