"""Checks before quantization: operators that ai-edge-quantizer or LiteRT cannot handle, and
alternatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from lab.compress.tflite.rules import NO_KERNEL, WEIGHTED, Widths, reach, supported
from lab.compress.tflite.scope import Scope, library_word, schema_words
from lab.errors import InvalidFile
from lab.formats.tflite.files import load_tflite, type_name
from lab.formats.tflite.inspect import shape_of

_BITS = {"INT2": 2, "INT4": 4, "INT8": 8, "INT16": 16, "FLOAT16": 16, "FLOAT32": 32}
_MOST_AXES = 3
_MODES = {
    "weight_only": "weights alone",
    "dynamic": "weights, activations while it runs",
    "static": "weights and activations",
}


def check(selection: Scope, how: Widths, params: Mapping[str, Any]) -> bool:
    """Return whether anything is to be quantized: False if none of the chosen layers can be.

    Raises:
        InvalidFile: an operator cannot be stored or computed in this way.
    """
    _check_kinds(how, params.get("operators", ()))
    _check_algorithm(selection, how)
    _check_wide(selection, how)
    _check_blocks(selection, how)
    _check_ranks(selection, how)
    if selection.kinds("quantized", "wide") & reach(how):
        return True
    if selection.layers_chosen:
        return False
    raise InvalidFile(
        f"No operator of this file can be quantized in this way ({_words(how)})",
        allowed=schema_words(reach(how)),
        given=schema_words(selection.kinds("quantized")),
        remedy=_instead(how),
    )


def _words(how: Widths) -> str:
    algorithm = "" if how.algorithm in ("minmax", "fp16") else f", {how.algorithm}"
    return (
        f"{how.bits}-bit {_MODES[how.mode]},"
        f" {how.granularity.lower().replace('_', ' of ')}{algorithm}"
    )


def _instead(how: Widths) -> str:
    if how.algorithm not in ("minmax", "fp16"):
        return "Choose another algorithm: minmax supports everything that can be quantized"
    return "Choose block_size 0" if how.granularity.startswith("BLOCK") else "Choose 8 bits"


def _check_kinds(how: Widths, wanted: tuple[str, ...]) -> None:
    can = reach(how)
    for kind in wanted:
        if library_word(kind) in NO_KERNEL.get((how.mode, how.bits), ()):
            raise InvalidFile(
                f"LiteRT has no kernel for {kind} with {_words(how)}: it answers with whatever is"
                " in memory",
                allowed=schema_words(can),
                given=kind,
                remedy="Choose weights alone, or 4 bits",
            )
        if library_word(kind) not in can:
            raise InvalidFile(
                f"ai-edge-quantizer cannot quantize {kind} in this way ({_words(how)})",
                allowed=schema_words(can),
                given=kind,
                remedy=_instead(how),
            )


def _check_algorithm(selection: Scope, how: Widths) -> None:
    can = supported(how) & set(WEIGHTED)
    if (
        how.algorithm not in ("minmax", "fp16")
        and not selection.kinds("quantized", "wide", "float") & can
    ):
        raise InvalidFile(
            f"The algorithm {how.algorithm!r} finds no operator in this file",
            allowed=schema_words(can),
            given=schema_words(selection.kinds("quantized")),
            remedy=_instead(how),
        )


def _check_wide(selection: Scope, how: Widths) -> None:
    can = (
        supported(Widths("static", how.bits, 16, how.granularity))
        if how.mode == "static"
        else frozenset()
    )
    for operator in selection.operators:
        if operator.fate == "wide" and operator.layer and operator.kind not in can:
            raise InvalidFile(
                f"The layer {operator.layer!r} cannot have 16-bit activations",
                allowed=schema_words(can),
                given=schema_words([operator.kind]),
                remedy="Keep it in float instead: keep_float",
            )


def _check_blocks(selection: Scope, how: Widths) -> None:
    """Check that blocks fit into the rows of each weight without a remainder."""
    if not how.granularity.startswith("BLOCK"):
        return
    size, can = int(how.granularity.rsplit("_", 1)[1]), supported(how)
    odd = [
        o
        for o in selection.operators
        if o.fate == "quantized" and o.kind in can and o.row_length % size
    ]
    if odd:
        raise InvalidFile(
            f"The weights of {schema_words([odd[0].kind])} {odd[0].layer!r} have rows of"
            f" {odd[0].row_length}, not a multiple of {size}",
            allowed=", ".join(_fitting([o.row_length for o in odd])) or "0",
            given=size,
            remedy="Choose another block_size, or name in keep_float: "
            + ", ".join(o.layer for o in odd[:8]),
        )


def _check_ranks(selection: Scope, how: Widths) -> None:
    """Check that rotated tensors have two or three axes: for others LiteRT 2.3 passes on
    uninitialized memory.
    """
    if how.algorithm != "hadamard":
        return
    for operator in selection.operators:
        if (
            operator.fate == "quantized"
            and operator.kind in supported(how)
            and operator.rank > _MOST_AXES
        ):
            raise InvalidFile(
                f"LiteRT cannot rotate what {operator.layer!r} reads or hands on: it has"
                f" {operator.rank} axes",
                allowed=f"at most {_MOST_AXES}",
                given=schema_words([operator.kind]),
                remedy="Choose the algorithm hadamard_builtin",
            )


def _fitting(lengths: list[int]) -> list[str]:
    return [
        str(size) for size in (32, 64, 128, 256) if not any(length % size for length in lengths)
    ]


def check_stored(path: Path) -> Path:
    """Return the file if every weight in it has the size that its type requires.

    ai-edge-quantizer 0.10 declares a weight as integer but leaves it float where an algorithm finds
    no statistics; LiteRT would compute with its bytes all the same.

    Raises:
        InvalidFile: a weight has another size.
    """
    model = load_tflite(path)
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        bits = _BITS.get(type_name(tensor), 0)
        buffer = model.buffers[tensor.buffer]
        size = buffer.size if buffer.size > 1 else 0 if buffer.data is None else len(buffer.data)
        if bits and size and size != -(-prod(shape_of(tensor)) * bits // 8):
            raise InvalidFile(
                "ai-edge-quantizer wrote a weight whose number of bytes does not match its type",
                given=tensor.name.decode(),
                remedy="Choose the algorithm minmax, or keep that layer in float",
            )
    return path
