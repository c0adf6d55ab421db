"""Conversion of ONNX weights and activations to 16-bit floats."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique

_CRASHING = (
    "Gelu",
)  # onnxruntime 1.31 crashes (SIGSEGV) while optimizing a 16-bit Gelu for the CPU


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    from lab.formats.onnx.files import load_float_onnx
    from lab.formats.quiet import quiet

    with quiet():
        model = convert_float_to_float16(
            load_float_onnx(source),
            keep_io_types=True,
            op_block_list=[*DEFAULT_OP_BLOCK_LIST, *_CRASHING],
        )
    OnnxModel(model).topological_sort()  # the converter appends its casts at the end, out of order
    target = context.workdir / "model.onnx"
    onnx.save(model, str(target))
    return target


TECHNIQUE = Technique(
    id="onnx_fp16",
    title="16-bit float",
    help=(
        "Stores weights as 16-bit floats, which halves the size. CPUs without 16-bit arithmetic"
        " cast back to 32 bits for most operators, so the file becomes smaller but not faster."
        " Inputs and outputs stay 32-bit."
    ),
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=lambda params: "fp16",
    requires=("onnx", "onnxruntime"),
    typical_s=0.3,
)
