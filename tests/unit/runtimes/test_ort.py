from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.plugs import TensorInfo
from lab.runtimes.ort import RUNTIME
from tests import tiny


def test_a_free_batch_axis_takes_any_batch(tiny_onnx: Path) -> None:
    session = RUNTIME.load(str(tiny_onnx), {"threads": 1})
    assert session.input == TensorInfo((None, 3, 8, 8), "float32")
    x = tiny.items(7, channels_first=True)
    one_by_one = np.concatenate([session.run(session.prepare(x[i : i + 1])) for i in range(7)])
    np.testing.assert_allclose(session.run(session.prepare(x)), one_by_one, atol=1e-5)


def test_a_fixed_batch_is_known(tmp_path: Path) -> None:
    session = RUNTIME.load(str(tiny.write_onnx(tmp_path / "one.onnx", batch=1)), {})
    assert session.input.shape == (1, 3, 8, 8)
    assert tiny.answers("ort", tmp_path / "one.onnx", tiny.items(3)).shape == (3, tiny.CLASSES)


def test_input_is_cast_outside_the_timed_run(tiny_onnx: Path) -> None:
    prepared = RUNTIME.load(str(tiny_onnx), {}).prepare(np.zeros((1, 3, 8, 8), dtype=np.uint8))
    assert prepared.dtype == np.float32


def test_the_number_of_threads_changes_no_number(tiny_onnx: Path) -> None:
    x = tiny.items(4, channels_first=True)
    one, two = (RUNTIME.load(str(tiny_onnx), {"threads": n}).run(x) for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_a_file_that_it_cannot_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(InvalidFile, match=r"ONNX Runtime refuses.*broken\.onnx"):
        RUNTIME.load(str(tmp_path / "broken.onnx"), {})


def test_telemetry_is_off_before_the_import() -> None:
    RUNTIME.preload()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
