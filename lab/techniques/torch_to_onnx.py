"""PyTorch (torch.export) -> float ONNX with a free batch axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    import torch

    from lab.formats.quiet import quiet
    from lab.formats.torch_files import load_program, with_free_batch

    with quiet():
        exported = torch.onnx.export(with_free_batch(load_program(source)), dynamo=True, verbose=False).model_proto
    target = context.workdir / "model.onnx"
    target.write_bytes(_bare(exported).SerializeToString())
    return target


def _bare(model: Any) -> Any:
    """Drop what the exporter notes beside the model.

    Its inferred shapes make onnxruntime's quantizer stumble, which infers its own; its stack traces are a third of the
    size of a small file and nothing that a device needs.
    """
    del model.graph.value_info[:]
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.functions):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model


TECHNIQUE = Technique(
    id="torch_to_onnx",
    title="PyTorch to ONNX",
    help="Writes the exported PyTorch program as a float ONNX file that takes any batch; no number changes.",
    accepts=("torch_export",),
    produces="onnx",
    apply=_apply,
    toolchain="torch",
    requires=("torch", "onnxscript"),
    conversion=True,
    typical_s=10.0,
)
