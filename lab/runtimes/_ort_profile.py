"""Operator profiles of ONNX Runtime, from its profiler's kernel records, with the file's node
names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lab.errors import LabError
from lab.evidence import OperatorTime, Profile
from lab.formats.onnx.sessions import CPU, LEVELS, open_session
from lab.formats.profiling import (
    WARM_UP,
    fed,
    fitted,
    in_turns,
    kind_of,
    said,
    self_times,
    typical,
    warmed,
)
from lab.lazy import np
from lab.plugs import Array, Session

_SUFFIX, _NUMBER = "_kernel_time", re.compile(r"_token_\d+$")
_DTYPES = {
    "float": "float32",
    "double": "float64",
    "uint8": "int8",
    "uint16": "int16",
    "uint4": "int4",
}
_INTEGER_PRODUCTS = (
    "QLinear",
    "QGemm",
    "QAttention",
    "DynamicQuantizeMatMul",
    "DynamicQuantizeLSTM",
)
_INTEGER_LEVEL = 4
"""Lowest accuracy_level at which MatMulNBits rounds activations to 8 bits; below it, it computes in
floats.
"""


def profile(
    bare: Session, path: str, options: Mapping[str, Any], item: Array, runs: int
) -> Profile:
    """See `lab.plugs.Runtime.profile`.

    Args:
        bare: session of the file with these options and without the profiler.

    Raises:
        LabError: ONNX Runtime recorded no kernel.
    """
    x = fed(bare, item)
    with TemporaryDirectory() as folder:
        session, rewritten = _open(path, options, folder)
        name, outputs = session.get_inputs()[0].name, [session.get_outputs()[0].name]
        both = (lambda: bare.run(x), lambda: session.run(outputs, {name: x}))
        runs = warmed(runs, *both)
        total, _ = in_turns(runs, *both)
        trace = json.loads(Path(session.end_profiling()).read_text())
        operators = _operators(trace, runs, _nodes(path, rewritten))
    if not operators:
        raise LabError("ONNX Runtime's profiler recorded no kernel", given=path)
    profiled, cost = fitted(operators, total)
    return Profile(profiled, runs, total, said("", cost))


def _open(path: str, options: Mapping[str, Any], folder: str) -> tuple[Any, Path]:
    level, provider = options.get("graph_optimization", "all"), options.get("provider", CPU)
    rewritten = Path(folder) / "rewritten.onnx"
    write_to = (
        str(rewritten) if provider == CPU else ""
    )  # other providers compile nodes that cannot be saved to a file
    threads = int(options.get("threads", 1))
    return (
        open_session(
            path,
            threads,
            level if level in LEVELS else "all",
            provider,
            write_to,
            f"{folder}/trace",
        ),
        rewritten,
    )


def _operators(
    trace: Sequence[Mapping[str, Any]], runs: int, nodes: Mapping[str, tuple[Any, str]]
) -> list[OperatorTime]:
    """Return one entry per node in the order of their first run; nodes inside others (a loop's
    body) are not counted twice.
    """
    starts = sorted(event["ts"] for event in trace if event["name"] == "model_run")[WARM_UP:]
    kernels = [
        e
        for e in trace
        if e["cat"] == "Node" and e["name"].endswith(_SUFFIX) and starts and e["ts"] >= starts[0]
    ]
    kernels.sort(key=lambda event: (event["ts"], -event["dur"]))
    lines: dict[tuple[str, str], _Line] = {}
    for event, own in zip(kernels, self_times([(e["ts"], e["dur"]) for e in kernels]), strict=True):
        line = lines.setdefault(
            (event["name"], str(event["args"].get("node_index"))),
            _Line(event, np.zeros(len(starts))),
        )
        line.microseconds[np.searchsorted(starts, event["ts"], side="right") - 1] += own
        line.count += 1
    return [_operator(line, runs, nodes) for line in lines.values()]


@dataclass
class _Line:
    """One node: its first event, its time in each call, and its total number of runs."""

    event: Mapping[str, Any]
    microseconds: Array
    count: int = 0


def _operator(line: _Line, runs: int, nodes: Mapping[str, tuple[Any, str]]) -> OperatorTime:
    name, args = line.event["name"].removesuffix(_SUFFIX), line.event["args"]
    type_, (node, layer) = args.get("op_name", ""), nodes.get(name, (None, name))
    provider = str(args.get("provider", "")).removesuffix("ExecutionProvider")
    return OperatorTime(
        type_,
        layer,
        1e-6 * float(typical(line.microseconds)),
        max(round(line.count / runs), 1),
        kind_of(type_),
        _precision(type_, args, node),
        provider,
    )


def _precision(type_: str, args: Mapping[str, Any], node: Any) -> str:
    if type_.startswith(_INTEGER_PRODUCTS) or "Integer" in type_:
        return "int8"
    if type_ == "MatMulNBits" and _level(node) >= _INTEGER_LEVEL:
        return "int8"
    dtype = next((kind for value in args.get("input_type_shape", ()) for kind in value), "")
    return _DTYPES.get(dtype, dtype)


def _level(node: Any) -> int:
    return (
        next((a.i for a in node.attribute if a.name == "accuracy_level"), 0)
        if node is not None
        else 0
    )


def _nodes(path: str, rewritten: Path) -> dict[str, tuple[Any, str]]:
    """Return each node of the optimized graph by name, with the name of the file's node that it
    computes.
    """
    if not rewritten.exists():
        return {}
    import onnx

    from lab.formats.onnx.origins import origins

    before, after = (onnx.load(file, load_external_data=False).graph for file in (path, rewritten))
    own = {node.name for node in before.node}
    return {
        o.node.name: (o.node, _layer(o.parts) or _same(o.node.name, own))
        for o in origins(before, after)
        if o.node.name
    }


def _same(name: str, own: Collection[str]) -> str:
    """Return the file's name of a node that ONNX Runtime renamed, or "" if it added the node."""
    plain = _NUMBER.sub("", name)
    return plain if plain in own else ""


def _layer(nodes: Sequence[Any]) -> str:
    """Return the file's name of a fused node: the node that multiplies, else the last one that is
    more than a type conversion.
    """
    products = [node for node in nodes if kind_of(node.op_type) == "compute"]
    others = [node for node in nodes if kind_of(node.op_type) not in ("quantize", "dequantize")]
    main = next(iter(products or others[-1:] or nodes[-1:]), None)
    return "" if main is None else main.name or main.output[0]
