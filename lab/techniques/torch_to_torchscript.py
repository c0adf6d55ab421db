"""PyTorch (torch.export) -> float TorchScript, traced and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import example, fixed_batch, load_program, with_free_batch
    from lab.formats.torch_export.functions import as_functions
    from lab.formats.torchscript.files import write_torchscript

    with quiet():
        program = with_free_batch(load_program(source))
        return write_torchscript(
            as_functions(program),
            example(program, 1),
            fixed_batch(program),
            context.workdir / "model.pt",
        )


TECHNIQUE = Technique(
    id="torch_to_torchscript",
    title="PyTorch to TorchScript",
    help=(
        "Traces the exported PyTorch program and freezes its weights into a TorchScript file, which"
        " runs without Python code. Batch normalisations are folded into convolutions; the outputs"
        " stay the same."
    ),
    accepts=("torch_export",),
    produces="torchscript",
    apply=_apply,
    toolchain="torch",
    requires=("torch",),
    conversion=True,
    only_first=True,
    typical_s=3.0,
)
