"""Quantization-aware training with torchao's pt2e and LiteRT's quantizer, saved as int8 TFLite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, SAMPLES, calibration_suffix
from lab.compress.naming import speaking_name
from lab.finetuning.quantizing import QAT_TRAINING, Gap, file_predictor, qat_suffix, torch_predictor
from lab.options import Option
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch.folding import fold_modules
    from lab.compress.torch.torchao_tflite import converted, tflite_quantizer, with_fakes
    from lab.finetuning.torch_loop import fit
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import load_program, with_free_batch
    from lab.formats.torch_export.modules import as_modules

    program, file = with_free_batch(load_program(source)), context.workdir / "model.tflite"
    quantizer = tflite_quantizer(params["per_channel"])
    model = with_fakes(fold_modules(as_modules(program)), program, quantizer)
    torch_predictor(model.train(), program)(
        context.calibration(params[SAMPLES.id])
    )  # observers update their ranges from these items
    fit(model, context, params)
    gap = Gap(context, torch_predictor(model, program))
    with quiet():
        converted(model, program, quantizer).export(str(file))
    gap.note(file_predictor("litert", file))
    return file


def _name(params: Mapping[str, Any]) -> str:
    spread = "" if params["per_channel"] else "per_tensor"
    return speaking_name("qat_wi8_ai8_pt2e", spread, calibration_suffix(params)) + qat_suffix(
        params
    )


TECHNIQUE = Technique(
    id="torch_qat_tflite",
    title="Quantization-aware training (pt2e)",
    help=(
        "Continues training with weights and activations rounded to 8 bits by PyTorch's pt2e"
        " quantization, with LiteRT's integer arithmetic, and saves the integers as a TFLite file."
    ),
    accepts=("torch_export",),
    produces="tflite",
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
        *CALIBRATION,
        *QAT_TRAINING,
    ),
    toolchain="torch",
    requires=("torch", "torchao", "litert-torch", "ai-edge-litert"),
    needs_calibration=True,
    trains=True,
    presets=("full",),
    timeout_s=7200.0,
    typical_s=150.0,
)
