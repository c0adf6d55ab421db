"""A file that is mostly a table of embeddings."""

from __future__ import annotations

from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, part
from lab.rules._words import percent, size, technique_for

LEAST = 0.4


def _find(case: Case) -> Finding | None:
    if case.baseline is None or case.anatomy is None or part(case.anatomy, "embeddings") < LEAST:
        return None
    share, table = part(case.anatomy, "embeddings"), case.anatomy.parts["embeddings"]
    text = (
        f"{percent(share)} of the file, {size(table)}, are embeddings: a table that is looked up,"
        " not multiplied."
    )
    technique = technique_for("embeddings", case.trial)
    remedy = f"Use {technique}; beyond that, fewer entries or shorter vectors make it smaller."
    return finding("embedding_dominates", "size", text, remedy, share, embeddings_bytes=table)


RULE = Rule(
    id="embedding_dominates",
    title="Embeddings dominate the file",
    help=(
        "An embedding is a table with a row of numbers for each word or letter. Many techniques"
        " quantize only what multiplies."
    ),
    find=_find,
)
