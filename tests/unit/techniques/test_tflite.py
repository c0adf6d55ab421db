from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.tflite_files import is_constant, load_tflite, type_name
from tests import tiny

HALF_A_STEP = 0.5001
STEPS = {8: 127, 4: 7}


def _weights(path: Path) -> dict[str, Any]:
    """Stored tensors of an interpreter by name: (values as stored, scales or None)."""
    model = load_tflite(path)
    found = {}
    for tensor in model.subgraphs[0].tensors:
        if is_constant(model, tensor):
            found[tensor.name.decode()] = (model.buffers[tensor.buffer], tensor)
    return found


def _restored(buffer: Any, tensor: Any, content: bytes) -> tuple[Any, Any]:
    """Real numbers and step of a quantized tensor, axes as stored, scales along the first axis."""
    raw = content[buffer.offset : buffer.offset + buffer.size] if buffer.size > 1 else bytes(buffer.data)
    packed = np.frombuffer(raw, np.int8)
    if type_name(tensor) == "INT4":
        packed = np.stack([(packed << 4).astype(np.int8) >> 4, packed >> 4], axis=1).ravel()
    shape = [int(size) for size in tensor.shape]
    step = np.asarray(tensor.quantization.scale).reshape(-1, *[1] * (len(shape) - 1))
    return packed[: np.prod(shape)].reshape(shape) * step, step


@pytest.mark.parametrize(
    ("technique", "bits"),
    [
        ("dynamic_wi8_afp32", 8),
        ("weight_only_wi8", 8),
        ("weight_only_wi4", 4),
        ("static_wi8_ai8", 8),
        ("static_wi8_ai16", 8),
    ],
)
@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_are_within_half_a_step(
    technique: str, bits: int, per_channel: bool, tiny_tflite: Path, tmp_path: Path
) -> None:
    file = tiny.apply(f"tflite_{technique}", tiny_tflite, tmp_path, per_channel=per_channel)
    found, content = _weights(file), file.read_bytes()
    for name in ("conv", "dense"):
        buffer, tensor = found[name]
        wanted = tiny.weights()[name]
        restored, step = _restored(buffer, tensor, content)
        assert type_name(tensor) == f"INT{bits}"
        assert (np.abs(restored - wanted) <= HALF_A_STEP * step).all()
        assert step.max() == pytest.approx(np.abs(wanted).max() / STEPS[bits], rel=1e-3)


def test_sizes_follow_the_bits(tmp_path: Path) -> None:
    wide = tiny.write_tflite(tmp_path / "wide.tflite", filters=512)
    count = tiny.weights(512)["conv"].size + tiny.weights(512)["dense"].size
    for name, bits in (("fp16", 16), ("weight_only_wi8", 8), ("weight_only_wi4", 4), ("dynamic_wi8_afp32", 8)):
        one_scale = {} if name == "fp16" else {"per_channel": False}
        size = tiny.apply(f"tflite_{name}", wide, tmp_path / name, **one_scale).stat().st_size
        assert size == pytest.approx(count * bits / 8, abs=5000)


def test_files_of_older_converters_have_no_signature(tmp_path: Path) -> None:
    source, x = tiny.write_tflite(tmp_path / "old.tflite", signature=False), tiny.items(100)
    outputs = tiny.answers("litert", tiny.apply("tflite_static_wi8_ai8", source, tmp_path / "out"), x)
    assert np.corrcoef(outputs.ravel(), tiny.answers("litert", source, x).ravel())[0, 1] > 0.99


def test_the_extremes_cut_nothing_off_and_the_average_does(tiny_tflite: Path, tmp_path: Path) -> None:
    x = tiny.items(200)
    float_ = tiny.answers("litert", tiny_tflite, x)

    def error(method: str) -> float:
        file = tiny.apply("tflite_static_wi8_ai16", tiny_tflite, tmp_path / method, method=method)
        return float(np.abs(tiny.answers("litert", file, x) - float_).max())

    assert error("minmax") < error("average")


def test_calibration_items_with_channels_first_are_turned(tiny_tflite: Path, tmp_path: Path) -> None:
    from lab.options import validate
    from lab.registry import technique

    plug = technique("tflite_static_wi8_ai8")
    file = plug.apply(tiny_tflite, validate(plug.options, {}, plug.id), tiny.context(tmp_path / "first", True))
    assert file.read_bytes() == tiny.apply(plug.id, tiny_tflite, tmp_path / "last").read_bytes()


def test_quantizing_twice_is_refused(tiny_tflite: Path, tmp_path: Path) -> None:
    once = tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path / "once")
    with pytest.raises(InvalidFile, match="quantized already"):
        tiny.apply("tflite_static_wi8_ai8", once, tmp_path / "twice")


def test_progress_bars_stay_out_of_the_log(
    tiny_tflite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path)
    assert capsys.readouterr() == ("", "")
