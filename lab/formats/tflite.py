"""Quantizes float TFLite files with ai-edge-quantizer: what its six techniques share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.formats.feeding import fit_items
from lab.formats.quiet import quiet
from lab.options import Option
from lab.plugs import Array, Context

PER_CHANNEL = Option(
    id="per_channel",
    label="Per channel",
    kind="bool",
    default=True,
    help="One scale for each output channel of a weight instead of one for the whole weight: finer, seldom slower.",
    sweep={"full": (True, False)},
)

METHOD = Option(
    id="method",
    label="Calibration method",
    kind="choice",
    default="minmax",
    choices=("minmax", "average"),
    help=(
        "How an activation's range is chosen: the extremes over all calibration items, or a moving average of each "
        "item's extremes, which ignores outliers and cuts off what exceeds it."
    ),
    sweep={"full": ("minmax", "average")},
)


def granularity(params: Mapping[str, Any]) -> str:
    """ai-edge-quantizer's word for the option `per_channel`."""
    return "CHANNELWISE" if params["per_channel"] else "TENSORWISE"


def channel_suffix(params: Mapping[str, Any]) -> str:
    """The suffix of the speaking name, see `lab.formats.naming`."""
    return "" if params["per_channel"] else "per_tensor"


def weights(params: Mapping[str, Any], bits: int, mode: str, context: Context, source: Path) -> Path:
    """Quantize the weights only, or the weights now and the activations while the model runs.

    Args:
        mode: "weight_only" or "dynamic".
    """
    quantizer = _quantizer(float_content(source))
    add = quantizer.add_weight_only_config if mode == "weight_only" else quantizer.add_dynamic_config
    add(".*", "*", num_bits=bits, granularity=granularity(params))
    return _write(quantizer, None, context)


def half(context: Context, source: Path) -> Path:
    """Store the weights as 16-bit floats."""
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import QuantGranularity

    quantizer = _quantizer(float_content(source))
    quantizer.add_weight_only_config(
        ".*", "*", num_bits=16, granularity=QuantGranularity.TENSORWISE, algorithm_key=AlgorithmName.FLOAT_CASTING
    )
    return _write(quantizer, None, context)


def static(params: Mapping[str, Any], activation_bits: int, context: Context, source: Path) -> Path:
    """Quantize weights to 8 bits and activations to 8 or 16, with ranges from calibration data.

    An embedding has no static form: its table is stored in 8 bits, what it looks up is float until the next operator.
    """
    content, grain = float_content(source), granularity(params)
    quantizer = _quantizer(content)
    quantizer.add_static_config(
        ".*", "*", activation_num_bits=activation_bits, weight_num_bits=8, weight_granularity=grain
    )
    quantizer.add_dynamic_config(".*", "EMBEDDING_LOOKUP", num_bits=8, granularity=grain)
    x = context.calibration(params["calibration_samples"])
    return _write(quantizer, ranges(content, x, params["method"]), context)


def ranges(content: bytes, x: Array, method: str) -> dict[str, Any]:
    """Smallest and largest value of every activation: tensor name -> {"min", "max"}.

    They are taken inside LiteRT rather than tensor by tensor in Python: the same ranges, seven times as fast.

    Args:
        content: a float TFLite file.
        x: calibration items, shape (n, *item).
        method: "minmax", or "average" for ai-edge-quantizer's default, a moving average over the items.
    """
    from ai_edge_quantizer.calibrator import CalibrationMode, Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update, moving_average_update

    update = min_max_update if method == "minmax" else moving_average_update
    with quiet():
        calibrator = Calibrator(
            content, num_threads=1, mode=CalibrationMode.CALIBRATION_PROFILER_BASED, qsv_update_func=update
        )
        calibrator.calibrate(calibration_data(content, x), RecipeManager())
    return dict(calibrator.get_model_qsvs())


def calibration_data(content: bytes, x: Array) -> dict[str, list[dict[str, Array]]]:
    """Items as ai-edge-quantizer takes them: signature -> one feed for each item.

    Args:
        x: shape (n, *item), in the model's units; channels may be first though the file wants them last.

    Raises:
        InvalidFile: the items do not fit the file's input.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    (signature, arguments), *_ = interpreter.get_signature_list().items()
    details = interpreter.get_input_details()[0]
    items = fit_items(x, [int(size) for size in details["shape"]]).astype(details["dtype"])
    return {signature: [{arguments["inputs"][0]: item[None]} for item in items]}


def float_content(source: Path) -> bytes:
    """The content of a float TFLite file, with a signature.

    Raises:
        InvalidFile: no TFLite file, or one that is quantized already.
    """
    from lab.formats.tflite_files import load_tflite, quantized_weights, signed

    model = load_tflite(source)
    if quantized_weights(model):
        raise InvalidFile("This TFLite file is quantized already", allowed="a float TFLite file", given=str(source))
    return signed(model, source.read_bytes())


def _quantizer(content: bytes) -> Any:
    from ai_edge_quantizer.quantizer import Quantizer

    return Quantizer(content)


def _write(quantizer: Any, ranges: Any, context: Context) -> Path:
    target = context.workdir / "model.tflite"
    with quiet():
        target.write_bytes(quantizer.quantize(ranges, enable_progress_report=False).quantized_model)
    return target
