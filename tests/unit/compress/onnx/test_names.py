"""Names are shortened without a change to what is computed, also in graphs within graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from lab.compress.onnx.names import shorten


def branching() -> onnx.ModelProto:
    """y = x + (big if sum(x) > 0 else -big): both branches read a tensor of the outer graph, and
    one has a constant of its own.
    """
    value = helper.make_tensor_value_info
    then = helper.make_graph(
        [
            helper.make_node(
                "Add",
                ["a_very_long_name_of_x", "a_long_constant"],
                ["a_long_result"],
                name="then/add",
            )
        ],
        "then",
        [],
        [value("a_long_result", TensorProto.FLOAT, [3])],
    )
    other = helper.make_graph(
        [
            helper.make_node(
                "Sub", ["a_very_long_name_of_x", "a_constant_of_its_own"], ["another_long_result"]
            )
        ],
        "else",
        [],
        [value("another_long_result", TensorProto.FLOAT, [3])],
        [numpy_helper.from_array(np.full(3, 7.0, np.float32), "a_constant_of_its_own")],
    )
    nodes = [
        helper.make_node(
            "Identity",
            ["x"],
            ["a_very_long_name_of_x"],
            name="layers/0/identity",
            doc_string="made by hand",
        ),
        helper.make_node("ReduceSum", ["x"], ["the_long_sum"], keepdims=0),
        helper.make_node("Greater", ["the_long_sum", "a_long_zero"], ["a_long_condition"]),
        helper.make_node("If", ["a_long_condition"], ["y"], then_branch=then, else_branch=other),
    ]
    constants = [
        numpy_helper.from_array(np.full(3, 5.0, np.float32), "a_long_constant"),
        numpy_helper.from_array(np.float32(0), "a_long_zero"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, [3])],
        [value("y", TensorProto.FLOAT, [3])],
        constants,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, doc_string="long words"
    )


def answers(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(["y"], {"x": x})[0])


def test_the_same_is_computed_with_short_names(tmp_path: Path) -> None:
    model, short = branching(), branching()
    shorten(short)
    onnx.checker.check_model(short, full_check=True)
    for x in (np.array([1, 2, 3], np.float32), np.array([-1, -2, -3], np.float32)):
        assert np.array_equal(answers(model, x), answers(short, x))
    assert b"long" not in short.SerializeToString()
    assert b"made by hand" not in short.SerializeToString()
    assert short.ByteSize() < 0.75 * model.ByteSize()


def test_names_that_are_taken_are_not_given_again() -> None:
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("Neg", ["a"], ["inner"]), helper.make_node("Neg", ["inner"], ["b"])]
    graph = helper.make_graph(
        nodes, "g", [value("a", TensorProto.FLOAT, [1])], [value("b", TensorProto.FLOAT, [1])]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    shorten(model)
    assert [list(n.input) + list(n.output) for n in model.graph.node] == [["a", "c"], ["c", "b"]]
    shorten(model)
    assert [list(n.input) + list(n.output) for n in model.graph.node] == [["a", "c"], ["c", "b"]]
