"""pt2e quantization (torchao.quantization.pt2e) of a torch.export program for XNNPACK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.compress.torch.choosing import layers_left, nothing_left
from lab.errors import InvalidFile
from lab.formats.executorch.files import bound_to_one, write_executorch
from lab.plugs import Context

_REMEDIES = {
    False: "Keep the layer in float, or choose FX quantization, ONNX or TFLite",
    True: (
        "Choose scope=dense, which keeps convolutions in float, or FX quantization, ONNX or TFLite"
    ),
}


def write_integers(
    program: Any, params: Mapping[str, Any], batches: Iterator[Any], context: Context, dynamic: bool
) -> Path:
    """Quantize a program and write it as an ExecuTorch program with batch size one.

    Args:
        params: per_channel (dynamic quantization supports nothing else), the options that choose
            layers, and the scope of dynamic quantization.
        batches: tensors of calibration items; one is enough for dynamic quantization.

    Raises:
        InvalidOption: the options name a layer that the program does not have, or leave nothing to
            quantize.
        InvalidFile: the quantizer supports no operator of the program, or torch or ExecuTorch
            rejects one.
    """
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from lab.formats.torch_export.files import example

    quantizer = _quantizer(program, params, dynamic)
    watched = prepare_pt2e(program.module(check_guards=False), quantizer)
    if not any(
        node.op == "call_module" and "activation_post_process" in node.target
        for node in watched.graph.nodes
    ):
        raise _nothing(program, params, dynamic)
    with torch.no_grad():
        for batch in batches:
            watched(batch)
        integers = convert_pt2e(watched)
    return write_executorch(
        bound_to_one(integers, example(program, 1)), context, _REMEDIES[dynamic]
    )


def _quantizer(program: Any, params: Mapping[str, Any], dynamic: bool) -> Any:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )

    from lab.formats.torch_export.layers import layer_of_node

    layer_of = layer_of_node(program)
    left = layers_left(program, layer_of, params)
    config = get_symmetric_quantization_config(
        is_per_channel=params.get("per_channel", True), is_dynamic=dynamic
    )
    kept = "conv" if params.get("scope") == "dense" else "nothing"
    wanted = lambda node: layer_of.get(node.name) not in left and kept not in str(node.target)  # noqa: E731
    return XNNPACKQuantizer().set_global(config).set_filter_function(wanted)


def _nothing(program: Any, params: Mapping[str, Any], dynamic: bool) -> Exception:
    from lab.formats.torch_export.layers import layer_of_node

    if params["keep_float"] or params["only"]:
        return nothing_left(params, list(dict.fromkeys(layer_of_node(program).values())))
    supported_operators = (
        "linear and 2-D convolution"
        if dynamic
        else "convolution, linear, add, mul, cat, adaptive average pooling"
    )
    return InvalidFile(
        "XNNPACK's quantizer knows no operator of this model",
        allowed=supported_operators,
        given=sorted({str(n.target) for n in program.graph.nodes if n.op == "call_function"}),
        remedy="Choose an ONNX or TFLite technique",
    )
