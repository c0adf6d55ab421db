"""ONNX Runtime's own refusals, provoked with files, as errors that name the operator and what to
choose instead.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lab.errors import InvalidFile
from lab.formats.refusals import ORT, Refusal, refusal
from lab.runtimes.ort import RUNTIME
from tests import onnx_graphs as graphs

BFLOAT16 = TensorProto.BFLOAT16


def _model(
    path: Path,
    nodes: list[Any],
    stored: list[Any],
    kind: int,
    shape: list[Any],
    opset: int = 17,
    ir: int = 8,
    domains: tuple[str, ...] = ("com.microsoft",),
) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        stored,
    )
    imports = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(domain, 1) for domain in domains),
    ]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=ir), str(path))
    return path


def _blocks(path: Path, bits: int, block_size: int) -> Path:
    packed = numpy_helper.from_array(np.zeros((4, 1, block_size * bits // 8), np.uint8), "w")
    scales = numpy_helper.from_array(np.ones((4, 1), np.float32), "s")
    node = graphs.node(
        "MatMulNBits",
        "x w s",
        "y",
        "dense_Q",
        domain="com.microsoft",
        K=block_size,
        N=4,
        bits=bits,
        block_size=block_size,
    )
    return _model(path, [node], [packed, scales], TensorProto.FLOAT, ["n", block_size])


def _bfloat16(path: Path, opset: int) -> Path:
    weight = helper.make_tensor("w", BFLOAT16, [4, 3, 3, 3], [1.0] * 108)
    return _model(
        path,
        [graphs.node("Conv", "x w", "y", "conv0")],
        [weight],
        BFLOAT16,
        ["n", 3, 8, 8],
        opset,
        10,
    )


def _relu(path: Path, **versions: int) -> Path:
    return _model(
        path, [graphs.node("Relu", "x", "y", "relu0")], [], TensorProto.FLOAT, ["n", 4], **versions
    )


def _mixed(path: Path) -> Path:
    half = numpy_helper.from_array(np.ones(8, np.float16), "w")
    return _model(
        path, [graphs.node("Add", "x w", "y", "add0")], [half], TensorProto.FLOAT, ["n", 8]
    )


def _unknown(path: Path, domain: str) -> Path:
    node = graphs.node("Foo", "x", "y", "foo0", **({"domain": domain} if domain else {}))
    return _model(
        path, [node], [], TensorProto.FLOAT, ["n", 4], domains=(domain,) if domain else ()
    )


def _int16(path: Path) -> Path:
    scale, zero = (
        numpy_helper.from_array(np.float32(1), "s"),
        numpy_helper.from_array(np.uint16(0), "z"),
    )
    return _model(
        path,
        [graphs.node("QuantizeLinear", "x s z", "y", "q0")],
        [scale, zero],
        TensorProto.FLOAT,
        ["n", 4],
    )


def _junk(path: Path) -> Path:
    path.write_bytes(b"no model")
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], object, str, str]] = {
    "no kernel": (
        lambda p: _bfloat16(p, 22),
        "Conv (conv0)",
        "no kernel for Conv of version 22",
        "keep_float",
    ),
    "no such type": (
        lambda p: _bfloat16(p, 17),
        "Conv (conv0)",
        "Conv takes no bfloat16",
        "newer opset",
    ),
    "16-bit integers": (_int16, "QuantizeLinear (q0)", "takes no uint16", "need 21"),
    "two types": (
        _mixed,
        "Add (add0)",
        r"tensor\(float\) and tensor\(float16\)",
        "one technique only",
    ),
    "no such operator": (
        lambda p: _unknown(p, ""),
        "Foo (foo0)",
        "ONNX 17 has no operator Foo",
        "opset",
    ),
    "a custom operator": (
        lambda p: _unknown(p, "my.ops"),
        "Foo",
        "domain my.ops",
        "without custom operators",
    ),
    "opset": (lambda p: _relu(p, opset=99), None, "opset 99", "at most 26"),
    "IR version": (
        lambda p: _relu(p, ir=99),
        None,
        "IR version is 99, at most 1",
        "newer onnxruntime",
    ),
    "block size": (
        lambda p: _blocks(p, 4, 24),
        "MatMulNBits",
        "16, 32, 64, 128, and 256 weights, not of 24",
        "block_size",
    ),
    "bits": (lambda p: _blocks(p, 3, 32), "MatMulNBits", "2b, 4b and 8b only", "4 or 8 bits"),
    "no model": (_junk, None, "no ONNX file", "Export"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_refused_file_says_which_operator_and_what_to_choose_instead(
    why: str, tmp_path: Path
) -> None:
    make, given, problem, remedy = REFUSED[why]
    path = make(tmp_path / "refused.onnx")
    with pytest.raises(InvalidFile, match=f"ONNX Runtime refuses this file: .*{problem}") as caught:
        RUNTIME.load(str(path), {})
    assert caught.value.given == (given or str(path))
    assert remedy in caught.value.remedy


def test_an_integer_convolution_without_a_kernel_has_its_own_remedy() -> None:
    """As builds without the int8 kernel say it; the one that is installed here has it."""
    said = (
        "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for"
        " ConvInteger(10) node with name 'node_conv_quant'"
    )
    error = refusal("ONNX Runtime", said, "file.onnx", ORT)
    assert error.given == "ConvInteger (node_conv_quant)"
    assert "weight_type=uint8" in error.remedy
    assert "operators=" in error.remedy


def test_quantizing_what_is_fused_already_says_which_comes_first(tmp_path: Path) -> None:
    fused = graphs.apply(
        "onnx_fuse", graphs.write_residual(tmp_path / "a.onnx"), tmp_path / "fused"
    )
    with pytest.raises(
        InvalidFile, match=r"quantizer refuses this file: what makes k .*fused one"
    ) as caught:
        graphs.apply("onnx_static_int8", fused, tmp_path / "out", preprocess=False)
    assert "onnx_static_int8, then onnx_fuse" in caught.value.remedy


def test_what_fails_while_it_runs_is_named_too(tiny_onnx: Path) -> None:
    session = RUNTIME.load(str(tiny_onnx), {})
    with pytest.raises(InvalidFile, match="ONNX Runtime refuses this file"):
        session.run(np.zeros((1, 5, 8, 8), np.float32))


def test_an_operator_that_fails_while_it_runs(tmp_path: Path) -> None:
    nodes = [graphs.node("Reshape", "x shape", "y", "reshape0")]
    path = graphs.write(
        tmp_path / "a.onnx", nodes, {"shape": np.int64([7, -1])}, ["n", 4], ["m", "k"]
    )
    with pytest.raises(InvalidFile, match="Reshape fails while it runs") as caught:
        RUNTIME.load(str(path), {}).run(np.zeros((2, 4), np.float32))
    assert caught.value.given == "Reshape (reshape0)"


def test_what_nobody_foresaw_is_said_as_it_is_but_short() -> None:
    error = refusal("A library", "something   new\nhappened " + "x" * 999, "file", ORT)
    assert error.problem.startswith("A library refuses this file: something new happened")
    assert len(error.problem) < 500
    assert error.given == "file"


def test_other_libraries_have_tables_of_their_own() -> None:
    table = (
        Refusal(
            r"op (?P<type>\w+) is bad", "{type} is not known", lambda type_: f"Leave {type_} out"
        ),
    )
    error = refusal("Other", "node 3: op CAST is bad", "file", table)
    assert (error.problem, error.given, error.remedy) == (
        "Other refuses this file: CAST is not known",
        "CAST",
        "Leave CAST out",
    )
