"""Weights rounded once instead of each time: the model answers the same, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.compress.onnx.integers import store_integers


def _model(scale: Any, axis: int, clipped: bool, turned: bool) -> Any:
    """y = x (n, 6) · the rounded weight, which is stored as (4, 6) and transposed, or as (6, 4)."""
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).normal(size=(4, 6) if turned else (6, 4)).astype(np.float32)
    stored = {
        "w": weight,
        "s": np.asarray(scale, np.float32),
        "z": np.zeros_like(scale, dtype=np.int8),
        "low": np.int8(-100),
        "high": np.int8(100),
    }
    nodes = [helper.make_node("QuantizeLinear", ["w", "s", "z"], ["q"], axis=axis)]
    nodes += [helper.make_node("Clip", ["q", "low", "high"], ["c"])] if clipped else []
    nodes += [
        helper.make_node("DequantizeLinear", ["c" if clipped else "q", "s", "z"], ["d"], axis=axis)
    ]
    nodes += [helper.make_node("Transpose", ["d"], ["t"], perm=[1, 0])] if turned else []
    nodes += [helper.make_node("MatMul", ["x", "t" if turned else "d"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _answers(model: Any) -> Any:
    import onnxruntime

    x = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("many", [False, True])
def test_answers_stay_and_the_weight_is_eight_bits(clipped: bool, turned: bool, many: bool) -> None:
    import onnx

    scale = np.array([0.01, 0.02, 0.03, 0.04]) if many else np.array(0.01)
    model = _model(scale, 0 if turned else 1, clipped, turned)
    before = _answers(model)
    assert store_integers(model) == 1
    assert (_answers(model) == before).all()
    kinds = {tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) == 2}
    assert kinds == {onnx.TensorProto.INT8}
    assert [node.op_type for node in model.graph.node] == ["DequantizeLinear", "MatMul"]


def test_activations_are_left_alone(tmp_path: Path) -> None:
    from onnx import helper

    model = _model(np.array(0.01), 1, False, False)
    for node in model.graph.node:
        node.input[:] = ["x" if name == "w" else name for name in node.input]
    model.graph.node[2].CopyFrom(helper.make_node("Identity", ["d"], ["y"]))
    assert store_integers(model) == 0
    assert [node.op_type for node in model.graph.node] == [
        "QuantizeLinear",
        "DequantizeLinear",
        "Identity",
    ]
