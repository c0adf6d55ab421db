"""Reads programs that `torch.export.save` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.errors import InvalidFile


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
        raise InvalidFile("The model must have one input", allowed="1", given=len(program.example_inputs[0]))
    return program


def example(program: Any, items: int) -> Any:
    """The program's example input with that many items, by repeating its first."""
    (tensor,) = program.example_inputs[0]
    return tensor[:1].repeat(items, *[1] * (tensor.ndim - 1))


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

    Exported.__module__, Exported.__qualname__ = "", "M"  # litert-torch writes them into every tensor's name
    return Exported()
