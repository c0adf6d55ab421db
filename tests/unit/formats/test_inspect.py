from __future__ import annotations

import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.inspect import detect_format, inspect
from tests import tiny

PARAMETERS = sum(value.size for value in tiny.weights().values())
MACS = tiny.SIDE**2 * tiny.FILTERS * 9 * tiny.CHANNELS + tiny.FILTERS * tiny.CLASSES


def test_an_onnx_file(tiny_onnx: Path) -> None:
    assert inspect(tiny_onnx, "onnx") == {
        "inputs": [{"name": "x", "shape": [None, 3, 8, 8], "dtype": "float32"}],
        "outputs": [{"name": "y", "shape": [None, 5], "dtype": "float32"}],
        "parameters": PARAMETERS,
        "macs": MACS,
        "operators": {"Conv": 1, "Relu": 1, "AveragePool": 1, "Flatten": 1, "Gemm": 1},
        "float_operators": {},
    }


def test_a_tflite_file(tiny_tflite: Path) -> None:
    assert inspect(tiny_tflite, "tflite") == {
        "inputs": [{"name": "x", "shape": [1, 8, 8, 3], "dtype": "float32"}],
        "outputs": [{"name": "y", "shape": [1, 5], "dtype": "float32"}],
        "parameters": PARAMETERS,
        "macs": MACS,
        "operators": {"CONV_2D": 1, "AVERAGE_POOL_2D": 1, "FULLY_CONNECTED": 1},
        "float_operators": {},
    }


ONNX = [
    ("onnx_fp16", {}),
    ("onnx_dynamic_int8", {}),
    ("onnx_static_int8", {}),
    ("onnx_static_wi8_ai16", {}),
    ("onnx_fuse", {}),
    ("onnx_weight_only_wi4", {"Conv": 1, "MatMulNBits": 1}),
]
TFLITE = [
    ("tflite_fp16", {}), ("tflite_dynamic_wi8_afp32", {}), ("tflite_static_wi8_ai8", {}),
    ("tflite_static_wi8_ai16", {}),
    ("tflite_weight_only_wi8", {"CONV_2D": 1, "FULLY_CONNECTED": 1}),
    ("tflite_weight_only_wi4", {"CONV_2D": 1, "FULLY_CONNECTED": 1}),
    ("tflite_weight_only_wi2", {"CONV_2D": 1, "FULLY_CONNECTED": 1}),
    ("tflite_dynamic_wi4_afp32", {}), ("tflite_dynamic_wi2_afp32", {"CONV_2D": 1}),
    ("tflite_gptq", {"CONV_2D": 1, "FULLY_CONNECTED": 1}), ("tflite_static_wi4_ai8", {}),
    ("tflite_static_wi4_ai16", {}),
]  # fmt: skip


@pytest.mark.parametrize(("technique", "left_in_float"), ONNX + TFLITE)
def test_variants_keep_their_weights_and_work_and_tell_what_stayed_float(
    technique: str,
    left_in_float: dict[str, int],
    tiny_onnx: Path,
    tiny_tflite: Path,
    tmp_path: Path,
) -> None:
    format_ = technique.split("_")[0]
    source = {"onnx": tiny_onnx, "tflite": tiny_tflite}[format_]
    found = inspect(tiny.apply(technique, source, tmp_path), format_)
    assert found["macs"] == MACS
    assert found["parameters"] == pytest.approx(PARAMETERS, abs=4)
    assert found["float_operators"] == left_in_float


def test_scales_of_blocks_are_no_weights(tmp_path: Path) -> None:
    source = tiny.write_tflite(tmp_path / "wide.tflite", filters=64)
    found = inspect(
        tiny.apply("tflite_dynamic_wi4_afp32", source, tmp_path / "out", block_size="32"), "tflite"
    )
    assert found["parameters"] == sum(value.size for value in tiny.weights(64).values())
    assert found["float_operators"] == {"CONV_2D": 1}


def test_layers_kept_in_float_are_told(tmp_path: Path, tiny_tflite: Path) -> None:
    file = tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path, keep_float=("y",))
    assert inspect(file, "tflite")["float_operators"] == {"FULLY_CONNECTED": 1}


def test_a_node_kept_out_of_quantization_is_named(tmp_path: Path, tiny_onnx: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(tiny_onnx, tmp_path / "part.onnx", nodes_to_exclude=["conv0"])
    assert inspect(tmp_path / "part.onnx", "onnx")["float_operators"] == {"Conv": 1}


def test_formats_that_nobody_looks_into_give_nothing(tmp_path: Path) -> None:
    assert inspect(tmp_path / "model.keras", "keras") == {}


def _zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "content " * 50)
    return path


def test_formats_are_told_from_content_alone(
    tmp_path: Path, tiny_onnx: Path, tiny_tflite: Path
) -> None:
    for source, format_ in ((tiny_onnx, "onnx"), (tiny_tflite, "tflite")):
        nameless = tmp_path / format_
        nameless.write_bytes(source.read_bytes())
        assert detect_format(nameless) == format_
    assert (
        detect_format(_zip(tmp_path / "k", "metadata.json", "config.json", "model.weights.h5"))
        == "keras"
    )
    assert (
        detect_format(_zip(tmp_path / "t", "m/archive_format", "m/models/model.json"))
        == "torch_export"
    )


def test_an_hdf5_file_needs_its_architecture(tmp_path: Path) -> None:
    import h5py

    for name, attribute in (("whole", "model_config"), ("weights", "layer_names")):
        with h5py.File(tmp_path / name, "w") as file:
            file.attrs[attribute] = "{}"
    assert detect_format(tmp_path / "whole") == "keras"
    with pytest.raises(InvalidFile, match=r"without an architecture.*model\.save"):
        detect_format(tmp_path / "weights")


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_files_that_are_no_models(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros(3))
    written = {
        "empty.onnx": b"",
        "text.tflite": b"hello, world",
        "noise": np.random.default_rng(0).bytes(999),
    }
    junk = [_write(tmp_path / name, content) for name, content in written.items()]
    junk += [tmp_path / "data.npz", tmp_path / "absent", tmp_path]
    for path in junk:
        with pytest.raises(InvalidFile, match=r"a model of Keras .*ONNX .* TFLite"):
            detect_format(path)


@pytest.mark.parametrize("kind", ["onnx", "tflite", "zip", "hdf5"])
def test_half_a_file_is_called_damaged(
    kind: str, tmp_path: Path, tiny_onnx: Path, tiny_tflite: Path
) -> None:
    import h5py

    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file.attrs["model_config"] = "{}" * 5000
    whole = {
        "onnx": tiny_onnx,
        "tflite": tiny_tflite,
        "hdf5": tmp_path / "whole.h5",
        "zip": _zip(tmp_path / "k", "config.json", "model.weights.h5"),
    }[kind]
    content = whole.read_bytes()
    with pytest.raises(InvalidFile, match="damaged"):
        detect_format(_write(tmp_path / "half", content[: len(content) // 2]))


def test_pickles_are_named_and_never_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, ("raise SystemExit('executed')",))

    plain, zipped = (
        _write(tmp_path / "model.pt", pickle.dumps(Bomb())),
        _zip(tmp_path / "m.pt", "m/data.pkl", "m/version"),
    )
    for path in (plain, zipped):
        with pytest.raises(InvalidFile, match=r"pickle.*torch\.export\.save"):
            detect_format(path)


def test_telling_a_format_loads_no_framework(tiny_onnx: Path, tiny_tflite: Path) -> None:
    code = (
        "import sys; from lab.formats.inspect import detect_format, inspect;"
        f"[inspect(p, detect_format(p)) for p in ({str(tiny_onnx)!r}, {str(tiny_tflite)!r})];"
        "print(sorted({'torch', 'tensorflow', 'keras', 'onnxruntime', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
