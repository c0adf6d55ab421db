"""Static int8 quantization with PyTorch's pt2e and ranges from calibration data, saved as an
ExecuTorch program for XNNPACK.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, CALIBRATION_STUDY, calibration_suffix
from lab.compress.choosing import LAYERS, chosen_suffix
from lab.compress.naming import speaking_name
from lab.options import Option
from lab.plugs import Context, Technique

_BOTH = (True, False)


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch.pt2e import write_integers
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.feeding import calibration_batches
    from lab.formats.torch_export.files import load_program

    with quiet():
        program = load_program(source)
        batches = calibration_batches(context.calibration(params["calibration_samples"]), program)
        return write_integers(program, params, batches, context, dynamic=False)


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        "static_wi8_ai8",
        "" if params["per_channel"] else "per_tensor",
        calibration_suffix(params),
        chosen_suffix(params),
    )


TECHNIQUE = Technique(
    id="torch_pt2e_static_int8",
    title="Static int8 (pt2e)",
    help=(
        "Stores weights and activations as 8-bit integers with PyTorch's pt2e quantization, for"
        " ExecuTorch with XNNPACK. Activation ranges are determined from calibration data."
    ),
    accepts=("torch_export",),
    produces="executorch",
    apply=_apply,
    name=_name,
    options=(
        Option(
            id="per_channel",
            label="Per channel",
            kind="bool",
            default=True,
            help=(
                "Uses one scale for each output channel of a weight instead of one for the whole"
                " weight."
            ),
            sweep={"standard": _BOTH, "full": _BOTH},
        ),
        *CALIBRATION,
        *LAYERS,
    ),
    toolchain="torch",
    requires=("torch", "executorch", "torchao"),
    needs_calibration=True,
    presets=("standard", "full"),
    extra={"full": CALIBRATION_STUDY},
    typical_s=15.0,
    purposes={"static_integers": ""},
)
