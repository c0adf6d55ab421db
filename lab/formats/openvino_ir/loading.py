"""Loads an OpenVINO model without the lab, from its two files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.formats.openvino_ir.files import GRAPH
from lab.plugs import Loading


def details(path: Path) -> dict[str, Any]:
    """Return the settings that the plug-in needs to compute rightly: {"config": name -> value}."""
    from lab.formats.openvino_ir.files import load_openvino, mapped
    from lab.formats.openvino_ir.graph import workaround

    return {"config": workaround(mapped(path)[0], load_openvino(path))}


def lines(file: str, facts: Mapping[str, Any]) -> str:
    """Python that defines `run(x)`."""
    precision = facts.get("options", {}).get("precision", "f32")
    config = {"INFERENCE_PRECISION_HINT": precision, **facts.get("config", {})}
    shape = [size or 1 for size in facts["input"]["shape"]]
    return f"""\
import openvino

core = openvino.Core()
model = core.read_model({GRAPH!r})  # its weights lie beside it, in a file of the same name
model.reshape({shape!r})
compiled = core.compile_model(model, "CPU", {config!r})

def run(x):
    return compiled(x)[0]
"""


LOADING = Loading(("openvino",), lines, details)
