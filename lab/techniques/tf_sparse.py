"""Sparse weight storage with TensorFlow's own converter: Keras -> float TFLite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.tflite.tf_converter import convert
from lab.formats.tflite.files import load_tflite
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    def prepare(tf: Any, converter: Any, model: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]

    file = convert(source, context, prepare)
    tensors = [tensor for graph in load_tflite(file).subgraphs for tensor in graph.tensors]
    sparse = sum(tensor.sparsity is not None for tensor in tensors)
    context.note(
        "sparse",
        (
            f"{sparse} weights are stored without their zeros"
            if sparse
            else "no weight has enough zeros; prune the model first"
        ),
    )
    return file


TECHNIQUE = Technique(
    id="tf_sparse",
    title="Sparse storage (TensorFlow)",
    help=(
        "Stores only the positions and values of nonzero elements in weights with many zeros, which"
        " makes the TFLite file of a pruned model smaller. LiteRT unpacks them when it loads the"
        " file. The weights are not changed."
    ),
    accepts=("keras",),
    produces="tflite",
    apply=_apply,
    name=lambda params: "sparse_tf",
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    presets=(),
    typical_s=7.0,
    purposes={"sparse_file": ""},
)
