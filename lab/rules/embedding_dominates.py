"""A file that is mostly a table of embeddings."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import found, part
from lab.rules._words import percent, size

LEAST = 0.4
_SHRINKS = {
    "onnx": "Use onnx_weight_only_wi4 with embeddings on",
    "tflite": "Use tflite_weight_only_wi4 or tflite_dynamic_wi8_afp32, which take embeddings too",
    "openvino_ir": "Use nncf_openvino_weights with all_layers on",
}


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.anatomy is None or part(case.anatomy, "embeddings") < LEAST:
        return None
    share, table = part(case.anatomy, "embeddings"), case.anatomy.parts["embeddings"]
    text = (
        f"{percent(share)} of the file, {size(table)}, are embeddings: a table that is looked up,"
        " not multiplied."
    )
    shrinks = _SHRINKS.get(case.anatomy.format, "Choose a technique that quantizes embeddings")
    remedy = f"{shrinks}; beyond that, fewer entries or shorter vectors make it smaller."
    return found("embedding_dominates", "size", text, remedy, share, embeddings_bytes=table)


RULE = Rule(
    id="embedding_dominates",
    title="Embeddings dominate the file",
    help=(
        "An embedding is a table with a row of numbers for each word or letter. Many techniques"
        " quantize only what multiplies."
    ),
    find=_find,
)
