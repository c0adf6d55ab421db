"""The README's lines load the file without the lab and answer as the lab does."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab import registry
from lab.errors import UnknownId, UsageError
from lab.formats.feeding import as_input, run_all
from lab.formats.loading import arranging, loading_of, stored_shape
from lab.share.model_file import _md, export_model, look, readme
from lab.store import records
from lab.store.blobs import keep
from lab.types import InputSpec, ModelCard, Recipe, Study, StudySpec, Target, Trial
from tests import fakes, tiny
from tests.payloads import PAYLOADS
from tests.unit.share.test_markup import Reader

SPEC = InputSpec((tiny.SIDE, tiny.SIDE, tiny.CHANNELS), "float32", "NHWC", 0.5, -0.25, "NHWC")
WRITERS = {
    "ort": (tiny.write_onnx, "onnx", "model.onnx"),
    "litert": (tiny.write_tflite, "tflite", "model.tflite"),
    "openvino": (tiny.write_openvino, "openvino_ir", "model.openvino"),
    "torchscript": (tiny.write_torchscript, "torchscript", "model.pt"),
    "pytorch": (tiny.write_torch_export, "torch_export", "model.pt2"),
    "executorch": (tiny.write_executorch, "executorch", "model.pte"),
}
CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
QUICK = ("ort", "litert")


def stored(runtime: str, file: Path, format_: str, card: ModelCard, **options: Any) -> Trial:
    """A study of one trial whose file is kept in the lab."""
    trial = Trial(
        "s-0000",
        "s",
        0,
        "float32",
        Recipe(),
        Target(runtime, {"threads": 1, **options}),
        "complete",
        artifact=keep(file, format_),
        measurements={
            "top1_accuracy": fakes.measured("top1_accuracy", 0.9, 0.01),
            "size_bytes": fakes.measured("size_bytes", 100),
        },
    )
    records.add_study(
        Study("s", card.id, "complete", StudySpec(card.id), created_at="2026-01-01"), card, [trial]
    )
    return records.trial(trial.id)


def card(**more: Any) -> ModelCard:
    return ModelCard(
        "tiny",
        "Tiny",
        "classification",
        "onnx",
        "onnx",
        "",
        SPEC,
        "digits",
        ("one", "two", "three", "four", "five"),
        "CC0",
        "made here",
        **more,
    )


def answers(folder: Path, items: Any) -> Any:
    """What the README's lines answer, in a process that knows nothing of the lab."""
    code = CODE.search((folder / "README.md").read_text())
    assert code
    np.save(folder / "items.npy", items)
    more = "\nnp.save('answers.npy', np.stack([predict(x) for x in np.load('items.npy')]))\n"
    (folder / "load.py").write_text(code[1] + more)
    done = subprocess.run(
        [sys.executable, "-I", "load.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "answers.npy")


def unpacked(zip_file: Path, to: Path) -> Path:
    with zipfile.ZipFile(zip_file) as archive:
        archive.extractall(to)
    return to


def lab_answers(trial: Trial, items: Any, spec: InputSpec) -> Any:
    assert trial.artifact
    session = registry.runtime(trial.target.runtime).load(trial.artifact.path, trial.target.options)
    return run_all(session, as_input(items, spec), 1)


@pytest.mark.parametrize(
    "runtime", [pytest.param(r, marks=[] if r in QUICK else pytest.mark.slow) for r in WRITERS]
)
def test_the_lines_answer_as_the_lab_does(lab_home: Path, tmp_path: Path, runtime: str) -> None:
    write, format_, name = WRITERS[runtime]
    trial = stored(runtime, write(tmp_path / name), format_, card())
    folder = unpacked(lab.export_model(trial.id, tmp_path / "model.zip"), tmp_path / "unpacked")
    items = np.random.default_rng(3).integers(0, 16, (5, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_allclose(
        answers(folder, items), lab_answers(trial, items, SPEC), rtol=1e-5, atol=1e-5
    )


def test_a_trial_of_the_example_study_runs_elsewhere(lab_home: Path, tmp_path: Path) -> None:
    """Quantized inputs, too, and the model's own classes."""
    study = lab.example_study()
    assert study
    data = lab.examples(lab.study(study).model, 20)
    spec = lab.card_of(study).input
    wanted = {
        t.artifact.format: t
        for t in sorted(lab.trials(study), key=_integers)
        if t.artifact and t.state == "complete"
    }
    assert set(wanted) >= {"onnx", "tflite"}
    for format_ in ("onnx", "tflite"):
        folder = unpacked(
            export_model(wanted[format_].id, tmp_path / f"{format_}.zip"), tmp_path / format_
        )
        found, expected = (
            answers(folder, data.items),
            lab_answers(wanted[format_], data.items, spec),
        )
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def _integers(trial: Trial) -> bool:
    """Those that are quantized last, so that they are taken."""
    return "static_wi8_ai8" in trial.name


def test_every_format_that_runs_can_be_loaded_elsewhere() -> None:
    for runtime in registry.runtimes().values():
        for format_ in runtime.formats:
            module = loading_of(format_)
            assert module.packages
            assert "def run(x):" in module.lines("file", {"input": {"shape": [1, 4]}})


@pytest.mark.parametrize(
    ("format_", "options", "said"),
    [
        ("onnx", {"graph_optimization": "disabled"}, "GraphOptimizationLevel.ORT_DISABLE_ALL"),
        ("tflite", {"xnnpack": False}, "BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
        ("openvino_ir", {"precision": "bf16"}, "'INFERENCE_PRECISION_HINT': 'bf16'"),
        ("torchscript", {"optimize": True}, "optimize_for_inference"),
    ],
)
def test_settings_that_change_answers_are_those_it_was_measured_with(
    format_: str, options: dict[str, Any], said: str
) -> None:
    facts = {"input": {"shape": [1, 4]}}
    assert said in loading_of(format_).lines("file", {**facts, "options": options})
    assert said not in loading_of(format_).lines("file", {**facts, "options": {}})


def test_the_readme_tells_what_the_file_is(lab_home: Path, tmp_path: Path) -> None:
    trial = stored("litert", tiny.write_tflite(tmp_path / "m.tflite"), "tflite", card())
    folder = unpacked(lab.export_model(trial.id, tmp_path / "model.zip"), tmp_path / "unpacked")
    text = (folder / "README.md").read_text()
    (file,) = folder.glob("*.tflite")
    assert sha256(file.read_bytes()).hexdigest() in text
    assert sha256(file.read_bytes()).hexdigest() == trial.artifact.sha256  # type: ignore[union-attr]
    for said in (
        "90.0 %",
        "89.0–91.0 %",
        "CC0",
        "made here",
        "one, two, three",
        "float32, shape (1, 8, 8, 3)",
        "x × 0.5 + -0.25",
        "LiteRT",
    ):
        assert said in text, said
    assert (
        lab.export_model(trial.id, tmp_path / "again.zip").read_bytes()
        == (tmp_path / "model.zip").read_bytes()
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_texts_of_people_stay_texts(lab_home: Path, tmp_path: Path, payload: str) -> None:
    made = replace(
        card(), title=payload, class_names=(payload,), provenance=payload, licence=payload
    )
    trial = replace(stored("ort", tiny.write_onnx(tmp_path / "m.onnx"), "onnx", made), name=payload)
    text = readme(
        trial,
        made,
        {
            "input": {"shape": [None, 3, 8, 8], "dtype": "float32"},
            "output": {"shape": [None, 5], "dtype": "float32"},
        },
        {"m.onnx": b""},
    )
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert len(re.findall(r"^ {0,3}```", text, re.MULTILINE)) == 4
    assert not re.search(r"(?<!\\)[<\[]", outside), outside
    compile(CODE.search(text)[1], "readme", "exec")  # type: ignore[index]


@pytest.mark.parametrize(
    "text",
    [
        *PAYLOADS,
        "a_b __init__ _x_ static_wi8_ai8_",
        "| a | b |",
        "https://example.invalid",
        "x (y): z",
    ],
)
def test_markdown_shows_texts_letter_by_letter(text: str) -> None:
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    read = Reader(markdown.render(f"- Model: {_md(text)}"))
    assert [tag for tag, _ in read.tags] == ["ul", "li"]
    assert read.text.strip() == f"Model: {' '.join(text.split())}"


@pytest.mark.parametrize(
    ("spec", "shape", "wanted"),
    [
        (InputSpec((8, 8, 1), "float32", "NHWC", data_layout="NHWC"), (1, 8, 8, 1), ""),
        (
            InputSpec((3, 4, 5), "float32", "NCHW", data_layout="NHWC"),
            (None, 3, 4, 5),
            "x = np.moveaxis(x, -1, 0)",
        ),
        (InputSpec((3, 4, 5), "float32", "NCHW", data_layout="NHWC"), (1, 4, 5, 3), ""),
        (
            InputSpec((3, 4, 5), "float32", "NCHW", data_layout="NCHW"),
            (1, 4, 5, 3),
            "x = np.moveaxis(x, 0, -1)",
        ),
        (InputSpec((49, 10), "float32", "N"), (1, 49, 10, 1), "x = x.reshape((49, 10, 1))"),
    ],
)
def test_items_are_arranged_for_the_file(
    spec: InputSpec, shape: tuple[int | None, ...], wanted: str
) -> None:
    assert arranging(spec, shape) == wanted
    assert stored_shape(InputSpec((4, 5, 3), "float32", "NHWC", data_layout="NCHW")) == (3, 4, 5)


def test_what_cannot_be_exported(lab_home: Path, tmp_path: Path) -> None:
    study = lab.example_study()
    assert study
    trial = lab.trials(study)[0]
    with pytest.raises(UsageError, match=r"\.zip"):
        lab.export_model(trial.id, tmp_path / "model.tar")
    with pytest.raises(UnknownId):
        lab.export_model("none-0000", tmp_path / "model.zip")
    assert trial.artifact
    Path(trial.artifact.path).unlink()
    with pytest.raises(UsageError, match="not in this lab"):
        lab.export_model(trial.id, tmp_path / "model.zip")


def test_looking_tells_shapes_and_scales(tmp_path: Path, lab_home: Path) -> None:
    found = look("litert", keep(tiny.write_tflite(tmp_path / "m.tflite"), "tflite"))
    assert found["input"] == {"shape": [1, 8, 8, 3], "dtype": "float32"}
    assert found["quantized"] == {"input": None, "output": None}
