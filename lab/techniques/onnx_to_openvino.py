"""ONNX -> OpenVINO, float or quantized, with a free batch axis where the ONNX file has one."""

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
    """OpenVINO 2026.4's CPU kernels answer noise where activations are 16-bit integers: 6 % of
    ResNet-8's 94 %.
    """
    from lab.formats.onnx.inspect import wide_quantizers

    if found := wide_quantizers(model):
        raise InvalidFile(
            "OpenVINO computes 16-bit integer activations wrongly on CPUs",
            given=f"{found[0]} and {len(found) - 1} more",
            allowed="activations in 8 bits or float",
            remedy="Run this file in ONNX Runtime",
        )


def _names(model: Any) -> Iterator[str]:
    """The names that OpenVINO may take over from an ONNX model."""
    for node in model.graph.node:
        yield from (node.name, *node.output)
    yield from (value.name for value in (*model.graph.input, *model.graph.initializer))


TECHNIQUE = Technique(
    id="onnx_to_openvino",
    title="ONNX to OpenVINO",
    help=(
        "Writes the ONNX model, float or quantized, as OpenVINO's graph and weights; no number"
        " changes."
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
