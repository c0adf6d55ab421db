"""Loads an exported PyTorch program without the lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.plugs import Loading


def lines(file: str, facts: Mapping[str, Any]) -> str:
    """Python that defines `run(x)`."""
    return f"""\
import torch

module = torch.export.load({file!r}).module(check_guards=False)

def run(x):
    with torch.inference_mode():
        return module(torch.from_numpy(x)).numpy()
"""


LOADING = Loading(("torch",), lines)
