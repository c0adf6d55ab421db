"""A library's refusal of a file, as an error that names the operator and a remedy.

Pure text: whoever catches a library's exception passes its message on. A table for each library;
more than one may fit a message, the first one counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.errors import InvalidFile

LONGEST = 400


@dataclass(frozen=True)
class Refusal:
    """One way in which a library refuses.

    Attributes:
        pattern: found in the message; its groups `type` and `name` are the operator's, where it
            tells them.
        problem: what was wrong, with the pattern's groups in braces.
        remedy: operator type ("" where it tells none) -> what to choose instead.
    """

    pattern: str
    problem: str
    remedy: Callable[[str], str]

    def read(self, message: str) -> tuple[str, str, str] | None:
        """(problem, operator, remedy) of a message, or None where it says something else."""
        found = re.search(self.pattern, message, re.DOTALL)
        if found is None:
            return None
        groups = {key: value or "" for key, value in found.groupdict().items()}
        type_, name = groups.get("type", ""), groups.get("name", "")
        operator = f"{type_} ({name})" if type_ and name else type_ or name
        return self.problem.format(**groups), operator, self.remedy(type_)


def refusal(
    library: str, message: str, given: object, known: Sequence[Refusal] = ()
) -> InvalidFile:
    """The error for a library's message.

    Args:
        library: the name that a person knows it by.
        message: the text of its exception.
        given: the file or value it was about, shown where the message names no operator.
        known: the refusals to look through, such as ORT.
    """
    read = next((found for one in known if (found := one.read(message)) is not None), None)
    if read is None:
        return InvalidFile(f"{library} refuses this file: {_short(message)}", given=given)
    problem, operator, remedy = read
    return InvalidFile(
        f"{library} refuses this file: {problem}", given=operator or given, remedy=remedy
    )


def _short(message: str) -> str:
    """A message without the places in the library's source that it names."""
    plain = re.sub(r"\S*/onnxruntime_src/\S+ .*?\) (?=[A-Z])", "", " ".join(message.split()))
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


_SMALLER = {
    "ConvInteger": (
        "Choose unsigned weights (weight_type=uint8), keep convolutions in float"
        " (operators=MatMul+Gemm), or quantize statically"
    ),
    "MatMulInteger": "Choose the other weight_type, or quantize statically",
    "MatMulNBits": "Choose a block_size of 16, 32, 64, 128 or 256 and 4 or 8 bits",
}


def _other_number_format(type_: str) -> str:
    return _SMALLER.get(
        type_,
        "Keep this operator in 32-bit float (keep_float), or choose another technique: int8 or"
        " 16-bit float",
    )


def _same(remedy: str) -> Callable[[str], str]:
    return lambda type_: remedy


ORT = (
    Refusal(
        r"Could not find an implementation for (?P<type>\w+)\((?P<version>\d+)\) node with name"
        r" '(?P<name>[^']*)'",
        "it has no kernel for {type} of version {version} with these number types",
        _other_number_format,
    ),
    Refusal(
        r"Type Error: Type '(?:tensor\()?(?P<given>\w+)\)?' of input parameter \([^)]*\) of"
        r" operator \((?P<type>\w+)\) in node \((?P<name>[^)]*)\)",
        "{type} takes no {given} in the file's version of ONNX",
        _same(
            "Choose another number format, or export the model with a newer opset: 16-bit integers"
            " need 21, bfloat16 needs 22"
        ),
    ),
    Refusal(
        r"of Optype \((?P<type>\w+)\) bound to different types \((?P<types>.+?) in node"
        r" \((?P<name>[^)]*)\)",
        "{type} reads numbers of different types ({types})",
        _same(
            "The file is inconsistent: apply one technique only, or keep this operator in float"
            " (keep_float)"
        ),
    ),
    Refusal(
        r"In Node, \(\"(?P<name>[^\"]*)\", (?P<type>\w+),.*No Op registered for \w+ with"
        r" domain_version of (?P<version>\d+)",
        "ONNX {version} has no operator {type}",
        _same("Export the model with the opset that the operator belongs to, or without it"),
    ),
    Refusal(
        r"Fatal error: (?P<domain>[\w.]+):(?P<type>\w+)\(-?\d+\) is not a registered function/op",
        "it does not know the operator {type} of the domain {domain}",
        _same(
            "Export the model without custom operators; a file fused for another build of ONNX"
            " Runtime needs that build"
        ),
    ),
    Refusal(
        r"Opset (?P<version>\d+) is under development.*for domain (?P<domain>[\w.]+) is till opset"
        r" (?P<newest>\d+)",
        "its operators are of opset {version}, newer than it knows",
        _same(
            "Export the model with an opset that ONNX Runtime knows: at most 26 with version 1.31"
        ),
    ),
    Refusal(
        r"Unsupported model IR version: (?P<version>\d+), max supported IR version:"
        r" (?P<newest>\d+)",
        "its IR version is {version}, at most {newest} is known",
        _same("Write the file with an older onnx package, or install a newer onnxruntime"),
    ),
    Refusal(
        r"Only block sizes (?P<allowed>[\d, and]+) are supported for (?P<type>\w+) op, got:"
        r" (?P<given>\d+)",
        "{type} takes blocks of {allowed} weights, not of {given}",
        _other_number_format,
    ),
    Refusal(
        r"Only (?P<allowed>[\w, ]+?) quantization is supported for (?P<type>\w+) op",
        "{type} takes weights of {allowed} only",
        _other_number_format,
    ),
    Refusal(
        r"Non-zero status code returned while running (?P<type>\w+) node\. Name:'(?P<name>[^']*)'"
        r" Status Message: (?P<why>.{0,200})",
        "{type} fails while it runs: {why}",
        _same("Check that the data have the shape that the model was exported for"),
    ),
    Refusal(
        r"Unable to get valid quantization scale for (?:weight )?input '(?P<name>[^']*)'",
        "what makes {name} is an operator that it does not know, such as a fused one",
        _same("Quantize first and fuse afterwards: onnx_static_int8, then onnx_fuse"),
    ),
    Refusal(
        r"Protobuf parsing failed",
        "it is no ONNX file, or a damaged one",
        _same("Export the model again"),
    ),
)
"""Refusals of ONNX Runtime, as its version 1.31 words them."""
