"""Conversion to an ExecuTorch program with 16-bit weights and activations; inputs and outputs stay
32-bit floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch.half import in_half
    from lab.formats.executorch.files import bound_to_one, write_executorch
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import example, load_program, with_free_batch
    from lab.formats.torch_export.functions import as_functions
    from lab.formats.torch_export.fx import fold_batch_norms

    with quiet():
        program = with_free_batch(load_program(source))
        model = in_half(fold_batch_norms(as_functions(program)), "float16")
        return write_executorch(bound_to_one(model, example(program, 1)), context)


TECHNIQUE = Technique(
    id="torch_executorch_fp16",
    title="float16 (ExecuTorch)",
    help=(
        "Computes in 16-bit floats with XNNPACK. Dense layers and embeddings take half the space,"
        " but ExecuTorch still stores the weights of convolutions in 32 bits. Only CPUs with 16-bit"
        " arithmetic are faster with it."
    ),
    accepts=("torch_export",),
    produces="executorch",
    apply=_apply,
    name=lambda params: "fp16",
    toolchain="torch",
    requires=("torch", "executorch"),
    presets=("full",),
    typical_s=10.0,
)
