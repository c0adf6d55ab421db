"""Which nodes went into which, against fusions that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from lab.compress.onnx.fusion import fuse
from lab.formats.onnx.origins import origins, untouched, vanished
from tests import onnx_graphs as graphs


def _parts(before: Path, after: Path) -> dict[str, list[str]]:
    found = origins(onnx.load(str(before)).graph, onnx.load(str(after)).graph)
    return {origin.node.output[0]: [part.name for part in origin.parts] for origin in found}


def test_a_graph_that_nobody_rewrote_is_made_of_itself(tmp_path: Path) -> None:
    source = graphs.write_residual(tmp_path / "a.onnx")
    graph = onnx.load(str(source)).graph
    assert list(_parts(source, source).values()) == [[node.name] for node in graph.node]
    assert [o.parts for o in untouched(graph)] == [(node,) for node in graph.node]


def test_folded_normalisations_and_biases_are_told(tmp_path: Path) -> None:
    source = graphs.write_residual(tmp_path / "a.onnx")
    file, facts = fuse(source, "basic", tmp_path)
    assert facts["fused"] == {"Conv+Mul+Add": ["Conv", 1], "MatMul+Add": ["Gemm", 1]}
    parts = _parts(source, file)
    assert parts["n"] == ["conv", "norm_mul", "norm_add"]
    assert parts["y"] == ["dense", "bias"]
    main = {
        o.node.output[0]: o.main.name
        for o in origins(onnx.load(str(source)).graph, onnx.load(str(file)).graph)
    }
    assert (main["n"], main["y"], main["s"]) == ("conv", "dense", "sum")


def test_extended_fusions_are_told_with_counts_before_and_after(tmp_path: Path) -> None:
    source = graphs.write_residual(tmp_path / "a.onnx")
    file, facts = fuse(source, "extended", tmp_path)
    assert facts["fused"] == {"Conv+Mul+Add+Clip": ["FusedConv", 1], "MatMul+Add": ["Gemm", 1]}
    assert facts["operators_before"] == dict(graphs.operators(source))
    assert facts["operators_after"] == dict(sorted(graphs.operators(file).items()))
    assert facts["removed"] == facts["added"] == {}


def test_every_node_went_somewhere_at_every_level(tmp_path: Path) -> None:
    for source in (
        graphs.write_residual(tmp_path / "r.onnx"),
        graphs.write_attention(tmp_path / "a.onnx"),
    ):
        for level in ("basic", "extended", "all"):
            facts = fuse(source, level, tmp_path)[1]
            before, after = (
                sum(facts[f"operators_{when}"].values()) for when in ("before", "after")
            )
            swallowed = sum(
                count * (_size(pattern) - 1) for pattern, (_, count) in facts["fused"].items()
            )
            assert (
                before - swallowed - sum(facts["removed"].values()) + sum(facts["added"].values())
                == after
            )


def _size(pattern: str) -> int:
    return sum(
        int(part.split("×")[0]) if "×" in part else 1 for part in pattern.split(" → ")[0].split("+")
    )


def test_the_layout_of_this_cpu_is_told_by_its_name(tmp_path: Path) -> None:
    facts = fuse(graphs.write_residual(tmp_path / "a.onnx"), "all", tmp_path)[1]
    if "nchwc:Conv" not in facts["operators_after"]:
        pytest.skip("ONNX Runtime has no blocked layout for this CPU")
    assert facts["fused"]["Conv+Mul+Add+Clip"] == ["nchwc:Conv", 1]
    assert facts["fused"]["Conv+Add"] == [
        "nchwc:Conv",
        1,
    ]  # the depthwise convolution adds what is added to it


def test_a_quantized_file_shows_what_its_pairs_become(tmp_path: Path) -> None:
    source = graphs.apply(
        "onnx_static_int8", graphs.write_residual(tmp_path / "a.onnx"), tmp_path / "int8"
    )
    facts = fuse(source, "extended", tmp_path)[1]
    assert facts["operators_after"]["QLinearConv"] == 2
    assert facts["fused"]["3×DequantizeLinear+Conv+QuantizeLinear"] == ["QLinearConv", 2]
    assert "2×DequantizeLinear+Add+QuantizeLinear" in facts["fused"]


def test_what_is_computed_once_or_not_at_all_has_vanished(tmp_path: Path) -> None:
    nodes = [
        graphs.node("Identity", "x", "i", "same"),
        graphs.node("Add", "a a", "c", "known"),
        graphs.node("Relu", "i", "r", "relu"),
        graphs.node("Add", "r c", "y", "add"),
    ]
    source = graphs.write(tmp_path / "a.onnx", nodes, {"a": np.float32([1, 2])}, ["n", 2], ["n", 2])
    file, facts = fuse(source, "basic", tmp_path)
    assert graphs.operators(file) == {"Relu": 1, "Add": 1}
    gone = 4 - 2
    assert sum(facts["removed"].values()) + sum(_size(p) - 1 for p in facts["fused"]) == gone
    before, after = (onnx.load(str(f)).graph for f in (source, file))
    assert {n.name for n in vanished(before, origins(before, after))} <= {"same", "known"}
