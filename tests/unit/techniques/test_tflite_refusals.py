"""Calibration, inputs and outputs of quantized TFLite files, and models that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.tflite.files import load_tflite, packed
from lab.options import validate
from lab.registry import technique
from tests import stored, tiny
from tests.unit.techniques.test_tflite import wide_tflite as wide_tflite


def test_files_of_older_converters_have_no_signature(tmp_path: Path) -> None:
    source, x = tiny.write_tflite(tmp_path / "old.tflite", signature=False), tiny.items(100)
    outputs = tiny.answers(
        "litert", tiny.apply("tflite_static_wi8_ai8", source, tmp_path / "out"), x
    )
    assert np.corrcoef(outputs.ravel(), tiny.answers("litert", source, x).ravel())[0, 1] > 0.99


def test_the_extremes_cut_nothing_off_and_the_average_does(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    x = tiny.items(200)
    float_ = tiny.answers("litert", tiny_tflite, x)

    def error(method: str) -> float:
        file = tiny.apply("tflite_static_wi8_ai16", tiny_tflite, tmp_path / method, method=method)
        return float(np.abs(tiny.answers("litert", file, x) - float_).max())

    assert error("minmax") < error("average")


def test_calibration_items_with_channels_first_are_turned(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    plug = technique("tflite_static_wi8_ai8")
    file = plug.apply(
        tiny_tflite, validate(plug.options, {}, plug.id), tiny.context(tmp_path / "first", True)
    )
    assert file.read_bytes() == tiny.apply(plug.id, tiny_tflite, tmp_path / "last").read_bytes()


@pytest.mark.parametrize(
    ("id_", "io", "type_"),
    [
        ("tflite_static_wi8_ai8", "int8", "INT8"),
        ("tflite_static_wi8_ai8", "uint8", "UINT8"),
        ("tflite_static_wi8_ai8", "float32", "FLOAT32"),
        ("tflite_static_wi4_ai8", "uint8", "UINT8"),
        ("tflite_static_wi8_ai16", "int16", "INT16"),
        ("tflite_static_wi4_ai16", "float32", "FLOAT32"),
    ],
)
def test_inputs_and_outputs_are_of_the_type_that_was_asked_for(
    id_: str, io: str, type_: str, tiny_tflite: Path, tmp_path: Path
) -> None:
    file = tiny.apply(id_, tiny_tflite, tmp_path, io=io)
    graph = stored.load(file).subgraphs[0]
    assert [stored.NAMES[graph.tensors[n].type] for n in (*graph.inputs, *graph.outputs)] == [
        type_,
        type_,
    ]
    x = tiny.items(100)
    outputs, float_ = (tiny.answers("litert", path, x) for path in (file, tiny_tflite))
    assert np.corrcoef(outputs.ravel(), float_.ravel())[0, 1] > 0.95


def test_symmetric_activations_have_no_zero_point(tiny_tflite: Path, tmp_path: Path) -> None:
    for symmetric in (True, False):
        file = tiny.apply(
            "tflite_static_wi8_ai8",
            tiny_tflite,
            tmp_path / str(symmetric),
            symmetric_activations=symmetric,
        )
        graph = stored.load(file).subgraphs[0]
        relu = next(t for t in graph.tensors if t.name == b"relu")
        assert (list(relu.quantization.zeroPoint) == [0]) is symmetric


# --- refusals -------------------------------------------------------------------------------------


def test_quantizing_twice_is_refused(tiny_tflite: Path, wide_tflite: Path, tmp_path: Path) -> None:
    for name, source, params in (
        ("weight_only_wi8", tiny_tflite, {}),
        ("dynamic_wi4_afp32", wide_tflite, {"block_size": "32"}),
    ):
        once = tiny.apply(f"tflite_{name}", source, tmp_path / name, **params)
        with pytest.raises(InvalidFile, match="quantized already"):
            tiny.apply("tflite_static_wi8_ai8", once, tmp_path / "twice")


def test_blocks_that_do_not_fit_name_the_layer(
    tiny_tflite: Path, wide_tflite: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InvalidFile,
        match=(
            r"FULLY_CONNECTED 'y' have rows of 16, not a multiple of 32\. Allowed:"
            r" 0\..*keep_float: y"
        ),
    ):
        tiny.apply("tflite_dynamic_wi4_afp32", tiny_tflite, tmp_path, block_size="32")
    with pytest.raises(InvalidFile, match=r"rows of 64.*Allowed: 32, 64\."):
        tiny.apply("tflite_dynamic_wi4_afp32", wide_tflite, tmp_path, block_size="128")


@pytest.mark.parametrize(
    ("id_", "params"),
    [
        ("tflite_dynamic_wi4_afp32", {"block_size": "32", "per_channel": False}),
        ("tflite_dynamic_wi4_afp32", {"block_size": "32", "algorithm": "mse"}),
        ("tflite_weight_only_wi4", {"symmetric": False, "algorithm": "octav"}),
    ],
)
def test_options_that_contradict_each_other_are_no_trial(
    id_: str, params: dict[str, Any], wide_tflite: Path, tmp_path: Path
) -> None:
    plug = technique(id_)
    assert not plug.valid(validate(plug.options, params, id_))
    with pytest.raises(InvalidOption, match="do not go together"):
        tiny.apply(id_, wide_tflite, tmp_path, **params)


def test_what_cannot_be_quantized_so_is_refused_with_what_can(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InvalidFile,
        match=r"LiteRT has no kernel for CONV_2D.*Allowed: EMBEDDING_LOOKUP, FULLY_CONNECTED",
    ):
        tiny.apply("tflite_dynamic_wi2_afp32", tiny_tflite, tmp_path, operators=("CONV_2D",))
    with pytest.raises(InvalidFile, match=r"cannot quantize AVERAGE_POOL_2D.*Allowed: .*CONV_2D"):
        tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path, operators=("AVERAGE_POOL_2D",))
    with pytest.raises(
        InvalidOption,
        match=(
            r"no operator of that type.*AVERAGE_POOL_2D, CONV_2D, FULLY_CONNECTED.*TRANSPOSE_CONV"
        ),
    ):
        tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path, operators=("TRANSPOSE_CONV",))


def test_a_file_with_nothing_to_quantize_is_refused(tmp_path: Path) -> None:
    source = tiny.write_tflite(tmp_path / "tiny.tflite")
    model = load_tflite(source)
    del model.subgraphs[0].operators[2], model.subgraphs[0].operators[0]
    graph = model.subgraphs[0]
    graph.inputs, graph.outputs = graph.operators[0].inputs, graph.operators[0].outputs
    model.signatureDefs = None
    (tmp_path / "pool.tflite").write_bytes(packed(model, source.read_bytes()))
    with pytest.raises(
        InvalidFile,
        match=(
            r"No operator of this file can be quantized in this way \(4-bit weights alone.*Given:"
            r" 'AVERAGE_POOL_2D'.*8 bits"
        ),
    ):
        tiny.apply("tflite_weight_only_wi4", tmp_path / "pool.tflite", tmp_path / "out")
    with pytest.raises(InvalidFile, match=r"algorithm 'gptq' finds no operator.*FULLY_CONNECTED"):
        tiny.apply("tflite_gptq", tmp_path / "pool.tflite", tmp_path / "out")


def test_what_the_library_refuses_is_told_with_its_words(
    tiny_tflite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_edge_quantizer.quantizer import Quantizer

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("Failed to quantize bias tensor for op CONV_2D")

    monkeypatch.setattr(Quantizer, "quantize", refuse)
    with pytest.raises(InvalidFile, match=r"bias tensor for op CONV_2D.*keep_float"):
        tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path)


def test_weights_that_take_the_wrong_number_of_bytes_are_found_out(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    from lab.compress.tflite.refusals import check_stored

    file = tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path)
    assert check_stored(file) == file
    model = load_tflite(file)
    next(
        t for t in model.subgraphs[0].tensors if t.name == b"dense"
    ).type = stored.s.TensorType.INT4
    file.write_bytes(packed(model, file.read_bytes()))
    with pytest.raises(InvalidFile, match=r"number of bytes does not match.*'dense'"):
        check_stored(file)


def test_progress_bars_stay_out_of_the_log(
    tiny_tflite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for id_ in ("tflite_static_wi8_ai8", "tflite_gptq"):
        tiny.apply(id_, tiny_tflite, tmp_path / id_)
    assert capsys.readouterr() == ("", "")
