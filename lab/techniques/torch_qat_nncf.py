"""Quantization-aware training with NNCF's quantizers, saved as ONNX with integer weights (QDQ)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, SAMPLES, calibration_suffix
from lab.compress.naming import speaking_name
from lab.compress.nncf.options import OVERFLOW, PRESET
from lab.finetuning.quantizing import QAT_TRAINING, Gap, file_predictor, qat_suffix, torch_predictor
from lab.options import Option
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.nncf.torch import exported, with_quantizers
    from lab.compress.torch.folding import fold_modules
    from lab.finetuning.torch_loop import fit
    from lab.formats.torch_export.feeding import calibration_batches
    from lab.formats.torch_export.files import load_program, with_free_batch
    from lab.formats.torch_export.modules import as_modules

    program, file = with_free_batch(load_program(source)), context.workdir / "model.onnx"
    batches = list(calibration_batches(context.calibration(params[SAMPLES.id]), program))
    model = with_quantizers(fold_modules(as_modules(program)), batches, params)
    fit(model, context, params)
    gap = Gap(context, torch_predictor(model, program))
    file.write_bytes(exported(model, program).SerializeToString())
    gap.note(file_predictor("ort", file))
    return file


def _name(params: Mapping[str, Any]) -> str:
    half = {"first_layer": "", "all": "half_range", "off": "full_range"}[params[OVERFLOW.id]]
    return speaking_name(
        "qat_wi8_ai8_nncf",
        "" if params["per_channel"] else "per_tensor",
        params[PRESET.id] if params[PRESET.id] != PRESET.default else "",
        half,
        calibration_suffix(params),
    ) + qat_suffix(params)


TECHNIQUE = Technique(
    id="torch_qat_nncf",
    title="Quantization-aware training by NNCF",
    help=(
        "Continues training with weights and activations rounded to 8 bits by Intel's quantizers,"
        " whose ranges are trained too. The file runs in ONNX Runtime and OpenVINO."
    ),
    accepts=("torch_export",),
    produces="onnx",
    apply=_apply,
    name=_name,
    options=(
        Option(
            "per_channel",
            "Per channel",
            "bool",
            True,
            "Uses one scale for each output channel of a weight instead of one for the whole"
            " weight.",
        ),
        PRESET,
        OVERFLOW,
        *CALIBRATION,
        *QAT_TRAINING,
    ),
    toolchain="torch",
    requires=("torch", "nncf", "openvino", "onnx", "onnxruntime", "onnxscript"),
    needs_calibration=True,
    trains=True,
    presets=("full",),
    timeout_s=7200.0,
    typical_s=120.0,
)
