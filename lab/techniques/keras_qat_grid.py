"""Quantization-aware training of a float Keras model whose weights end up on the grid of a later
quantizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.naming import speaking_name
from lab.errors import InvalidFile
from lab.finetuning.options import KEEP_ZEROS
from lab.finetuning.quantizing import QAT_TRAINING, Predictor, file_predictor, note_gap, qat_suffix
from lab.options import Option, validate
from lab.plugs import Context, Technique
from lab.registry import technique

_RANGED = 128
_DEPLOYED = {
    ("none", 8): "tflite_weight_only_wi8",
    ("none", 4): "tflite_weight_only_wi4",
    ("none", 2): "tflite_weight_only_wi2",
    ("8", 8): "tflite_static_wi8_ai8",
    ("8", 4): "tflite_static_wi4_ai8",
}
"""Quantizer that each grid is made for, by (activation bits, weight bits); the gap is measured with
it.
"""


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.keras.fake_quantization import activation_ranges, predictor_of, twin
    from lab.compress.keras.graph import fold_batch_norms
    from lab.compress.keras.grid import bake
    from lab.finetuning.keras_loop import fit
    from lab.formats.keras.files import load_keras, save_keras

    model = fold_batch_norms(load_keras(source))
    grids = _grids(model, params, context)
    ranges = (
        activation_ranges(model, context.calibration(_RANGED))
        if params["activation_bits"] == "8"
        else {}
    )
    trained = twin(model, grids, ranges)
    fit(trained, context, params)
    bake(model, trained)
    file = save_keras(model, context.workdir / "on_grid.keras")
    note_gap(
        context,
        predictor_of(trained),
        _deployed(file, params, context) or predictor_of(load_keras(file)),
    )
    return file


def _grids(model: Any, params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    from lab.compress.keras.grid import KINDS, grids

    on_grid = grids(
        model,
        params["bits"],
        params["granularity"] == "channel",
        _depthwise_bits(params),
        params["keep_zeros"],
    )
    if not on_grid:
        raise InvalidFile(
            "No layer of this model has weights that can be put on a grid",
            allowed=", ".join(KINDS),
            given=", ".join(
                dict.fromkeys(type(layer).__name__ for layer in model.layers if layer.weights)
            ),
            remedy="Choose a quantizer that needs no training",
        )
    weighted = sum(bool(layer.weights) for layer in model.layers)
    context.note("on_grid", f"{len(on_grid)} of {weighted} layers with weights")
    return on_grid


def _depthwise_bits(params: Mapping[str, Any]) -> int:
    """Return the weight bits of depthwise convolutions, 0 for float."""
    bits, chosen = params["bits"], params["depthwise_bits"]
    if chosen == "auto":
        chosen = "same" if bits == 8 else params["activation_bits"]
    return int({"same": bits, "8": 8, "none": 0}[chosen])


def _deployed(file: Path, params: Mapping[str, Any], context: Context) -> Predictor | None:
    """Return the prediction function of the TFLite file this grid is made for, or None if there is
    no such quantizer or it rejects the model.
    """
    id_ = _DEPLOYED.get((params["activation_bits"], params["bits"]))
    if id_ is None:
        return None
    try:
        float_ = _applied("keras_to_tflite", file, context, "float")
        quantized = _applied(
            id_, float_, context, "made", per_channel=params["granularity"] == "channel"
        )
        answer = file_predictor("litert", quantized)
        answer(context.labelled(1)[0])
    except (InvalidFile, RuntimeError, ValueError):
        return None
    context.note("deployed_as", id_)
    return answer


def _applied(id_: str, source: Path, context: Context, name: str, **params: Any) -> Path:
    from dataclasses import replace

    plug, folder = technique(id_), context.workdir / name
    folder.mkdir()
    quiet = replace(context, workdir=folder, note=lambda name, value: None)
    return plug.apply(source, validate(plug.options, params, id_), quiet)


def _name(params: Mapping[str, Any]) -> str:
    depthwise = {"auto": "", "same": "all_layers", "8": "depthwise8", "none": "float_depthwise"}[
        params["depthwise_bits"]
    ]
    return speaking_name(
        f"qat_wi{params['bits']}",
        "ai8" if params["activation_bits"] == "8" else "",
        "" if params["granularity"] == "channel" else "per_tensor",
        depthwise,
        "" if params["keep_zeros"] else "refill",
    ) + qat_suffix(params)


TECHNIQUE = Technique(
    id="keras_qat_grid",
    title="Quantization-aware training (weights on a grid)",
    help=(
        "Continues training the float model with its weights rounded to few bits, and saves the"
        " rounded weights. A later quantizer with the same bits, the same granularity and the"
        " algorithm minmax then stores exactly the trained integers."
    ),
    accepts=("keras",),
    produces="keras",
    apply=_apply,
    name=_name,
    options=(
        Option(
            "bits",
            "Bits",
            "int",
            4,
            "Number of bits per weight of the later quantizer.",
            low=2,
            high=8,
        ),
        Option(
            "granularity",
            "Granularity",
            "choice",
            "channel",
            "Sets which weights share a scale in the later quantizer: those of an output channel,"
            " or of a whole layer.",
            choices=("channel", "tensor"),
        ),
        Option(
            "depthwise_bits",
            "Depthwise convolution bits",
            "choice",
            "auto",
            "TFLite has no depthwise convolutions below 8 bits: it stores them in 8 bits if"
            " activations have 8 bits, otherwise in float. The value auto does the same; choose"
            " same for formats that store all layers with the same bits.",
            choices=("auto", "same", "8", "none"),
        ),
        Option(
            "activation_bits",
            "Activation bits",
            "choice",
            "none",
            "Also rounds activations during training, for a later static technique. Choose none"
            " for techniques that keep activations in float or quantize them at run time.",
            choices=("none", "8"),
        ),
        KEEP_ZEROS,
        *QAT_TRAINING,
    ),
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    needs_calibration=True,
    trains=True,
    role="tune",
    presets=(),
    valid=lambda params: params["bits"] < 8 or params["depthwise_bits"] == "auto",
    timeout_s=7200.0,
    typical_s=60.0,
    purposes={"grid_training": ""},
)
