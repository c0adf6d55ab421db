"""Files full of ONNX Runtime's own operators: as many weights and multiplications as the float file
that they came from.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lab.compress.onnx.fusion import fuse
from lab.formats.inspect import inspect
from lab.formats.layers import layer_table, total_macs
from lab.formats.onnx.inspect import shapes_of
from tests import onnx_graphs as graphs

WRITERS = [graphs.write_residual, graphs.write_attention, graphs.write_recurrent]
TECHNIQUES = [
    "",
    "onnx_static_int8",
    "onnx_dynamic_int8",
    "onnx_static_wi8_ai16",
    "onnx_weight_only_wi4",
]


@pytest.mark.parametrize("level", ["extended", "all"])
@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("write", WRITERS)
def test_a_fused_variant_multiplies_as_often_and_has_as_many_weights(
    write: Callable[[Path], Path], technique: str, level: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "source.onnx")
    variant = graphs.apply(technique, source, tmp_path / "variant") if technique else source
    file = fuse(variant, level, tmp_path)[0]
    found, wanted = inspect(file, "onnx"), inspect(source, "onnx")
    if _is_padded(file, found["macs"], wanted["macs"]):
        assert wanted["parameters"] < found["parameters"] <= 2 * wanted["parameters"]
    else:  # but for folded normalisations, and the copies of a bias that several share
        assert found["macs"] == wanted["macs"]
        assert found["parameters"] == pytest.approx(wanted["parameters"], abs=100)
    layers = layer_table(file, "onnx")
    assert total_macs(layers) == found["macs"]
    assert sum(layer.parameters for layer in layers) == found["parameters"]


def _is_padded(file: Path, found: int, wanted: int) -> bool:
    """Blocks as wide as this CPU's registers may hold more channels than the model has: then more
    is multiplied.
    """
    return (
        "nchwc" in {n.domain.rsplit(".")[-1] for n in onnx.load(str(file)).graph.node}
        and wanted < found <= 2 * wanted
    )


def _is_padded(file: Path, found: int, wanted: int) -> bool:
    """Blocks as wide as this CPU's registers may hold more channels than the model has: then more
    is multiplied.
    """
    blocked = any(node.domain.endswith("nchwc") for node in onnx.load(str(file)).graph.node)
    return blocked and wanted < found <= 2 * wanted


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("technique", ["", "onnx_static_int8", "onnx_weight_only_wi4"])
def test_shapes_are_those_that_onnxruntime_computes(
    write: Callable[[Path], Path], technique: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "source.onnx")
    variant = graphs.apply(technique, source, tmp_path / "variant") if technique else source
    file = fuse(variant, "extended", tmp_path)[0]
    wanted, shapes = _shapes(file, graphs.items(source, 1)), shapes_of(onnx.load(str(file)))
    assert {name: shapes.get(name) for name in wanted} == wanted


def _shapes(file: Path, x: Any) -> dict[str, tuple[int, ...]]:
    """Every activation's shape, from running the file with all of them as outputs."""
    import onnxruntime

    model = onnx.load(str(file))
    names = [tensor for node in model.graph.node for tensor in node.output if tensor]
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    outputs = session.run(None, {"x": x})
    return {
        info.name: np.shape(value)
        for info, value in zip(session.get_outputs(), outputs, strict=True)
    }


def test_products_by_blocks_count_as_float_unless_they_round_activations(tmp_path: Path) -> None:
    source = graphs.write_attention(tmp_path / "a.onnx")
    for level, float_ in ((0, {"MatMul": 2, "MatMulNBits": 4}), (4, {"MatMul": 2})):
        file = graphs.apply(
            "onnx_weight_only_wi4", source, tmp_path / str(level), accuracy_level=level
        )
        assert inspect(file, "onnx")["float_operators"] == float_


def test_layers_kept_in_float_are_listed(tmp_path: Path) -> None:
    source = graphs.write_residual(tmp_path / "a.onnx")
    file = graphs.apply(
        "onnx_static_int8", source, tmp_path / "out", keep_float=["conv", "depthwise"]
    )
    assert inspect(file, "onnx")["float_operators"] == {"Conv": 2}
