"""Dynamic int8 quantization with PyTorch's pt2e, saved as an ExecuTorch program for XNNPACK."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import LAYERS, chosen_suffix
from lab.compress.naming import speaking_name
from lab.options import Option
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch.pt2e import write_integers
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import example, fixed_batch, load_program

    with quiet():
        program = load_program(source)
        batches = iter([example(program, fixed_batch(program) or 1)])
        return write_integers(program, params, batches, context, dynamic=True)


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        "dynamic_wi8_afp32",
        params["scope"] if params["scope"] != "all" else "",
        chosen_suffix(params),
    )


TECHNIQUE = Technique(
    id="torch_pt2e_dynamic_int8",
    title="Dynamic int8 (pt2e)",
    help=(
        "Stores the weights of dense layers and of plain 2-D convolutions as 8-bit integers with"
        " PyTorch's pt2e quantization, for ExecuTorch with XNNPACK. Activations are quantized at"
        " run time."
    ),
    accepts=("torch_export",),
    produces="executorch",
    apply=_apply,
    name=_name,
    options=(
        Option(
            id="scope",
            label="Operators",
            kind="choice",
            default="all",
            choices=("all", "dense"),
            help=(
                "Sets which operators are quantized: dense layers and 2-D convolutions (XNNPACK's"
                " quantizer skips depthwise ones and those before a ReLU), or only dense layers."
            ),
        ),
        *LAYERS,
    ),
    toolchain="torch",
    requires=("torch", "executorch", "torchao"),
    presets=("standard", "full"),
    extra={"full": ({"scope": "dense"},)},
    typical_s=15.0,
    purposes={"integer_weights": ""},
)
