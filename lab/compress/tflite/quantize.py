"""Quantization of float TFLite files with ai-edge-quantizer, shared by its techniques."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.compress.tflite.calibration import Ranges, ranges, second_moments, together
from lab.compress.tflite.options import granularity, is_sensible
from lab.compress.tflite.refusals import check, check_stored
from lab.compress.tflite.rules import (
    EVERYTHING,
    NO_KERNEL,
    Rule,
    Widths,
    embeddings,
    everywhere,
    exactly,
    quantizer,
    supported,
)
from lab.compress.tflite.scope import Scope, part, schema_words, scope
from lab.errors import InvalidFile, InvalidOption
from lab.formats.quiet import quiet
from lab.formats.tflite.files import packed
from lab.plugs import Context

DEPTHWISE = "DEPTHWISE_CONV_2D"


def weights(
    source: Path, params: Mapping[str, Any], context: Context, bits: int, mode: str
) -> Path:
    """Quantize the weights only, or also the activations while the model runs.

    Args:
        mode: "weight_only" or "dynamic".
    """
    how = Widths(
        mode,
        bits,
        granularity=granularity(params),
        symmetric=params.get("symmetric", True),
        algorithm=params.get("algorithm", "minmax"),
    )
    return _quantized(source, how, params, context)


def half(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    """Store the weights as 16-bit floats."""
    return _quantized(
        source,
        Widths("weight_only", 16, granularity="TENSORWISE", algorithm="fp16"),
        params,
        context,
    )


def static(
    source: Path, params: Mapping[str, Any], context: Context, bits: int, activation_bits: int
) -> Path:
    """Quantize weights to 4 or 8 bits and activations to 8 or 16, with ranges from calibration
    data.

    An embedding has no static form: its table is stored in integers, its output is float until the
    next operator.
    """
    how = Widths(
        "static",
        bits,
        activation_bits,
        granularity(params),
        algorithm=params["algorithm"],
        symmetric_activations=params.get("symmetric_activations", False),
    )
    return _quantized(source, how, params, context)


def _quantized(source: Path, how: Widths, params: Mapping[str, Any], context: Context) -> Path:
    if not is_sensible(params):
        raise _contradiction(params)
    model, content = float_content(source)
    selection = scope(source, model, params)
    if not check(selection, how, params):
        context.note("quantized", "nothing: none of the chosen layers can be quantized in this way")
        return _written(content, context)
    _note(how, selection, context)
    content = packed(model, content) if part(model, selection) else content
    rules = _rules(how, selection, params)
    statistics = _statistics(content, rules, how, params, context)
    return check_stored(_written(_run(content, rules, statistics), context))


def _contradiction(params: Mapping[str, Any]) -> InvalidOption:
    given = {
        id_: params[id_]
        for id_ in ("per_channel", "block_size", "algorithm", "symmetric")
        if id_ in params
    }
    return InvalidOption(
        "These options do not go together",
        given=given,
        remedy=(
            "A block_size needs per_channel and an algorithm other than mse; asymmetric weights"
            " need the algorithm minmax"
        ),
    )


def _rules(how: Widths, selection: Scope, params: Mapping[str, Any]) -> list[Rule]:
    """Return the rules for the library, from the general to the specific."""
    rules = everywhere(how)
    if (
        how.mode == "static" and how.bits < 8
    ):  # operators without a kernel for fewer bits get 8 bits
        rules = [
            *everywhere(replace(how, bits=8, algorithm="minmax")),
            *everywhere(how, EVERYTHING[1:]),
        ]
    if how.mode == "static":
        rules += [
            *embeddings(how),
            *_wide(how, selection),
            *_borders(how, selection, params.get("io", "")),
        ]
    if _needs_channels(how):
        rules.append(Rule(EVERYTHING[3], DEPTHWISE, replace(how, granularity="CHANNELWISE")))
    left = selection.named("float")
    return [*rules, Rule(exactly(left), "*", None)] if left else rules


def _wide(how: Widths, selection: Scope) -> list[Rule]:
    """Return rules for 16-bit activations of the chosen layers."""
    chosen = selection.named("wide")
    return (
        everywhere(replace(how, activation_bits=16), (exactly(chosen), f"(?:{exactly(chosen)})"))
        if chosen
        else []
    )


def _borders(how: Widths, selection: Scope, io: str) -> list[Rule]:
    """Return rules for the model's input and output: as wide as the layer there, or of the
    requested type.
    """
    rules = []
    for kind, fate in (("INPUT", selection.input), ("OUTPUT", selection.output)):
        if fate == "float" or io == "float32":
            rules.append(Rule(EVERYTHING[3], kind, None))
        elif fate == "wide":
            rules.append(
                Rule(EVERYTHING[3], kind, replace(how, activation_bits=16, algorithm="minmax"))
            )
        elif io == "uint8":
            rules.append(Rule(EVERYTHING[3], kind, Widths("static", 8, 8, unsigned=True)))
    return rules


def _needs_channels(how: Widths) -> bool:
    """Return whether depthwise convolutions need one scale per channel: LiteRT 2.3 computes noise
    with any other for float activations.
    """
    return how.mode == "dynamic" and how.granularity == "TENSORWISE" and DEPTHWISE in supported(how)


def _note(how: Widths, selection: Scope, context: Context) -> None:
    if _needs_channels(how) and DEPTHWISE in selection.kinds("quantized"):
        context.note(
            "per_tensor",
            "depthwise convolutions keep one scale per channel: LiteRT supports no other here",
        )
    if how.mode == "dynamic" and how.bits == 4 and how.algorithm not in ("minmax", "gptq"):
        context.note(
            "without XNNPACK",
            "LiteRT's own 4-bit kernels misread the integer -8, which this algorithm uses",
        )
    if lost := selection.kinds("quantized") & NO_KERNEL.get((how.mode, how.bits), frozenset()):
        context.note(
            "left in float",
            f"{schema_words(lost)}: LiteRT has no kernel for {how.bits}-bit weights there",
        )


def _statistics(
    content: bytes, rules: Sequence[Rule], how: Widths, params: Mapping[str, Any], context: Context
) -> Ranges | None:
    """Return the statistics from calibration items, for techniques that use any."""
    if "calibration_samples" not in params:
        return None
    x = context.calibration(params["calibration_samples"])
    activation_ranges = ranges(content, x, params["method"]) if how.mode == "static" else {}
    return (
        together(activation_ranges, second_moments(content, x, rules))
        if how.algorithm in ("gptq", "oscar")
        else activation_ranges
    )


def float_content(source: Path) -> tuple[Any, bytes]:
    """Return a float TFLite file as an object, and its content with a signature and unique names.

    Raises:
        InvalidFile: the file is no TFLite file, or is quantized already.
    """
    from lab.formats.tflite.files import load_tflite, quantized_weights, signed

    model = load_tflite(source)
    if quantized_weights(model):
        raise InvalidFile(
            "This TFLite file is quantized already",
            allowed="a float TFLite file",
            given=str(source),
        )
    content = signed(model, source.read_bytes())
    return model, content


def _run(content: bytes, rules: Sequence[Rule], statistics: Ranges | None) -> bytes:
    try:
        with quiet():
            result = quantizer(content, rules).quantize(
                statistics, enable_progress_bar=False, enable_progress_report=False
            )
    except (ValueError, RuntimeError, TypeError, KeyError) as error:
        raise InvalidFile(
            f"ai-edge-quantizer refuses this: {str(error).strip()[:600]}",
            remedy=(
                "Keep the named operator in float (keep_float), or choose per_channel, 8 bits"
                " and the algorithm minmax"
            ),
        ) from error
    return bytes(result.quantized_model)


def _written(content: bytes, context: Context) -> Path:
    target = context.workdir / "model.tflite"
    target.write_bytes(content)
    return target
