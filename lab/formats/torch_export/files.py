"""Reads programs that `torch.export.save` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.plugs import TensorInfo


def load_program(path: Path) -> Any:
    """The ExportedProgram of a .pt2 file.

    Raises:
        InvalidFile: torch cannot read it, or it takes more than one tensor.
    """
    import torch

    try:
        with path.open("rb") as file:
            program = torch.export.load(file)
    except Exception as error:
        raise InvalidFile(
            f"torch cannot read this file: {str(error).strip()[:300]}",
            allowed="a file written by torch.export.save",
            given=str(path),
        ) from error
    if len(program.example_inputs[0]) != 1 or program.example_inputs[1]:
        raise InvalidFile(
            "The model must have one input", allowed="1", given=len(program.example_inputs[0])
        )
    return program


def example(program: Any, items: int) -> Any:
    """The program's example input with that many items, by repeating its first."""
    (tensor,) = program.example_inputs[0]
    return tensor[:1].repeat(items, *[1] * (tensor.ndim - 1))


def inputs_and_outputs(program: Any) -> tuple[TensorInfo, TensorInfo]:
    """Return shape and type of its input and its first output, with None for free axes."""
    names = (program.graph_signature.user_inputs[0], program.graph_signature.user_outputs[0])
    found = {node.name: node.meta["val"] for node in program.graph.nodes if node.name in names}
    taken, given = (_info(found[name]) for name in names)
    return taken, given


def _info(tensor: Any) -> TensorInfo:
    shape = tuple(size if isinstance(size, int) else None for size in tensor.shape)
    return TensorInfo(shape, str(tensor.dtype).removeprefix("torch."))


def fixed_batch(program: Any) -> int | None:
    """The batch that the program is bound to, or None where the axis is free."""
    return inputs_and_outputs(program)[0].shape[0]


def with_free_batch(program: Any) -> Any:
    """The program, exported again with a free batch axis where it has a fixed one and its code
    allows it.
    """
    import torch

    if program.range_constraints:
        return program
    try:
        shapes = ({0: torch.export.Dim("batch", min=1)},)
        return torch.export.export(
            program.module(check_guards=False), (example(program, 2),), dynamic_shapes=shapes
        )
    except Exception:
        return program


def module(program: Any) -> Any:
    """The program as a module that takes one tensor, without the checks of its export's example."""
    import torch

    class Exported(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.program = program.module(check_guards=False)
            self.training = False

        def forward(self, x: Any) -> Any:
            return self.program(x)

    Exported.__module__, Exported.__qualname__ = (
        "",
        "M",
    )  # litert-torch writes them into every tensor's name
    return Exported()
