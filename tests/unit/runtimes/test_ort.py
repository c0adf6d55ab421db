from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.onnx.sessions import LEVELS, PROVIDERS, open_session
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


@pytest.mark.parametrize("level", list(LEVELS))
def test_every_level_of_graph_optimization_answers_alike(level: str, tiny_onnx: Path) -> None:
    x = tiny.items(4, channels_first=True)
    found, all_ = (
        RUNTIME.load(str(tiny_onnx), options).run(x)
        for options in ({"graph_optimization": level}, {})
    )
    np.testing.assert_allclose(found, all_, atol=1e-5)


def test_levels_reach_onnxruntime(tiny_onnx: Path, tmp_path: Path) -> None:
    """What is left of the graph at each level."""
    import onnx

    counts = {}
    for level in ("disabled", "extended"):
        open_session(str(tiny_onnx), level=level, write_to=str(tmp_path / level))
        counts[level] = [node.op_type for node in onnx.load(str(tmp_path / level)).graph.node]
    assert counts == {
        "disabled": ["Conv", "Relu", "AveragePool", "Flatten", "Gemm"],
        "extended": ["FusedConv", "AveragePool", "Flatten", "Gemm"],
    }


def test_providers_are_those_that_onnxruntime_knows() -> None:
    import onnxruntime

    listed = {p.name: p for p in RUNTIME.providers()} if RUNTIME.providers else {}
    assert list(listed) == list(RUNTIME.options[-1].choices) == list(PROVIDERS)
    assert {own for own, _ in PROVIDERS.values()} <= set(onnxruntime.get_all_providers())
    for name, provider in listed.items():
        assert provider.available is (PROVIDERS[name][0] in onnxruntime.get_available_providers())
        assert provider.why


@pytest.mark.parametrize(
    ("provider", "package"), [("OpenVINO", "onnxruntime-openvino"), ("CUDA", "onnxruntime-gpu")]
)
def test_a_provider_that_is_not_built_in_names_the_package_that_brings_it(
    provider: str, package: str, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(
        InvalidOption, match=rf"{provider} here\. Allowed: CPU\..*pip install {package}"
    ):
        RUNTIME.load(str(tiny_onnx), {"provider": provider})


def test_a_provider_that_computes_nothing_is_no_silent_fallback(
    tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure's provider is in every build and has no operators of its own: ONNX Runtime gives all of
    them to the CPU.
    """
    monkeypatch.setitem(PROVIDERS, "OpenVINO", ("AzureExecutionProvider", ""))
    with pytest.raises(
        InvalidFile, match=r"OpenVINO computes nothing of this file.*fell back on the CPU"
    ):
        RUNTIME.load(str(tiny_onnx), {"provider": "OpenVINO"})


def test_a_provider_that_computes_something_is_used(
    tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROVIDERS, "OpenVINO", PROVIDERS["CPU"])
    x = tiny.items(2, channels_first=True)
    assert RUNTIME.load(str(tiny_onnx), {"provider": "OpenVINO"}).run(x).shape == (2, tiny.CLASSES)


def test_the_command_line_lists_providers_with_why(capsys: pytest.CaptureFixture[str]) -> None:
    from lab.cli.listing import runtimes

    runtimes(as_json=True)
    listed = {r["id"]: r["providers"] for r in json.loads(capsys.readouterr().out)}
    assert {key: listed["ort"][0][key] for key in ("name", "available")} == {
        "name": "CPU",
        "available": True,
    }
    assert all(
        set(provider) == {"name", "available", "why"} for one in listed.values() for provider in one
    )
    runtimes(as_json=False)
    assert "onnxruntime-gpu" in capsys.readouterr().out


def test_targets_stored_before_there_were_providers_still_mean_the_same() -> None:
    from lab.spec.recipes import complete_target
    from lab.types import Target

    assert complete_target(Target("ort", {"threads": 2})).options == {
        "threads": 2,
        "graph_optimization": "all",
        "provider": "CPU",
        "batch": 1,
    }


def test_telemetry_is_off_before_the_import() -> None:
    RUNTIME.preload()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
