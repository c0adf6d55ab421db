"""ONNX -> OpenVINO, float or quantized, with a free batch axis if the ONNX file has one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.onnx.files import load_onnx
    from lab.formats.openvino_ir.files import openvino, reason, write_openvino
    from lab.formats.quiet import quiet

    read = load_onnx(source)
    names = frozenset(_names(read))
    _check_widths(read, source)
    try:
        with quiet():
            model = openvino().convert_model(str(source))
    except Exception as error:
        raise InvalidFile(
            f"OpenVINO cannot convert this ONNX file: {reason(error)}",
            given=source.name,
            remedy="Run it in ONNX Runtime, or choose another technique",
        ) from error
    return write_openvino(model, context.workdir / "model.zip", names)


def _check_widths(model: Any, source: Path) -> None:
    """Reject 16-bit integer activations, for which OpenVINO 2026.4's CPU kernels output noise:
    ResNet-8 drops from 94 % to 6 %.
    """
    from lab.formats.onnx.inspect import wide_quantizers

    if wide := wide_quantizers(model):
        raise InvalidFile(
            "OpenVINO computes wrong results for 16-bit integer activations on CPUs",
            given=f"{wide[0]} and {len(wide) - 1} more",
            allowed="activations in 8 bits or float",
            remedy="Run this file in ONNX Runtime",
        )


def _names(model: Any) -> Iterator[str]:
    """Yield the names that OpenVINO may take over from an ONNX model."""
    for node in model.graph.node:
        yield from (node.name, *node.output)
    yield from (value.name for value in (*model.graph.input, *model.graph.initializer))


TECHNIQUE = Technique(
    id="onnx_to_openvino",
    title="ONNX to OpenVINO",
    help=(
        "Converts the ONNX model, float or quantized, to OpenVINO's graph and weights. Weights are"
        " not changed."
    ),
    accepts=("onnx",),
    produces="openvino_ir",
    apply=_apply,
    toolchain="nncf",
    requires=("openvino", "onnx"),
    conversion=True,
    version=2,
    typical_s=0.5,
)
