from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.plugs import TensorInfo
from lab.runtimes.litert import RUNTIME
from tests import tiny


def test_both_runtimes_answer_alike(tiny_onnx: Path, tiny_tflite: Path) -> None:
    x = tiny.items(30)
    np.testing.assert_allclose(tiny.answers("ort", tiny_onnx, x), tiny.answers("litert", tiny_tflite, x), atol=1e-5)


def test_the_batch_is_the_one_of_the_file(tiny_tflite: Path) -> None:
    assert RUNTIME.load(str(tiny_tflite), {}).input == TensorInfo((1, 8, 8, 3), "float32")


@pytest.mark.parametrize(
    ("technique", "dtype"), [("tflite_static_wi8_ai8", "int8"), ("tflite_static_wi8_ai16", "int16")]
)
def test_integers_at_the_border_stay_inside(technique: str, dtype: str, tiny_tflite: Path, tmp_path: Path) -> None:
    file, x = tiny.apply(technique, tiny_tflite, tmp_path), tiny.items(100)
    session = RUNTIME.load(str(file), {})
    assert session.input.dtype == session.prepare(x[:1]).dtype.name == dtype
    outputs = tiny.answers("litert", file, x)
    assert outputs.dtype == np.float32
    assert np.corrcoef(outputs.ravel(), tiny.answers("litert", tiny_tflite, x).ravel())[0, 1] > 0.99


def test_quantizing_rounds_and_clips(tiny_tflite: Path, tmp_path: Path) -> None:
    session = RUNTIME.load(str(tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path)), {})
    prepared = session.prepare(np.array([-1e9, 0.0, 1e9], dtype=np.float32))
    assert (prepared.min(), prepared.max()) == (-128, 127)


def test_without_xnnpack_it_answers_the_same(tiny_tflite: Path) -> None:
    x = tiny.items(1)
    on, off = (RUNTIME.load(str(tiny_tflite), {"xnnpack": flag}).run(x) for flag in (True, False))
    np.testing.assert_allclose(on, off, atol=1e-5)


def test_answers_outlive_the_next_run(tiny_tflite: Path) -> None:
    session, x = RUNTIME.load(str(tiny_tflite), {}), tiny.items(2)
    first = session.run(x[:1])
    kept = first.copy()
    session.run(x[1:])
    assert (first == kept).all()


def test_a_file_that_it_cannot_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"no model at all, only text")
    with pytest.raises(InvalidFile, match=r"LiteRT refuses.*broken\.tflite"):
        RUNTIME.load(str(tmp_path / "broken.tflite"), {})
