"""Looks into ExecuTorch programs: shapes, weights, and operators, those inside XNNPACK's parts too.

A program is a flatbuffer whose kernels are named; what was handed to XNNPACK is a flatbuffer inside
it, which flatc (it comes with ExecuTorch) reads by XNNPACK's schema.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from math import prod
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.formats.executorch.files import DTYPES
from lab.formats.quiet import quiet

MULTIPLYING = {
    "XNNConv2d", "XNNDepthwiseConv2d", "XNNConvTranspose2d", "XNNFullyConnected",
    "XNNBatchMatrixMultiply", "XNNScaledDotProductAttention", "aten::convolution", "aten::mm",
    "aten::bmm", "aten::addmm", "aten::linear",
}  # fmt: skip
_INTEGERS = ("qint8", "qcint8", "qcint4", "qbint4", "quint8")
WEIGHTS = ("FLOAT", "HALF", "BFLOAT16", "CHAR", "BYTE")
_INFINITE = re.compile(r"(?<=[\s\[,:])(-?)inf(?=[\s\],}])")
"""flatc writes inf, which is no JSON; Python reads Infinity."""


def inspect(path: Path) -> dict[str, Any]:
    """See `lab.formats.inspect.inspect`; an operator inside XNNPACK's parts is called as its schema
    does (XNNConv2d).
    """
    with quiet():
        file = read_program(path)
        plan = file.program.execution_plan[0]
        graphs = [xnnpack_graph(file, delegate.processed.index) for delegate in plan.delegates]
    kernels = [kernel.name for kernel in _kernels(plan)]
    parts = [(node, values_of(graph)) for graph in graphs for node in graph["xnodes"]]
    float_ = [kind(node) for node, values in parts if not is_integer(node, values)] + kernels
    integer = any(is_integer(node, values) for node, values in parts)
    return {
        "inputs": [_info("input", plan.values[i].val) for i in plan.inputs],
        "outputs": [_info("output", plan.values[i].val) for i in plan.outputs],
        "parameters": sum(map(_stored, graphs)) + _constants(plan),
        "macs": None,
        "operators": dict(Counter([*(kind(node) for node, _ in parts), *kernels])),
        "float_operators": dict(Counter(n for n in float_ if integer and n in MULTIPLYING)),
    }


def read_program(path: Path) -> Any:
    """The file as executorch's PTEFile.

    Raises:
        InvalidFile: this is no ExecuTorch program.
    """
    from executorch.exir._serialize._program import deserialize_pte_binary

    try:
        return deserialize_pte_binary(path.read_bytes())
    except Exception as error:
        raise InvalidFile(
            "This is no ExecuTorch program, or a damaged one", given=str(path)
        ) from error


def _kernels(plan: Any) -> Iterator[Any]:
    """The operator of each call of one of ExecuTorch's own kernels."""
    for chain in plan.chains:
        for instruction in chain.instructions:
            if hasattr(instruction.instr_args, "op_index"):
                yield plan.operators[instruction.instr_args.op_index]


def xnnpack_graph(file: Any, index: int) -> dict[str, Any]:
    """A part that was handed to XNNPACK, as its schema's JSON.

    Source: executorch/backends/xnnpack/serialization/schema.fbs.
    """
    from executorch.backends.xnnpack import serialization
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    data = file.program.backend_delegate_data[index].data
    header = XNNHeader.from_bytes(data[: XNNHeader.EXPECTED_LENGTH])
    with tempfile.TemporaryDirectory() as folder:
        schema, binary = Path(folder) / "schema.fbs", Path(folder) / "part.bin"
        schema.write_bytes(files(serialization).joinpath("schema.fbs").read_bytes())
        binary.write_bytes(
            data[header.flatbuffer_offset : header.flatbuffer_offset + header.flatbuffer_size]
        )
        _flatc_decompile(folder, str(schema), str(binary), ["--raw-binary"])
        text = (Path(folder) / "part.json").read_text()
    return dict(json.loads(_INFINITE.sub(r"\1Infinity", text)))


def kind(node: dict[str, Any]) -> str:
    """The type of a node of an XNNPACK graph."""
    return str(node["xnode_union_type"])


def values_of(graph: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Id -> tensor of an XNNPACK graph: datatype, dims, constant_buffer_idx, and quant_params where
    it has them.
    """
    found = {}
    for value in graph["xvalues"]:
        union = value["xvalue_union"]
        plain = union.get("tensor_value", union)
        found[plain["id_out"]] = {**plain, "quant_params": union.get("quant_params")}
    return found


def is_integer(node: dict[str, Any], values: dict[int, dict[str, Any]]) -> bool:
    """Return whether a node's second factor (or its only one) is made of integers."""
    names = ("filter_id", "input2_id", "input_id", "input1_id")
    ids = [node["xnode_union"][name] for name in names if name in node["xnode_union"]]
    return bool(ids) and values[ids[0]]["datatype"].removeprefix("xnn_datatype_") in _INTEGERS


def _stored(graph: dict[str, Any]) -> int:
    """Count the weight elements that a part stores; those that several nodes read count once."""
    stored = {
        v["constant_buffer_idx"]: prod(v["dims"])
        for v in values_of(graph).values()
        if v["constant_buffer_idx"]
    }
    return sum(stored.values())


def _constants(plan: Any) -> int:
    """Count the weight elements that ExecuTorch's own kernels read from the file; 64-bit integers
    are shapes and indices.
    """
    tensors = [value.val for value in plan.values if hasattr(value.val, "data_buffer_idx")]
    stored = {
        t.data_buffer_idx: prod(t.sizes)
        for t in tensors
        if t.data_buffer_idx and t.scalar_type.name in WEIGHTS
    }
    return sum(stored.values())


def _info(name: str, tensor: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(tensor.sizes), "dtype": DTYPES[tensor.scalar_type]}
