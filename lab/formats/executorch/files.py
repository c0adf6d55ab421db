"""ExecuTorch programs: lowering an exported program to XNNPACK, and what became of its
operators.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.plugs import Context

DTYPES = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
"""Number of c10::ScalarType, which ExecuTorch shares, -> numpy's name."""


def bound_to_one(module: Any, item: Any) -> Any:
    """A module exported again for batches of one item.

    Args:
        item: shape (1, *input).
    """
    import torch

    try:
        with torch.no_grad():
            return torch.export.export(module, (item,))
    except Exception as error:
        raise InvalidFile(
            f"torch cannot export this model for one item: {_first_cause(error)}",
            remedy="Export the model with a free batch axis, or for one item",
        ) from error


def write_executorch(
    program: Any, context: Context, remedy: str = "Choose TorchScript, ONNX or TFLite"
) -> Path:
    """Lower a program of one item to XNNPACK, as far as that takes its operators, and write it.

    Args:
        remedy: what to choose where ExecuTorch cannot.

    Raises:
        InvalidFile: ExecuTorch refuses an operator of the program.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    try:
        edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        _note(edge.exported_program().graph_module, context)
        data = edge.to_executorch().buffer
    except Exception as error:
        raise InvalidFile(
            f"ExecuTorch cannot lower this program: {_first_cause(error)}", remedy=remedy
        ) from error
    target = context.workdir / "model.pte"
    target.write_bytes(bytes(data))
    return target


def _first_cause(error: BaseException) -> str:
    """The message of what was raised first, and the operator that it happened at: passes wrap it
    several times.
    """
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    lines = [
        line
        for line in str(error).splitlines()
        if line.strip() and "tlparse" not in line and "traceback" not in line
    ]
    return " ".join(lines[:2])[:300]


def _note(graph_module: Any, context: Context) -> None:
    from executorch.devtools.backend_debug import get_delegation_info

    found, rest = get_delegation_info(graph_module), left_to_portable(graph_module)
    taken = found.num_delegated_nodes
    context.note(
        "xnnpack",
        f"{taken} of {taken + sum(rest.values())} operators in {found.num_delegated_subgraphs}"
        " parts",
    )
    if rest:
        context.note(
            "executorch_kernels",
            ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in rest.items()),
        )


def left_to_portable(graph_module: Any) -> dict[str, int]:
    """Operators that no delegate took: name -> count."""
    names = [
        getattr(node.target, "__name__", "")
        for node in graph_module.graph.nodes
        if node.op == "call_function"
    ]
    return dict(
        Counter(
            n.removesuffix(".default")
            for n in names
            if n not in ("executorch_call_delegate", "getitem")
        )
    )
