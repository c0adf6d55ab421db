"""Contents of exported PyTorch programs: shapes, weights, operators."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from lab.formats.layers import total_macs
from lab.formats.torch_export.files import inputs_and_outputs, load_program
from lab.formats.torch_export.layers import layers_and_parameters
from lab.plugs import TensorInfo


def inspect(path: Path) -> dict[str, Any]:
    """See `lab.formats.inspect.inspect`; operators are called as ATen does (conv2d.default)."""
    program = load_program(path)
    taken, returned = inputs_and_outputs(program)
    signature = program.graph_signature
    return {
        "inputs": [_info(signature.user_inputs[0], taken)],
        "outputs": [_info(signature.user_outputs[0], returned)],
        "parameters": sum(program.state_dict[name].numel() for name in signature.parameters),
        "macs": total_macs([row for row, _ in layers_and_parameters(program)]),
        "operators": dict(Counter(_operators(program))),
        "float_operators": {},
    }


def _info(name: str, tensor: TensorInfo) -> dict[str, Any]:
    return {"name": name, "shape": list(tensor.shape), "dtype": tensor.dtype}


def _operators(program: Any) -> list[str]:
    """Return the overload name of each call of the graph."""
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    return [str(node.target).removeprefix("aten.") for node in calls]
