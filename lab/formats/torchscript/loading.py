"""Loads a TorchScript file without the lab."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Loading


def details(path: Path) -> dict[str, Any]:
    """The engine that its integers were packed for, "" for floats: {"engine"}."""
    from lab.formats.torchscript.files import read_note

    return {"engine": str(read_note(path)["engine"])}


def lines(file: str, facts: Mapping[str, Any]) -> str:
    """Python that defines `run(x)`."""
    engine = facts.get("engine")
    packed = f"torch.backends.quantized.engine = {engine!r}\n" if engine else ""
    faster = (
        "module = torch.jit.optimize_for_inference(module)\n"
        if facts.get("options", {}).get("optimize")
        else ""
    )
    return f"""\
import torch

{packed}module = torch.jit.load({file!r}).eval()
{faster}
def run(x):
    with torch.inference_mode():
        return module(torch.from_numpy(x)).numpy()
"""


LOADING = Loading(("torch",), lines, details)
