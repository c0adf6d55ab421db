"""PyTorch (torch.export) -> float TFLite; TFLite quantization techniques start from this file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import load_program

    program, target = load_program(source), context.workdir / "model.tflite"
    with quiet():
        _converted(program).export(str(target))
    return target


def _converted(program: Any) -> Any:
    import litert_torch

    from lab.formats.torch_export.files import example, module

    model, item = module(program), example(program, 1)
    if item.ndim == 4 and item.is_floating_point():
        model = litert_torch.to_channel_last_io(model, args=[0])
        item = item.permute(0, 2, 3, 1).contiguous()
    return litert_torch.convert(model, (item,))


TECHNIQUE = Technique(
    id="torch_to_tflite",
    title="PyTorch to TFLite",
    help=(
        "Converts the exported PyTorch program to a float TFLite file for batch size 1; images then"
        " have their channels last. Weights are not changed."
    ),
    accepts=("torch_export",),
    produces="tflite",
    apply=_apply,
    toolchain="torch",
    requires=("torch", "litert-torch"),
    conversion=True,
    typical_s=8.0,
)
