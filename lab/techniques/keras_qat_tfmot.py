"""Quantization-aware training with TensorFlow Model Optimization: Keras -> full-integer TFLite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.naming import speaking_name
from lab.compress.tflite.options import IO_INT8, io_suffix
from lab.compress.tflite.tf_converter import check_whole, write_trained_int8
from lab.finetuning.quantizing import QAT_TRAINING, file_predictor, note_gap, qat_suffix
from lab.plugs import Context, Technique

_RANGED = 128


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.keras.fake_quantization import predictor_of
    from lab.compress.keras.graph import fold_batch_norms
    from lab.compress.keras.tfmot import (
        FOLLOW,
        KEEP,
        quantization_aware,
        ranges_keep,
        see,
    )
    from lab.finetuning.keras_loop import fit
    from lab.formats.keras.files import load_keras

    x = context.calibration(_RANGED)
    aware = quantization_aware(fold_batch_norms(load_keras(source)), x)
    with ranges_keep(FOLLOW):
        fit(aware, context, {**params, "bf16": False})
    see(aware, x, KEEP)
    file = check_whole(
        write_trained_int8(aware, params[IO_INT8.id], context.workdir / "trained.tflite")
    )
    note_gap(context, predictor_of(aware), file_predictor("litert", file))
    return file


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name("qat_wi8_ai8", io_suffix(params)) + qat_suffix(params) + "_tfmot"


TECHNIQUE = Technique(
    id="keras_qat_tfmot",
    title="Quantization-aware training (TFMOT)",
    help=(
        "Continues training with weights and activations rounded to 8 bits by TensorFlow Model"
        " Optimization, and writes the matching TFLite file. It supports fewer layers than"
        " keras_qat_grid, and only 8 bits with one scale per channel."
    ),
    accepts=("keras",),
    produces="tflite",
    apply=_apply,
    name=_name,
    options=(IO_INT8, *(option for option in QAT_TRAINING if option.id != "bf16")),
    toolchain="tensorflow",
    requires=("tensorflow", "keras", "tf-keras", "tensorflow-model-optimization"),
    needs_calibration=True,
    trains=True,
    presets=("full",),
    timeout_s=7200.0,
    typical_s=60.0,
)
