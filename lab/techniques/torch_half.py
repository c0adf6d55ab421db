"""Conversion to TorchScript with 16-bit weights and activations; inputs and outputs stay 32-bit
floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.options import Option
from lab.plugs import Context, Technique

_NAMES = {"float16": "fp16", "bfloat16": "bf16"}


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch.half import in_half
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import example, fixed_batch, load_program, with_free_batch
    from lab.formats.torch_export.functions import as_functions
    from lab.formats.torch_export.fx import fold_batch_norms
    from lab.formats.torchscript.files import write_torchscript

    with quiet():
        program = with_free_batch(load_program(source))
        model = in_half(fold_batch_norms(as_functions(program)), params["dtype"])
        return write_torchscript(
            model, example(program, 1), fixed_batch(program), context.workdir / "model.pt"
        )


TECHNIQUE = Technique(
    id="torch_half",
    title="16-bit float (TorchScript)",
    help=(
        "Stores weights and computes activations as 16-bit floats in TorchScript, which halves the"
        " size. Only CPUs with 16-bit arithmetic are faster with it; others are slower than with"
        " 32-bit floats."
    ),
    accepts=("torch_export",),
    produces="torchscript",
    apply=_apply,
    name=lambda params: _NAMES[params["dtype"]],
    options=(
        Option(
            id="dtype",
            label="Number format",
            kind="choice",
            default="bfloat16",
            choices=tuple(reversed(_NAMES)),
            help=(
                "float16 has 11 bits of precision and overflows above 65,504; bfloat16 has 8 bits"
                " of precision and the range of 32-bit floats."
            ),
            sweep={"full": ("bfloat16", "float16")},
        ),
    ),
    toolchain="torch",
    requires=("torch",),
    presets=("full",),
    typical_s=4.0,
)
