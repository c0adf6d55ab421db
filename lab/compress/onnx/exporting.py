"""Export of PyTorch programs to ONNX models."""

from __future__ import annotations

from typing import Any


def exported_onnx(program: Any) -> Any:
    """Return the ModelProto of an ExportedProgram, without the exporter's metadata.

    onnxruntime's quantizer, which infers shapes itself, fails on the exported shapes; stack traces
    take a third of a small file and are useless on a device.
    """
    import torch

    from lab.formats.quiet import quiet

    with quiet():
        model = torch.onnx.export(program, dynamo=True, verbose=False).model_proto
    del model.graph.value_info[:]
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.input,
        *model.graph.output,
        *model.functions,
    ):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model
