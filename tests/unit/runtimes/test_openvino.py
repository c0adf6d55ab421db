from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.openvino_ir.files import openvino, write_openvino
from lab.plugs import TensorInfo
from lab.runtimes.openvino import RUNTIME
from tests import tiny


def test_a_free_batch_axis_takes_any_batch(tiny_openvino: Path) -> None:
    session = RUNTIME.load(str(tiny_openvino), {})
    assert (session.input, session.output) == (
        TensorInfo((None, 3, 8, 8), "float32"),
        TensorInfo((None, 5), "float32"),
    )
    x = tiny.items(7, channels_first=True)
    one_by_one = np.concatenate([session.run(session.prepare(x[i : i + 1])) for i in range(7)])
    assert (session.run(session.prepare(x)) == one_by_one).all()


def test_answers_outlive_the_next_run_and_items_stay_as_they_are(tiny_openvino: Path) -> None:
    session, x = RUNTIME.load(str(tiny_openvino), {}), tiny.items(2, channels_first=True)
    before, first = x.copy(), session.run(x[:1])
    kept = first.copy()
    session.run(x[1:])
    assert (first == kept).all()
    assert (x == before).all()


def test_the_weights_live_as_long_as_the_session(tiny_openvino: Path) -> None:
    x, sessions = (
        tiny.items(1, channels_first=True),
        [RUNTIME.load(str(tiny_openvino), {}) for _ in range(3)],
    )
    answers = [session.run(x) for session in sessions]
    assert all((answer == answers[0]).all() for answer in answers)


@pytest.mark.parametrize(
    "options", [{"threads": 2}, {"threads": 2, "hint": "throughput"}, {"hint": "throughput"}]
)
def test_threads_and_hints_change_no_number(options: dict[str, Any], tiny_openvino: Path) -> None:
    x = tiny.items(4, channels_first=True)
    plain, other = (RUNTIME.load(str(tiny_openvino), chosen).run(x) for chosen in ({}, options))
    np.testing.assert_allclose(plain, other, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "streams"), [({"threads": 2}, 1), ({"threads": 2, "hint": "throughput"}, 2)]
)
def test_throughput_gives_each_thread_a_stream(
    options: dict[str, Any], streams: int, tiny_openvino: Path
) -> None:
    compiled = RUNTIME.load(str(tiny_openvino), options)._request.get_compiled_model()
    assert compiled.get_property("NUM_STREAMS") == streams
    assert compiled.get_property("INFERENCE_NUM_THREADS") <= 2
    assert not compiled.get_property("ENABLE_CPU_PINNING")


def test_a_precision_that_the_cpu_lacks_is_refused(
    tiny_openvino: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Core:
        def get_property(self, device: str, name: str) -> list[str]:
            assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return ["FP32", "INT8"]

    from lab.runtimes import openvino as module

    core = module._core()
    monkeypatch.setattr(Core, "read_model", lambda self, *a: core.read_model(*a), raising=False)
    monkeypatch.setattr(module, "_core", Core)
    with pytest.raises(InvalidOption, match=r"Allowed: f32\. Given: 'bf16'"):
        RUNTIME.load(str(tiny_openvino), {"precision": "bf16"})


LIMIT, SCALE = 3.0, 0.002


def test_quantized_dense_layers_in_a_row_answer_as_they_should(tmp_path: Path) -> None:
    """OpenVINO 2026.4's fused kernel for them answers with noise, see `_workaround`; the oracle is
    numpy.
    """
    rng = np.random.default_rng(0)
    layers = [
        (
            rng.integers(-127, 128, (64, 64)).astype(np.int8),
            rng.uniform(0.5, 1.5, (1, 64)).astype(np.float32),
            rng.normal(scale=0.3, size=(1, 64)).astype(np.float32),
        )
        for _ in range(4)
    ]
    file, x = (
        dense_layers(layers, tmp_path / "dense.zip"),
        np.abs(rng.normal(size=(50, 64))).astype(np.float32),
    )
    wanted = x
    for kernel, factor, bias in layers:
        steps = np.clip(np.round(wanted / LIMIT * 255), 0, 255)
        wanted = np.maximum(
            steps * np.float32(LIMIT / 255) @ (kernel * np.float32(SCALE)) * factor + bias, 0
        )
    found = RUNTIME.load(str(file), {}).run(x)
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()


def dense_layers(layers: list[tuple[Any, Any, Any]], path: Path) -> Path:
    """FakeQuantize, a product with int8 weights, a scale by channel, a bias and ReLU, again and
    again; input (n, 64).
    """
    package = openvino()
    op, low, high = package.opset13, np.float32(0), np.float32(LIMIT)
    value = source = op.parameter([-1, 64], np.float32, name="x")
    for kernel, factor, bias in layers:
        real = op.multiply(
            op.convert(op.constant(kernel), "f32"), np.full((1, 64), SCALE, np.float32)
        )
        product = op.matmul(op.fake_quantize(value, low, high, low, high, 256), real, False, False)
        value = op.relu(op.add(op.multiply(product, op.constant(factor)), op.constant(bias)))
    return write_openvino(package.Model([value], [source], "dense"), path)


def test_a_file_that_it_cannot_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"no model")
    with pytest.raises(InvalidFile, match=r"OpenVINO file.*broken\.zip"):
        RUNTIME.load(str(tmp_path / "broken.zip"), {})


def test_other_free_axes_are_refused_with_a_remedy(tmp_path: Path) -> None:
    package = openvino()
    x = package.opset13.parameter([-1, -1], np.float32)
    file = write_openvino(
        package.Model([package.opset13.relu(x)], [x], "free"), tmp_path / "free.zip"
    )
    with pytest.raises(InvalidFile, match="fixed sizes"):
        RUNTIME.load(str(file), {})


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    package = openvino()
    a, b = (package.opset13.parameter([1, 4], np.float32, name=name) for name in "ab")
    model = package.Model([package.opset13.add(a, b)], [a, b], "two")
    for value, name in zip(model.inputs, "ab", strict=True):
        value.get_tensor().set_names({name})
    with pytest.raises(InvalidFile, match="one input"):
        RUNTIME.load(str(write_openvino(model, tmp_path / "two.zip")), {})


def test_devices_are_told_with_why() -> None:
    assert RUNTIME.providers is not None
    devices = {device.name: device for device in RUNTIME.providers()}
    assert set(devices) == {"CPU", "GPU", "NPU"}
    assert devices["CPU"].available
    assert all(device.why for device in devices.values())


@pytest.mark.slow
def test_nothing_is_sent_by_importing(tmp_path: Path) -> None:
    """A package that would send, put where the real one is looked for, must not be imported."""
    package = tmp_path / "openvino_telemetry"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('telemetry was imported')")
    code = (
        "import sys; from lab.registry import runtime; runtime('openvino').preload();"
        "from lab.compress.nncf.quantizing import nncf; nncf();"
        "print(sys.modules['openvino_telemetry'], 'nncf' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{tmp_path}:."},
        check=False,
    )
    assert done.stdout.split() == ["None", "True"], done.stderr


def test_preloading_starts_no_thread_that_a_fork_would_lose() -> None:
    code = (
        "import os; import numpy; before = len(os.listdir('/proc/self/task'));"
        "from lab.registry import runtime; runtime('openvino').preload();"
        "print(len(os.listdir('/proc/self/task')) - before, 'nncf' in __import__('sys').modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]
