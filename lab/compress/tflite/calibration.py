"""Calibration for ai-edge-quantizer: ranges of activations, and second moments of layer inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.compress.tflite.rules import Rule, quantizer
from lab.formats.feeding import fit_items
from lab.formats.quiet import quiet
from lab.plugs import Array

Ranges = dict[str, dict[str, Any]]
_MOMENTS = frozenset({"hessian", "mu2", "num_samples"})


def ranges(content: bytes, x: Array, method: str) -> Ranges:
    """Return the minimum and maximum of every activation: tensor name -> {"min", "max"}.

    They are computed inside LiteRT instead of tensor by tensor in Python: the same ranges, seven
    times as fast.

    Args:
        content: content of a float TFLite file.
        x: calibration items, shape (n, *item).
        method: "minmax", or "average" for ai-edge-quantizer's default, a moving average over the
            items.
    """
    from ai_edge_quantizer.calibrator import CalibrationMode, Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update, moving_average_update

    update = min_max_update if method == "minmax" else moving_average_update
    with quiet():
        calibrator = Calibrator(
            content,
            num_threads=1,
            mode=CalibrationMode.CALIBRATION_PROFILER_BASED,
            qsv_update_func=update,
        )
        calibrator.calibrate(calibration_data(content, x), RecipeManager())
    return dict(calibrator.get_model_qsvs())


def second_moments(content: bytes, x: Array, rules: Sequence[Rule]) -> Ranges:
    """Return the second moments of the inputs of layers that GPTQ or OSCAR quantize: tensor name ->
    {"hessian" or "mu2", "num_samples", …}.

    Args:
        content: content of a float TFLite file.
        x: calibration items, shape (n, *item).
        rules: rules of the quantization; only those with these algorithms are calibrated, to save
            time.
    """
    from ai_edge_quantizer.calibrator import Calibrator

    asking = [rule for rule in rules if rule.how is None or rule.how.algorithm in ("gptq", "oscar")]
    with quiet():
        calibrator = Calibrator(content, num_threads=1)
        calibrator.calibrate(
            calibration_data(content, x), quantizer(content, asking)._recipe_manager
        )
    return dict(calibrator.get_model_qsvs())


def together(ranges: Ranges, moments: Ranges) -> Ranges:
    """Merge ranges and moments; where both have a range, the one of `ranges` counts."""
    return _Lasting(
        {name: {**moments.get(name, {}), **ranges.get(name, {})} for name in {**moments, **ranges}}
    )


class _Lasting(Ranges):
    """Statistics in which ranges may be replaced and moments may not.

    ai-edge-quantizer 0.10 replaces the statistics of a reshape's output by those of its input. A
    layer behind it then has no moments, and its weights stay float although they are declared as
    integers.
    """

    def __setitem__(self, name: str, value: dict[str, Any]) -> None:
        moments = {key: x for key, x in self.get(name, {}).items() if key in _MOMENTS}
        super().__setitem__(
            name, {**{key: x for key, x in value.items() if key not in _MOMENTS}, **moments}
        )


def calibration_data(content: bytes, x: Array) -> dict[str, list[dict[str, Array]]]:
    """Return items in the form of ai-edge-quantizer: signature -> one feed for each item.

    Args:
        x: shape (n, *item), in the model's units; channels may be first even if the file has them
            last.

    Raises:
        InvalidFile: the items do not fit the file's input.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    (signature, arguments), *_ = interpreter.get_signature_list().items()
    details = interpreter.get_input_details()[0]
    items = fit_items(x, [int(size) for size in details["shape"]]).astype(details["dtype"])
    return {signature: [{arguments["inputs"][0]: item[None]} for item in items]}
