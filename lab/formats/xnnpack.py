"""XNNPACK's operators, as its profiles name them: "Convolution (NHWC, QC8) IGEMM", "Convert (NC,
F32, QD8)".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lab.evidence import Kind, OperatorTime
from lab.formats.profiling import kind_of

PLACE, TICK_S = "XNNPACK", 1e-6
NOTE = (
    "XNNPACK counts whole microseconds: half of one is added to each of its operators for the"
    " fraction it drops."
)
_TYPE = re.compile(r"\b(P?F16|P?F32|Q[A-Z]*\d+[A-Z]?|X\d+)\b")
_BYTES = {"X8": "int8", "X16": "float16", "X32": "float32"}
_INTEGER = ("Q", "X8")


def types_of(operator: str) -> list[str]:
    """The types of numbers that an operator's name tells: ["F32", "QD8"]."""
    return _TYPE.findall(operator.partition("(")[2])


def precision_of(operator: str) -> str:
    """Return the type in which an operator computes: that of its activations, the first type of its
    name; "" where the name has none.
    """
    first = next(iter(types_of(operator)), "")
    if first.endswith(("F16", "F32")):
        return "float16" if first.endswith("F16") else "float32"
    return "int8" if first.startswith("Q") else _BYTES.get(first, "")


def kind_in_xnnpack(operator: str, before: str = "", after: str = "") -> Kind:
    """Return the kind of an operator; a conversion's types, or those of the operators around it,
    decide whether it quantizes.

    Args:
        before, after: names of the operators that ran before and after it, "" for none.
    """
    if not operator.startswith("Convert"):
        return kind_of(operator)
    told = [t.startswith("Q") for t in types_of(operator)] or [
        _in_integers(before),
        _in_integers(after),
    ]
    return "quantize" if told[-1] else "dequantize" if told[0] else "other"


def _in_integers(operator: str) -> bool:
    return next(iter(types_of(operator)), "").startswith(_INTEGER)


def with_kinds(operators: Sequence[OperatorTime]) -> list[OperatorTime]:
    """Operators of one delegate, in the order in which they ran, with what each is for."""
    names = ["", *(o.operator for o in operators), ""]
    around = zip(names, names[1:], names[2:], strict=False)
    return [
        replace(o, kind=kind_in_xnnpack(name, before, after))
        for o, (before, name, after) in zip(operators, around, strict=True)
    ]


def with_layers(
    operators: Sequence[OperatorTime], layers: Mapping[str, Sequence[str]]
) -> list[OperatorTime]:
    """Operators with the names of the file's layers: of each family in turn, where file and profile
    have as many of them.

    A conversion that the file does not have belongs to the layer after it, an activation to the one
    before.

    Args:
        layers: family of operators, see `family_of` -> the file's layers of that family, in order.
    """
    given = {
        family: iter(names)
        for family, names in layers.items()
        if _count(operators, family) == len(names)
    }
    found = [
        replace(o, layer=next(given[family_of(o)])) if family_of(o) in given else o
        for o in operators
    ]
    for index, operator in enumerate(found):
        beside = (
            index + 1
            if family_of(operator) == "Convert"
            else index - 1
            if family_of(operator) == "Clamp"
            else -1
        )
        if not operator.layer and 0 <= beside < len(found):
            found[index] = replace(operator, layer=found[beside].layer)
    return found


def family_of(operator: OperatorTime) -> str:
    """An operator's name without what is in brackets and behind; convolutions of 1 × 1 are run as
    dense layers, so both are one.
    """
    name = operator.operator.partition(" (")[0]
    return "Convolution" if name == "Fully Connected" else name


def _count(operators: Sequence[OperatorTime], family: str) -> int:
    return sum(family_of(o) == family for o in operators)
