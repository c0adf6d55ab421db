"""What every processor promises, held against each one that the registry finds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.feeding import run_all
from lab.plugs import Processor, Setting
from lab.registry import processors, runtimes
from tests import bright
from tests.bright import bright_files
from tests.tiny import answers, apply

__all__ = ["bright_files"]
HEAVY = {"torch", "tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_litert", "numpy"}
every = pytest.mark.parametrize("processor", processors().values(), ids=processors().keys())
FEATURES = [("avx2",), ("avx2", "avx512f", "avx512_vnni"), ("asimddp",)]


@pytest.fixture(scope="module")
def files(
    tiny_onnx: Path,
    tiny_tflite: Path,
    bright_files: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[Path]]:
    int8 = apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path_factory.mktemp("int8"))
    return {"onnx": [tiny_onnx, *bright_files.values()], "tflite": [tiny_tflite, int8]}


@every
def test_it_says_what_it_is(processor: Processor) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]+", processor.id)
    assert processor.title
    assert processor.help.endswith(".")
    assert processor.place.startswith("On ")
    assert not processor.place.endswith(".")
    assert set(processor.runtimes) <= set(runtimes())
    assert set(processor.formats) <= {
        format_ for runtime in runtimes().values() for format_ in runtime.formats
    }
    assert processor.version >= 1


@every
def test_some_file_differs_there_and_its_facts_count(
    processor: Processor, files: dict[str, list[Path]], tmp_path: Path
) -> None:
    settings = [
        Setting(_runtime(f), {}, features, tmp_path)
        for f in processor.formats
        for features in FEATURES
    ]
    found = [
        fs for s in settings for file in files[_format(s)] if (fs := processor.differs(file, s))
    ]
    assert found
    for facts in found:
        assert all(fact.operator and fact.text and 0 < fact.count <= fact.of for fact in facts)
        assert re.match(r"\d", processor.because(facts))


@every
def test_a_float_file_answers_there_as_here(
    processor: Processor, files: dict[str, list[Path]], tmp_path: Path
) -> None:
    for format_ in processor.formats:
        for features in FEATURES:
            assert (
                processor.differs(
                    files[format_][0], Setting(_runtime(format_), {}, features, tmp_path)
                )
                == []
            )


@every
def test_it_answers_the_same_each_time_in_the_shape_of_the_answers_here(
    processor: Processor, files: dict[str, list[Path]], tmp_path: Path
) -> None:
    for format_ in processor.formats:
        file = files[format_][-1]
        shape = {"onnx": (30, bright.CHANNELS, bright.SIDE, bright.SIDE), "tflite": (30, 8, 8, 3)}[
            format_
        ]
        x = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
        setting = Setting(_runtime(format_), {}, FEATURES[0], tmp_path)
        once, again = (run_all(processor.load(file, setting), x, 10) for _ in range(2))
        np.testing.assert_array_equal(once, again)
        here = answers(_runtime(format_), file, x)
        assert once.shape == here.shape
        assert np.corrcoef(once.ravel(), here.ravel())[0, 1] > 0.5


@every
@pytest.mark.parametrize("content", [b"", b"this is no model at all"])
def test_a_broken_file_is_refused_with_words(
    processor: Processor, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "broken").write_bytes(content)
    refused = 0
    for features in FEATURES:
        setting = Setting(_runtime(processor.formats[0]), {}, features, tmp_path)
        with pytest.raises(InvalidFile):
            processor.load(tmp_path / "broken", setting)
        try:
            assert (
                processor.differs(tmp_path / "broken", setting) == []
            )  # not read: that CPU adds up as this one does
        except InvalidFile:
            refused += 1
    assert refused


def test_importing_them_loads_no_framework() -> None:
    code = (
        f"import sys; from lab.registry import processors; processors(); print(sorted({HEAVY!r} &"
        " set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _runtime(format_: str) -> str:
    return next(r.id for r in runtimes().values() if format_ in r.formats)


def _format(setting: Setting) -> str:
    return runtimes()[setting.runtime].formats[0]
