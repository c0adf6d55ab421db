"""PyTorch (torch.export) -> float ExecuTorch program, for XNNPACK."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.executorch.files import bound_to_one, write_executorch
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import example, load_program, with_free_batch

    with quiet():
        program = with_free_batch(load_program(source))
        return write_executorch(
            bound_to_one(program.module(check_guards=False), example(program, 1)), context
        )


TECHNIQUE = Technique(
    id="torch_to_executorch",
    title="PyTorch to ExecuTorch",
    help=(
        "Converts the exported PyTorch program to a float ExecuTorch program for batch size 1, with"
        " all supported operators delegated to the XNNPACK library. Weights are not changed."
    ),
    accepts=("torch_export",),
    produces="executorch",
    apply=_apply,
    toolchain="torch",
    requires=("torch", "executorch"),
    conversion=True,
    only_first=True,
    typical_s=10.0,
)
