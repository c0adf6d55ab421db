"""Operator profiles of LiteRT: its own kernels and those of XNNPACK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.evidence import OperatorTime, Profile
from lab.formats.profiling import fed, fitted, in_turns, kind_of, said, typical, warmed
from lab.formats.xnnpack import NOTE, PLACE, TICK_S, precision_of, with_kinds, with_layers
from lab.lazy import np
from lab.plugs import Array, Session
from lab.runtimes._litert_half import FORCE_FP16, QS8, QU8
from lab.runtimes._litert_library import DELEGATED, OPERATOR, WHOLE, Event, ProfiledModel

_OWN = "LiteRT kernels"
_LOOPS = ("WHILE", "IF", "CALL_ONCE")
_HYBRID = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL")
_PRECISIONS = {"UINT8": "int8"}
_FAMILIES = {
    "CONV_2D": "Convolution", "DEPTHWISE_CONV_2D": "Convolution", "TRANSPOSE_CONV": "Deconvolution",
    "FULLY_CONNECTED": "Convolution", "BATCH_MATMUL": "Batch Matrix Multiply", "ADD": "Add",
    "SUB": "Subtract", "MUL": "Multiply", "DIV": "Divide", "SOFTMAX": "Softmax", "MEAN": "Mean",
    "SUM": "Sum", "TRANSPOSE": "Transpose", "PAD": "Constant Pad",
    "AVERAGE_POOL_2D": "Average Pooling", "MAX_POOL_2D": "Max Pooling", "LOGISTIC": "Sigmoid",
    "TANH": "Tanh", "GELU": "GELU", "HARD_SWISH": "HardSwish", "RSQRT": "Reciprocal Square Root",
    "QUANTIZE": "Convert", "DEQUANTIZE": "Convert",
}  # fmt: skip
"""Family in XNNPACK of each operator of the file, see `lab.formats.xnnpack.family_of`."""


def profile(
    bare: Session, path: str, options: Mapping[str, Any], item: Array, runs: int
) -> Profile:
    """See `lab.plugs.Runtime.profile`.

    Args:
        bare: session of the file with these options and without the profiler.

    Raises:
        LabError: a delegate from a library computes it, which the profiler cannot see.
    """
    if options.get("delegate"):
        raise LabError(
            "LiteRT's profiler does not cover delegates that are loaded as libraries",
            given=options["delegate"],
            remedy="Profile it without the delegate",
        )
    x = fed(bare, item)
    model = ProfiledModel(path, _settings(options), x)
    runs = warmed(runs, lambda: bare.run(x), model.run)
    with model.recording():
        total, _ = in_turns(runs, lambda: bare.run(x), model.run)
    lines = _lines(model.events())
    model.close()
    if not lines:
        raise LabError("LiteRT's profiler recorded no operator", given=path)
    profiled, cost = fitted(_operators(lines, runs, path), total)
    return Profile(
        profiled,
        runs,
        total,
        said(NOTE if any(o.placed_on == PLACE for o in profiled) else "", cost),
    )


def _settings(options: Mapping[str, Any]) -> str:
    settings = [f"num_threads = {int(options.get('threads', 1))}"]
    if not options.get("xnnpack", True):
        settings.append('kernel_mode = "builtin"')
    if options.get("precision", "float32") == "float16":
        settings.append(f"flags = {QS8 | QU8 | FORCE_FP16}")
    return "\n".join(settings)


@dataclass
class _Line:
    """One operator: its first event, and for each run its time in µs and the index of the call."""

    event: Event
    taken: list[tuple[int, int]]


def _lines(events: Sequence[Event]) -> list[_Line]:
    """Return one entry per operator in the order of their first run; the time of a loop excludes
    the operators inside it.
    """
    lines: dict[object, _Line] = {}
    call, part, last, outer = -1, 0, -1, list[tuple[int, _Line]]()
    for event in events:
        if event.type == WHOLE and event.tag == "Invoke":
            call, part, last, outer = call + 1, 0, -1, []
        if event.type not in (OPERATOR, DELEGATED):
            continue
        while outer and event.start >= outer[-1][0]:
            outer.pop()
        part += (
            event.type == OPERATOR or event.node <= last
        )  # the index of operators starts at 0 again for the next delegate
        last = event.node if event.type == DELEGATED else -1
        inside = outer[-1][1].event.node if outer else -1
        key = (event.tag, event.node, event.graph, inside if outer else part)
        line = lines.setdefault(key, _Line(event, []))
        line.taken.append((call, event.elapsed))
        if outer:
            outer[-1][1].taken.append((call, -event.elapsed))
        if event.tag in _LOOPS:
            outer.append((event.start + event.elapsed, line))
    return list(lines.values())


def _operators(lines: Sequence[_Line], runs: int, path: str) -> list[OperatorTime]:
    from lab.formats.tflite.files import load_tflite

    file = _File(load_tflite(Path(path)))
    own = [_operator(line, runs, file) for line in lines]
    delegated = [n for n, line in enumerate(lines) if line.event.type == DELEGATED]
    left = file.layers_without(
        {line.event.node for line in lines if line.event.type == OPERATOR and not line.event.graph}
    )
    named = with_layers(with_kinds([own[n] for n in delegated]), left)
    for n, operator in zip(delegated, named, strict=True):
        own[n] = operator
    return own


def _operator(line: _Line, runs: int, file: _File) -> OperatorTime:
    event, taken = line.event, np.zeros((runs, 1))
    for call, microseconds in line.taken:
        taken[call] += microseconds
    calls, seconds = (
        max(round(sum(t >= 0 for _, t in line.taken) / runs), 1),
        1e-6 * float(typical(taken)[0]),
    )
    if event.type == DELEGATED:
        return OperatorTime(
            event.tag,
            "",
            seconds + calls * TICK_S / 2,
            calls,
            "other",
            precision_of(event.tag),
            PLACE,
        )
    layer, precision = file.facts(event.node) if not event.graph else ("", "")
    return OperatorTime(
        event.tag, layer, max(seconds, 0.0), calls, kind_of(event.tag), precision, _OWN
    )


class _File:
    """Operators of a file's first subgraph: types, layers and precisions."""

    def __init__(self, model: Any) -> None:
        from lab.formats.layers import unique_names
        from lab.formats.tflite.files import operator_name
        from lab.formats.tflite.layers import rows_and_operators

        rows, row_of = rows_and_operators(model)
        names, self._model = unique_names(rows), model
        self._operators = model.subgraphs[0].operators
        self._layers = ["" if row is None else names[row] for row in row_of]
        self._types = [operator_name(model, operator) for operator in self._operators]

    def facts(self, index: int) -> tuple[str, str]:
        """Return (layer, precision) of an operator in LiteRT's own kernels; dynamic ones compute in
        their weights' integer type.
        """
        from lab.formats.tflite.files import type_name

        tensors = [
            self._model.subgraphs[0].tensors[i] for i in self._operators[index].inputs if i >= 0
        ]
        types = [type_name(tensor) for tensor in tensors] or [""]
        hybrid = (
            self._types[index] in _HYBRID
            and types[0].startswith("FLOAT")
            and types[1].startswith("INT")
        )
        return self._layers[index], (
            "int8" if hybrid else _PRECISIONS.get(types[0], types[0].lower())
        )

    def layers_without(self, taken: set[int]) -> dict[str, list[str]]:
        """Return the layers that LiteRT's own kernels did not run, by XNNPACK's name of their
        operator family.
        """
        left: dict[str, list[str]] = {}
        for index, (type_, layer) in enumerate(zip(self._types, self._layers, strict=True)):
            if index not in taken and type_ in _FAMILIES:
                left.setdefault(_FAMILIES[type_], []).append(layer)
        return left
