"""Shortening of names inside an ONNX graph, which explain an element's origin but are not needed to
run the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from string import ascii_letters
from typing import Any


def shorten(model: Any) -> None:
    """Give operators and inner tensors the shortest names, and drop comments, metadata and shapes
    of inner tensors.

    Names of inputs and outputs, which programs use, stay. The model is changed in place.

    Args:
        model: an onnx.ModelProto.
    """
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    names = _names(kept)
    short = {name: name for name in kept}
    _rename(graph, short, names)
    _explain_nothing(model)


def _names(taken: set[str]) -> Iterator[str]:
    """Yield a … z, A … Z, ba, bb … without names that are taken."""
    for number in count():
        name = _digits(number)
        if name not in taken:
            yield name


def _digits(number: int) -> str:
    rest, last = divmod(number, len(ascii_letters))
    return (_digits(rest) if rest else "") + ascii_letters[last]


def _rename(graph: Any, short: dict[str, str], names: Iterator[str]) -> None:
    """Rename a graph and its subgraphs; a subgraph sees the outer names, and its own names hide
    none of them.
    """
    for value in (*graph.input, *graph.initializer, *(s.values for s in graph.sparse_initializer)):
        value.name = _short(value.name, short, names)
    for node in graph.node:
        node.input[:] = [_short(name, short, names) for name in node.input]
        node.output[:] = [_short(name, short, names) for name in node.output]
    for number, node in enumerate(graph.node):
        node.name, node.doc_string = _digits(number), ""
        for inner in _graphs(node.attribute):
            _rename(inner, short, names)
    for value in graph.output:
        value.name = _short(value.name, short, names)
    for entry in graph.quantization_annotation:
        entry.tensor_name = _short(entry.tensor_name, short, names)
        for pair in entry.quant_parameter_tensor_names:
            pair.value = _short(pair.value, short, names)
    del graph.value_info[:]
    graph.doc_string = ""


def _short(name: str, short: dict[str, str], names: Iterator[str]) -> str:
    if not name:  # an optional input that is absent
        return name
    if name not in short:
        short[name] = next(names)
    return short[name]


def _graphs(attributes: Sequence[Any]) -> list[Any]:
    return [g for a in attributes for g in (*([a.g] if a.HasField("g") else []), *a.graphs)]


def _explain_nothing(model: Any) -> None:
    model.doc_string = ""
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.initializer,
        *model.graph.input,
        *model.graph.output,
    ):
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
    for tensor in model.graph.initializer:
        tensor.doc_string = ""
