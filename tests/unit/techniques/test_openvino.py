"""OpenVINO's conversion and 16-bit weights, against ONNX Runtime's answers and the numbers in the
files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.inspect import inspect
from tests import tiny

ALIKE_ON_BOTH = {"onnx_static_int8": 0.03, "onnx_dynamic_int8": 0.05, "onnx_fp16": 0.01}
"""How far answers of the same file may be apart on both runtimes, in shares of their span: integers
may round another way.
"""


def test_float_answers_are_onnx_runtimes(tiny_onnx: Path, tiny_openvino: Path) -> None:
    x = tiny.items(200)
    np.testing.assert_allclose(
        tiny.answers("openvino", tiny_openvino, x), tiny.answers("ort", tiny_onnx, x), atol=1e-4
    )


@pytest.mark.parametrize(
    ("technique", "params"),
    [
        ("onnx_static_int8", {"scheme": "u8s8"}),
        ("onnx_static_int8", {"scheme": "s8s8", "per_channel": True}),
        ("onnx_static_int8", {"scheme": "u8u8"}),
        ("onnx_dynamic_int8", {"weight_type": "uint8"}),
        ("onnx_dynamic_int8", {"weight_type": "uint8", "per_channel": True}),
        ("onnx_fp16", {}),
    ],
)
def test_quantized_onnx_files_answer_alike_in_both(
    technique: str, params: dict[str, Any], tiny_onnx: Path, tmp_path: Path
) -> None:
    file, x = tiny.apply(technique, tiny_onnx, tmp_path / "onnx", **params), tiny.items(100)
    ours = tiny.answers("openvino", tiny.apply("onnx_to_openvino", file, tmp_path / "openvino"), x)
    theirs = tiny.answers("ort", file, x)
    assert np.abs(ours - theirs).max() < ALIKE_ON_BOTH[technique] * np.ptp(theirs)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999


def test_static_integers_stay_integers(tiny_onnx: Path, tmp_path: Path) -> None:
    file = tiny.apply("onnx_static_int8", tiny_onnx, tmp_path / "onnx")
    found = inspect(tiny.apply("onnx_to_openvino", file, tmp_path / "openvino"), "openvino_ir")
    assert found["float_operators"] == {}
    assert found["operators"]["FakeQuantize"] >= 2


def test_a_free_batch_stays_free_and_a_fixed_one_fixed(tmp_path: Path) -> None:
    for batch, shape in (("n", None), (1, 1), (4, 4)):
        folder = tmp_path / str(batch)
        folder.mkdir()
        file = tiny.apply(
            "onnx_to_openvino", tiny.write_onnx(folder / "tiny.onnx", batch=batch), folder
        )
        assert inspect(file, "openvino_ir")["inputs"][0]["shape"][0] == shape
        assert tiny.answers("openvino", file, tiny.items(6)).shape == (6, tiny.CLASSES)


def test_an_operator_that_openvino_does_not_know_is_named(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(tiny.write_onnx(tmp_path / "tiny.onnx")))
    model.graph.node[1].op_type, model.graph.node[1].domain = "NoSuchOperator", "example.org"
    model.opset_import.append(onnx.helper.make_opsetid("example.org", 1))
    onnx.save(model, str(tmp_path / "strange.onnx"))
    with pytest.raises(InvalidFile, match="NoSuchOperator"):
        tiny.apply("onnx_to_openvino", tmp_path / "strange.onnx", tmp_path / "out")


def test_weights_of_16_bits_are_the_nearest(tiny_openvino: Path, tmp_path: Path) -> None:
    from lab.formats.openvino_ir.files import load_openvino

    half = load_openvino(tiny.apply("openvino_fp16", tiny_openvino, tmp_path))
    kernels = [
        op
        for op in half.get_ops()
        if op.get_type_name() == "Constant" and len(op.get_output_shape(0)) == 4
    ]
    kernel = max(kernels, key=lambda op: np.prod(op.get_output_shape(0)))
    wanted = tiny.weights()["conv"].transpose(0, 3, 1, 2)
    assert kernel.data.dtype == np.float16
    assert (kernel.data == wanted.astype(np.float16)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "technique", ["openvino_fp16", "nncf_openvino_static_int8", "nncf_openvino_weights"]
)
def test_quantizing_twice_is_refused(technique: str, tiny_openvino: Path, tmp_path: Path) -> None:
    once = tiny.apply("nncf_openvino_weights", tiny_openvino, tmp_path / "once")
    with pytest.raises(InvalidFile, match="quantized already"):
        tiny.apply(technique, once, tmp_path / "twice")


@pytest.mark.parametrize(
    ("technique", "params"),
    [("onnx_static_wi8_ai16", {}), ("onnx_static_int8", {"wide": ("conv0",)})],
)
def test_16_bit_activations_are_refused_rather_than_computed_wrongly(
    technique: str, params: dict[str, Any], tiny_onnx: Path, tmp_path: Path
) -> None:
    file = tiny.apply(technique, tiny_onnx, tmp_path / "onnx", **params)
    with pytest.raises(InvalidFile, match="Run this file in ONNX Runtime"):
        tiny.apply("onnx_to_openvino", file, tmp_path / "openvino")
