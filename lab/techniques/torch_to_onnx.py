"""PyTorch (torch.export) -> float ONNX with a free batch axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.onnx.exporting import exported_onnx
    from lab.formats.torch_export.files import load_program, with_free_batch

    target = context.workdir / "model.onnx"
    target.write_bytes(exported_onnx(with_free_batch(load_program(source))).SerializeToString())
    return target


TECHNIQUE = Technique(
    id="torch_to_onnx",
    title="PyTorch to ONNX",
    help=(
        "Converts the exported PyTorch program to a float ONNX file that supports any batch size."
        " Weights are not changed."
    ),
    accepts=("torch_export",),
    produces="onnx",
    apply=_apply,
    toolchain="torch",
    requires=("torch", "onnxscript"),
    conversion=True,
    typical_s=10.0,
)
