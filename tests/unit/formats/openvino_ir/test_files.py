"""OpenVINO files: the bytes of the ZIP, what damaged ones say, and what the inspection counts by
other means.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.inspect import inspect
from lab.formats.layers import layer_table, total_macs
from lab.formats.openvino_ir.files import (
    GRAPH,
    WEIGHTS,
    load_openvino,
    mapped,
    node_names,
    openvino,
    write_openvino,
)
from lab.types import Layer
from tests import tiny

PLANE = 4 * tiny.SIDE**2 * tiny.FILTERS
CONV_MACS = tiny.SIDE**2 * tiny.FILTERS * 9 * tiny.CHANNELS


def converted(folder: Path) -> Path:
    return tiny.apply("onnx_to_openvino", tiny.write_onnx(folder / "tiny.onnx"), folder / "out")


def test_equal_models_give_equal_bytes_however_many_nodes_the_process_has_made(
    tmp_path: Path,
) -> None:
    files = []
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        files.append(converted(tmp_path / name).read_bytes())
        openvino().op.Constant(openvino().Type.f32, openvino().Shape([1]), [1.0])
    assert files[0] == files[1] == files[2]


def test_a_model_that_is_read_and_written_again_is_the_same_file(
    tiny_openvino: Path, tmp_path: Path
) -> None:
    model = load_openvino(tiny_openvino)
    again = write_openvino(model, tmp_path / "again.zip", node_names(model))
    assert again.read_bytes() == tiny_openvino.read_bytes()


def test_the_file_is_a_plain_zip_without_dates_versions_and_paths(
    tiny_openvino: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tiny_openvino) as archive:
        assert archive.testzip() is None
        members = {info.filename: info for info in archive.infolist()}
        graph = archive.read(GRAPH).decode()
    assert set(members) == {GRAPH, WEIGHTS}
    assert {info.compress_type for info in members.values()} == {zipfile.ZIP_STORED}
    assert {info.date_time for info in members.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert "ersion value" not in graph
    assert str(tmp_path.parent) not in graph
    assert "tiny.onnx" not in graph


def test_the_parts_are_what_openvino_itself_reads(tiny_openvino: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tiny_openvino) as archive:
        archive.extractall(tmp_path)
    model = (
        openvino()
        .Core()
        .compile_model(str(tmp_path / GRAPH), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    )
    x = tiny.items(5, channels_first=True)
    np.testing.assert_allclose(
        model(x.copy())[0], tiny.answers("openvino", tiny_openvino, x), atol=1e-5
    )


def test_weights_are_mapped_where_they_lie(tiny_openvino: Path) -> None:
    graph, weights = mapped(tiny_openvino)
    content = tiny_openvino.read_bytes()
    assert isinstance(weights, np.memmap)
    assert content[weights.offset : weights.offset + weights.size] == weights.tobytes()
    assert weights.offset % 64 == 0
    assert graph.encode() in content
    expected = tiny.weights()
    assert weights.size == 4 * sum(value.size for value in expected.values()) + _more(
        weights, expected
    )


def _more(weights: Any, expected: dict[str, Any]) -> int:
    """Bytes of shapes, which are no weights: they are few."""
    rest = weights.size - 4 * sum(value.size for value in expected.values())
    assert 0 <= rest < 100
    return rest


def test_names_from_the_source_stay_and_running_numbers_count_from_one(tiny_openvino: Path) -> None:
    names = node_names(load_openvino(tiny_openvino))
    assert {"conv0/WithoutBiases", "conv0", "relu0", "pool0", "y"} <= names
    numbers = [int(name.rsplit("_", 1)[1]) for name in names if name.rsplit("_", 1)[-1].isdigit()]
    assert all(number <= len(names) for number in numbers)


def test_a_node_whose_own_name_looks_like_a_running_number_keeps_it(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(tiny.write_onnx(tmp_path / "tiny.onnx")))
    model.graph.node[1].name = "Relu_900"
    onnx.save(model, str(tmp_path / "named.onnx"))
    file = tiny.apply("onnx_to_openvino", tmp_path / "named.onnx", tmp_path / "out")
    assert "Relu_900" in [layer.name for layer in layer_table(file, "openvino_ir")]


def test_the_weights_of_16_bits_are_half(tiny_openvino: Path, tmp_path: Path) -> None:
    half = tiny.apply("openvino_fp16", tiny_openvino, tmp_path)
    sizes = [mapped(file)[1].size for file in (tiny_openvino, half)]
    assert sizes[1] == pytest.approx(sizes[0] / 2, abs=100)


@pytest.mark.parametrize(
    "damage", ["cut", "no_weights", "no_graph", "compressed", "wrong_graph", "short_weights"]
)
def test_damaged_files_are_named(damage: str, tiny_openvino: Path, tmp_path: Path) -> None:
    target = tmp_path / "damaged.zip"
    graph, weights = mapped(tiny_openvino)
    parts = {GRAPH: graph.encode(), WEIGHTS: weights.tobytes()}
    changed = {
        "no_weights": {GRAPH: parts[GRAPH]},
        "no_graph": {WEIGHTS: parts[WEIGHTS]},
        "compressed": parts,
        "wrong_graph": {**parts, GRAPH: parts[GRAPH][:500]},
        "short_weights": {**parts, WEIGHTS: parts[WEIGHTS][:100]},
    }
    if damage == "cut":
        target.write_bytes(tiny_openvino.read_bytes()[:-200])
    else:
        kind = zipfile.ZIP_DEFLATED if damage == "compressed" else zipfile.ZIP_STORED
        with zipfile.ZipFile(target, "w", kind) as archive:
            for name, content in changed[damage].items():
                archive.writestr(name, content)
    with pytest.raises(InvalidFile, match=r"damaged\.zip"):
        load_openvino(target)


def test_an_extra_field_of_another_tool_moves_the_weights(
    tiny_openvino: Path, tmp_path: Path
) -> None:
    graph, weights = mapped(tiny_openvino)
    info = zipfile.ZipInfo(WEIGHTS)
    info.extra = struct.pack("<HH", 0xCAFE, 3) + b"abc"
    with zipfile.ZipFile(tmp_path / "moved.zip", "w") as archive:
        archive.writestr(GRAPH, graph)
        archive.writestr(info, weights.tobytes())
    assert mapped(tmp_path / "moved.zip")[1].tobytes() == weights.tobytes()


# --- what the inspection and the layer table say --------------------------------------------------


def test_a_table_whole(tiny_openvino: Path) -> None:
    shape = (tiny.FILTERS, tiny.SIDE, tiny.SIDE)
    assert layer_table(tiny_openvino, "openvino_ir") == [
        Layer(
            "conv0/WithoutBiases",
            "Convolution",
            shape,
            tiny.FILTERS * 9 * tiny.CHANNELS,
            CONV_MACS,
            PLANE,
        ),
        Layer("conv0", "Add", shape, tiny.FILTERS, 0, PLANE, ("conv0/WithoutBiases",)),
        Layer("relu0", "Relu", shape, 0, 0, PLANE, ("conv0",)),
        Layer("pool0", "AvgPool", (tiny.FILTERS, 1, 1), 0, 0, 4 * tiny.FILTERS, ("relu0",)),
        Layer(
            "gemm0/WithoutBiases",
            "MatMul",
            (tiny.CLASSES,),
            tiny.FILTERS * tiny.CLASSES,
            tiny.FILTERS * tiny.CLASSES,
            4 * tiny.CLASSES,
            ("pool0",),
        ),
        Layer(
            "y", "Add", (tiny.CLASSES,), tiny.CLASSES, 0, 4 * tiny.CLASSES, ("gemm0/WithoutBiases",)
        ),
    ]


def test_the_inspection_counts_what_the_onnx_file_has(tiny_onnx: Path, tiny_openvino: Path) -> None:
    ours, theirs = inspect(tiny_openvino, "openvino_ir"), inspect(tiny_onnx, "onnx")
    assert (ours["parameters"], ours["macs"]) == (theirs["parameters"], theirs["macs"])
    assert ours["inputs"] == [
        {"name": "x", "shape": [None, 3, tiny.SIDE, tiny.SIDE], "dtype": "float32"}
    ]
    assert ours["outputs"] == [{"name": "y", "shape": [None, tiny.CLASSES], "dtype": "float32"}]
    assert ours["float_operators"] == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("technique", "params"),
    [
        ("openvino_fp16", {}),
        ("nncf_openvino_static_int8", {}),
        ("nncf_openvino_weights", {"mode": "int8_sym"}),
        (
            "nncf_openvino_weights",
            {"mode": "int4_asym", "all_layers": True, "group_size": "channel"},
        ),
        ("nncf_openvino_weights", {"mode": "cb4", "all_layers": True, "group_size": "channel"}),
    ],
)
def test_packing_weights_changes_neither_their_number_nor_the_work(
    technique: str, params: dict[str, Any], tiny_openvino: Path, tmp_path: Path
) -> None:
    file = tiny.apply(technique, tiny_openvino, tmp_path, **params)
    found, layers = inspect(file, "openvino_ir"), layer_table(file, "openvino_ir")
    assert found["parameters"] == sum(value.size for value in tiny.weights().values())
    assert found["macs"] == CONV_MACS + tiny.FILTERS * tiny.CLASSES
    assert (sum(layer.parameters for layer in layers), total_macs(layers)) == (
        found["parameters"],
        found["macs"],
    )


def test_work_of_recurrence_attention_and_transposed_convolution() -> None:
    """Against formulas: nodes built by hand, without a file."""
    from lab.formats.openvino_ir.graph import macs

    op = openvino().opset13
    x = op.parameter([1, 6, 10, 10], np.float32)
    kernel = op.constant(np.zeros((6, 4, 3, 3), np.float32))
    turned = op.convolution_backprop_data(x, kernel, [2, 2])
    assert macs(turned) == 6 * 10 * 10 * 4 * 9
    query = op.parameter([1, 2, 7, 8], np.float32)
    keys = op.parameter([1, 2, 5, 8], np.float32)
    values = op.parameter([1, 2, 5, 3], np.float32)
    attention = op.scaled_dot_product_attention(query, keys, values)
    assert macs(attention) == 2 * 7 * 5 * 8 + 2 * 7 * 5 * 3
    sequence, hidden = op.parameter([1, 9, 4], np.float32), op.parameter([1, 1, 5], np.float32)
    weights = [
        op.constant(np.zeros(shape, np.float32)) for shape in ((1, 15, 4), (1, 15, 5), (1, 15))
    ]
    gru = op.gru_sequence(sequence, hidden, op.constant(np.array([9])), *weights, 5, "forward")
    assert macs(gru) == 9 * 3 * 5 * (4 + 5)
    weights = [
        op.constant(np.zeros(shape, np.float32)) for shape in ((1, 20, 4), (1, 20, 5), (1, 20))
    ]
    lstm = op.lstm_sequence(
        sequence, hidden, hidden, op.constant(np.array([9])), *weights, 5, "forward"
    )
    assert macs(lstm) == 9 * 4 * 5 * (4 + 5)
