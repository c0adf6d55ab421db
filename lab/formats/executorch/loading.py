"""Loads an ExecuTorch program without the lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.plugs import Loading


def lines(file: str, facts: Mapping[str, Any]) -> str:
    """Python that defines `run(x)`."""
    return f"""\
import torch
from executorch.runtime import Runtime

program = Runtime.get().load_program({file!r})
method = program.load_method("forward")

def run(x):
    return method.execute([torch.from_numpy(x)])[0].numpy()
"""


LOADING = Loading(("executorch",), lines)
