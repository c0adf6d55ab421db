"""ONNX Runtime's graph optimization written to a file, with a report of the fused operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.formats.onnx.files import load_onnx
from lab.formats.onnx.origins import Origin, origins, through, vanished
from lab.formats.onnx.sessions import open_session

_FULL, _BEFORE_FULL = "all", "extended"
_NCHWC, _REORDERING = "com.microsoft.nchwc", ("ReorderInput", "ReorderOutput")


def fuse(source: Path, level: str, workdir: Path) -> tuple[Path, dict[str, Any]]:
    """Write a file as optimized by ONNX Runtime.

    Args:
        level: "basic", "extended" or "all".

    Returns:
        the file, and a report: operator counts before and after; "fused": types of the parts,
        joined by "+" -> [type of the fused operator, count]; "removed" and "added": type -> count.

    Raises:
        InvalidFile: the file is no ONNX file, or ONNX Runtime rejects it.
    """
    before, target = load_onnx(source).graph, workdir / "model.onnx"
    node_origins = _optimized(source, before, level, target)
    if level == _FULL:  # its blocked layout renames tensors, so that two steps show more than one
        middle = _optimized(source, before, _BEFORE_FULL, workdir / "middle.onnx")
        node_origins = through(
            middle, origins(load_onnx(workdir / "middle.onnx").graph, load_onnx(target).graph)
        )
    return target, {"level": level, **_facts(before, node_origins)}


def _optimized(source: Path, before: Any, level: str, target: Path) -> list[Origin]:
    import onnx

    open_session(str(source), level=level, write_to=str(target))
    model = load_onnx(target)
    for node in model.graph.node:
        if (
            node.op_type in _REORDERING
        ):  # ONNX Runtime numbers them in an order that differs each time
            node.name = f"{node.op_type} {node.output[0]}"
    onnx.save(model, str(target))
    return origins(before, model.graph)


def _facts(before: Any, node_origins: list[Origin]) -> dict[str, Any]:
    return {
        "operators_before": _counts(before.node),
        "operators_after": _counts(origin.node for origin in node_origins),
        "fused": _fused(node_origins),
        "removed": _counts(vanished(before, node_origins)),
        "added": _counts(origin.node for origin in node_origins if not origin.parts),
    }


def _fused(node_origins: list[Origin]) -> dict[str, list[Any]]:
    """Return parts -> [type of the fused operator, count], the most frequent first."""
    pairs = Counter((_pattern(o.parts), type_of(o.node)) for o in node_origins if o.parts)
    changed = sorted(
        (pair for pair in pairs if pair[0] != pair[1]), key=lambda pair: (-pairs[pair], pair)
    )
    kinds = Counter(pattern for pattern, _ in changed)
    return {
        p if kinds[p] == 1 else f"{p} → {type_}": [type_, pairs[p, type_]] for p, type_ in changed
    }


def _pattern(parts: Iterable[Any]) -> str:
    """Join types by "+"; repeated types get their count."""
    counts = Counter(type_of(part) for part in parts)
    return "+".join(type_ if count == 1 else f"{count}×{type_}" for type_, count in counts.items())


def _counts(nodes: Iterable[Any]) -> dict[str, int]:
    return dict(sorted(Counter(map(type_of, nodes)).items()))


def type_of(node: Any) -> str:
    """Return a node's operator type, marked where its channels are blocked, which only kernels of
    this CPU read.
    """
    return f"nchwc:{node.op_type}" if node.domain == _NCHWC else str(node.op_type)
