"""Loads an ONNX file without the lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.formats.onnx.sessions import LEVELS
from lab.plugs import Loading


def lines(file: str, facts: Mapping[str, Any]) -> str:
    """Python that defines `run(x)`."""
    level = LEVELS[facts.get("options", {}).get("graph_optimization", "all")]
    chosen = (
        ""
        if level == LEVELS["all"]
        else f"options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.{level}\n"
    )
    return f"""\
import onnxruntime

options = onnxruntime.SessionOptions()
{chosen}providers = ["CPUExecutionProvider"]
session = onnxruntime.InferenceSession({file!r}, options, providers=providers)

def run(x):
    return session.run(None, {{session.get_inputs()[0].name: x}})[0]
"""


LOADING = Loading(("onnxruntime",), lines)
