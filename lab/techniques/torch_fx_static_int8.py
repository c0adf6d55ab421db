"""Static int8 quantization with PyTorch's FX mode and ranges from calibration data, saved as
TorchScript.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, calibration_suffix
from lab.compress.choosing import LAYERS, chosen_suffix
from lab.compress.naming import speaking_name
from lab.compress.torch.fx_quantizing import ENGINE
from lab.options import Option
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.quiet import quiet

    with quiet():
        return _quantize(source, params, context)


def _quantize(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch import fx_quantizing as fx
    from lab.formats.torch_export.feeding import BATCH, calibration_batches
    from lab.formats.torch_export.files import example, fixed_batch, load_program
    from lab.formats.torch_export.fx import STATIC, contiguous_clipping
    from lab.formats.torchscript.files import use_engine, write_torchscript

    program = load_program(source)
    use_engine(params["engine"])
    model, batch = fx.quantizable(program, STATIC, params), fixed_batch(program)
    model = contiguous_clipping(model) if params["engine"] == "qnnpack" else model
    size = 1 if params["method"] == "average" else BATCH  # each item updates the moving average
    batches = calibration_batches(context.calibration(params["calibration_samples"]), program, size)
    mapping = fx.static_mapping(params["engine"], params["per_channel"], params["method"])
    integers = fx.quantize(model, mapping, batches, example(program, batch or 1), params["engine"])
    return write_torchscript(
        integers, example(program, 1), batch, context.workdir / "model.pt", params["engine"]
    )


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        "static_wi8_ai8",
        params["engine"] if params["engine"] != "x86" else "",
        "" if params["per_channel"] else "per_tensor",
        params["method"] if params["method"] != "histogram" else "",
        calibration_suffix(params),
        chosen_suffix(params),
    )


TECHNIQUE = Technique(
    id="torch_fx_static_int8",
    title="Static int8 (FX)",
    help=(
        "Stores weights and activations as 8-bit integers with PyTorch's FX quantization, and saves"
        " TorchScript. Activation ranges are determined from calibration data."
    ),
    accepts=("torch_export",),
    produces="torchscript",
    apply=_apply,
    name=_name,
    options=(
        ENGINE,
        Option(
            id="per_channel",
            label="Per channel",
            kind="bool",
            default=True,
            help=(
                "Uses one scale for each output channel of a weight instead of one for the whole"
                " weight."
            ),
            sweep={"full": (True, False)},
        ),
        Option(
            id="method",
            label="Calibration method",
            kind="choice",
            default="histogram",
            choices=("histogram", "minmax", "average"),
            help=(
                "Sets how an activation's range is determined: as the range that loses the least of"
                " its histogram, from its extremes, or from a moving average of each item's"
                " extremes."
            ),
        ),
        *CALIBRATION,
        *LAYERS,
    ),
    toolchain="torch",
    requires=("torch",),
    needs_calibration=True,
    presets=("full",),
    extra={
        "full": (
            {"engine": "qnnpack"},
            {"engine": "onednn"},
            {"method": "minmax"},
            {"method": "average"},
        )
    },
    typical_s=8.0,
    purposes={"static_integers": ""},
)
