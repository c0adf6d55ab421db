"""PyTorch programs as ONNX models."""

from __future__ import annotations

from typing import Any


def exported_onnx(program: Any) -> Any:
    """The ModelProto of an ExportedProgram, without what the exporter notes beside the model.

    Its inferred shapes make onnxruntime's quantizer stumble, which infers its own; its stack traces
    are a third of the
    size of a small file and nothing that a device needs.
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
