"""PyTorch, TorchScript and ExecuTorch as runtimes: threads, batches, and answers in a forked
process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.plugs import TensorInfo
from lab.registry import runtime
from tests import tiny

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
ATOL = {"pytorch": 1e-5, "torchscript": 1e-5, "executorch": 1e-4}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tiny.Sources:
    return tiny.Sources(tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("id_", ATOL)
def test_answers_are_those_of_the_same_weights_in_onnx(id_: str, files: tiny.Sources) -> None:
    x = tiny.items(7)
    found = tiny.answers(id_, files[runtime(id_).formats[0]], x)
    np.testing.assert_allclose(found, tiny.answers("ort", files["onnx"], x), atol=ATOL[id_])


@pytest.mark.parametrize("id_", ["pytorch", "torchscript"])
def test_a_free_batch_axis_takes_any_batch(id_: str, files: tiny.Sources) -> None:
    session, x = (
        runtime(id_).load(str(files[runtime(id_).formats[0]]), {}),
        tiny.items(5, channels_first=True),
    )
    assert session.input == TensorInfo((None, 3, 8, 8), "float32")
    assert session.output == TensorInfo((None, tiny.CLASSES), "float32")
    one_by_one = np.concatenate([session.run(x[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(session.run(x), one_by_one, atol=1e-5)


def test_a_fixed_batch_is_known(files: tiny.Sources, tmp_path: Path) -> None:
    assert runtime("executorch").load(str(files["executorch"]), {}).input.shape == (1, 3, 8, 8)
    four = tiny.write_torch_export(tmp_path / "four.pt2", batch=4)
    assert runtime("pytorch").load(str(four), {}).input.shape == (4, 3, 8, 8)
    np.testing.assert_allclose(
        tiny.answers("pytorch", four, tiny.items(6)),
        tiny.answers("ort", files["onnx"], tiny.items(6)),
        atol=1e-5,
    )


@pytest.mark.parametrize("id_", ["pytorch", "torchscript"])
def test_torch_computes_with_the_threads_asked_for(id_: str, files: tiny.Sources) -> None:
    import torch

    for threads in (2, 1):
        runtime(id_).load(str(files[runtime(id_).formats[0]]), {"threads": threads})
        assert torch.get_num_threads() == threads


def test_programs_of_different_thread_counts_live_side_by_side(files: tiny.Sources) -> None:
    from executorch.extension.pybindings import portable_lib

    x = tiny.items(1, channels_first=True)
    sessions = {
        threads: runtime("executorch").load(str(files["executorch"]), {"threads": threads})
        for threads in (1, 3)
    }
    expected = sessions[3].run(x)
    for threads in (1, 3, 1, 3):
        np.testing.assert_allclose(sessions[threads].run(x), expected, atol=1e-5)
        assert portable_lib._threadpool_get_thread_count() == threads


def test_answers_outlive_the_next_run(files: tiny.Sources) -> None:
    for id_ in ATOL:
        session, x = (
            runtime(id_).load(str(files[runtime(id_).formats[0]]), {}),
            tiny.items(2, channels_first=True),
        )
        first = session.run(x[:1])
        kept = first.copy()
        session.run(x[1:])
        assert (first == kept).all()


def test_optimising_for_inference_answers_the_same(files: tiny.Sources, tmp_path: Path) -> None:
    integers = tiny.apply("torch_fx_static_int8", files["torch_export"], tmp_path)
    x = tiny.items(4, channels_first=True)
    for file in (files["torchscript"], integers):
        on, off = (
            runtime("torchscript").load(str(file), {"optimize": flag}).run(x)
            for flag in (True, False)
        )
        np.testing.assert_allclose(on, off, atol=1e-5)


COLD = """
import os, sys
import numpy as np, torch
alone = len(os.listdir("/proc/self/task"))
from lab.measure.cold import cold_start
from lab.registry import runtime
plug = runtime(sys.argv[1])
plug.preload()
print(len(os.listdir("/proc/self/task")) - alone)
for threads in (1, 2):
    print(sorted(cold_start(plug, {"threads": threads}, sys.argv[2], np.load(sys.argv[3]))))
"""
TOLD = "['arena_bytes', 'cold_load_s', 'mapped_bytes', 'peak_rss_bytes']"


@pytest.mark.parametrize("id_", ATOL)
def test_preloading_starts_no_thread_and_a_forked_process_can_load_and_run(
    id_: str, files: tiny.Sources, tmp_path: Path
) -> None:
    """With one thread and with two. A fork takes the calling thread along only: a library that
    waits for another one then hangs.
    """
    np.save(tmp_path / "item.npy", tiny.items(1))
    done = subprocess.run(
        [sys.executable, "-c", COLD, id_, str(files[runtime(id_).formats[0]]), "item.npy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines()[-3:] == ["0", TOLD, TOLD], done.stderr[-2000:]


def test_a_file_for_an_engine_that_is_missing_is_refused(
    files: tiny.Sources, tmp_path: Path, monkeypatch: Any
) -> None:
    import torch

    file = tiny.apply("torch_fx_static_int8", files["torch_export"], tmp_path, engine="qnnpack")
    known = [name for name in torch.backends.quantized.supported_engines if name != "qnnpack"]
    monkeypatch.setattr(type(torch.backends.quantized), "supported_engines", known)
    with pytest.raises(InvalidFile, match=r"no such engine.*qnnpack"):
        runtime("torchscript").load(str(file), {})
