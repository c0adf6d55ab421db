"""Loads a TFLite file without the lab: what stands for real numbers by integers is scaled on the
way in and out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Loading


def details(path: Path) -> dict[str, Any]:
    """Scale and zero point of input and output, None where they take real numbers: {"quantized":
    {"input", "output"}}.
    """
    from lab.formats.tflite.files import load_tflite

    graph = load_tflite(path).subgraphs[0]
    ends = {"input": graph.tensors[graph.inputs[0]], "output": graph.tensors[graph.outputs[0]]}
    return {"quantized": {name: _quantized(tensor) for name, tensor in ends.items()}}


def _quantized(tensor: Any) -> dict[str, float] | None:
    from lab.formats.tflite.files import type_name

    kept = tensor.quantization
    if kept is None or kept.scale is None or not len(kept.scale) or "INT" not in type_name(tensor):
        return None
    return {"scale": float(kept.scale[0]), "zero_point": int(kept.zeroPoint[0])}


def lines(file: str, facts: Mapping[str, Any]) -> str:
    """Python that defines `run(x)`."""
    quantized, own = facts.get("quantized", {}), not facts.get("options", {}).get("xnnpack", True)
    return f"""\
from ai_edge_litert.interpreter import Interpreter{", OpResolverType" if own else ""}

interpreter = Interpreter(model_path={file!r}{_OWN if own else ""})
interpreter.allocate_tensors()
feed, fetch = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

def run(x):
{_IN if quantized.get("input") else ""}    interpreter.set_tensor(feed["index"], x)
    interpreter.invoke()
    y = interpreter.get_tensor(fetch["index"])
{_OUT if quantized.get("output") else ""}    return y
"""


_OWN = ", experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES"
"""LiteRT's own kernels, where they were measured: they round otherwise than XNNPACK's."""
_IN = """\
    scale, zero = feed["quantization"]  # the file takes integers for real numbers
    limits = np.iinfo(feed["dtype"])
    x = np.clip(np.rint(x / np.float32(scale)) + zero, limits.min, limits.max).astype(feed["dtype"])
"""
_OUT = """\
    scale, zero = fetch["quantization"]
    y = (y.astype(np.float32) - zero) * np.float32(scale)
"""


LOADING = Loading(("ai-edge-litert",), lines, details)
