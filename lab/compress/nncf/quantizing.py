"""NNCF's post-training quantization, with its failures as errors in plain words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from lab.compress.calibrating import SAMPLES
from lab.compress.choosing import left_float
from lab.compress.nncf.models import Source
from lab.compress.nncf.options import BIAS, MODEL_TYPE, advanced, settings
from lab.errors import InvalidFile, LabError
from lab.formats.feeding import check_finite
from lab.formats.layers import layer_table
from lab.formats.openvino_ir.files import openvino, reason
from lab.formats.quiet import quiet
from lab.lazy import np
from lab.plugs import Context


def nncf() -> Any:
    """Return the package, set to log errors only and to send no telemetry."""
    openvino()
    with quiet():
        import nncf
    nncf.set_log_level(logging.ERROR)
    return nncf


def static_int8(path: Path, source: Source, params: Mapping[str, Any], context: Context) -> Path:
    """Write the static int8 variant of a model.

    Args:
        path: the file of `source`.
        params: the options QUANTIZING of `lab.compress.nncf.options`, CALIBRATION and LAYERS.

    Raises:
        InvalidFile: NNCF cannot quantize it, or finds nothing to quantize.
    """
    feeds = source.feeds(check_finite(context.calibration(params[SAMPLES.id])))
    ignored, package = ignored_layers(path, source.format, params), nncf()
    arguments = {
        **settings(package, params, ignored),
        "advanced_parameters": advanced(package, params),
    }
    quantized = attempt(
        lambda: package.quantize(
            source.model, package.Dataset(feeds), subset_size=len(feeds), **arguments
        ),
        params,
    )
    check_quantized(source, quantized)
    note_bias_correction(source, quantized, params, context)
    return source.write(quantized, context.workdir)


def dataset(package: Any, feeds: Sequence[Any]) -> Any:
    """Return an nncf.Dataset of copies: OpenVINO computes in the memory of its inputs."""
    return package.Dataset(feeds, deepcopy)


def ignored_layers(path: Path, format: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the layers that the options KEEP_FLOAT and ONLY keep in float.

    Raises:
        InvalidOption: they name a layer that the file does not have.
    """
    if not any(params.get(name) for name in ("keep_float", "only")):
        return ()
    return left_float(params, [layer.name for layer in layer_table(path, format)])


def attempt(work: Callable[[], Any], params: Mapping[str, Any]) -> Any:
    """Run a function of NNCF and return its result.

    Raises:
        InvalidFile: NNCF fails; the error names an alternative.
    """
    try:
        with quiet():
            return work()
    except LabError:
        raise
    except Exception as error:
        raise InvalidFile(
            f"NNCF fails on this model: {_in_words(error)}",
            given=_asked(params),
            remedy=_remedy(params),
        ) from error


def _in_words(error: Exception) -> str:
    return f"{reason(error)} ({type(error).__name__})"


def _asked(params: Mapping[str, Any]) -> dict[str, Any]:
    return {option.id: params[option.id] for option in (BIAS, MODEL_TYPE) if option.id in params}


def _remedy(params: Mapping[str, Any]) -> str:
    if params.get(BIAS.id) == "full":
        return (
            "Choose bias_correction=fast: the full one splits the model before each layer,"
            " which fails for some graphs"
        )
    if params.get(MODEL_TYPE.id) == "transformer":
        return "Choose model_type=none"
    return (
        "Quantize it with the static int8 of ONNX Runtime, or keep the named layer in float"
        " (keep_float)"
    )


def check_quantized(source: Source, quantized: Any) -> None:
    """Raise InvalidFile if NNCF inserted no quantizer into a model."""
    if not source.quantizers(quantized):
        raise InvalidFile(
            "NNCF finds nothing to quantize in this model",
            remedy=(
                "Name other layers in `only`, or fewer in `keep_float`: only layers that"
                " multiply by weights are quantized"
            ),
        )


def note_bias_correction(
    source: Source, quantized: Any, params: Mapping[str, Any], context: Context
) -> None:
    """Note the number of biases that NNCF shifted, and the largest shift."""
    if params[BIAS.id] == "off":
        return
    before, after = source.stored(source.model), source.stored(quantized)
    shifts = [_shift(before[name], value) for name, value in after.items() if name in before]
    moved = [shift for shift in shifts if shift > 0]
    largest = f", the largest by {max(moved):.2g}" if moved else ""
    context.note("bias_correction", f"{params[BIAS.id]}: {len(moved)} biases shifted{largest}")


def _shift(before: Any, after: Any) -> float:
    return float(np.abs(before - after).max()) if before.shape == after.shape else 0.0
