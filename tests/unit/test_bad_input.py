"""One clear message each: what was wrong, what is allowed, what was given, how to mend it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab.errors import (
    InvalidFile,
    InvalidOption,
    LabError,
    MissingPackage,
    NoPath,
    UnknownId,
    UsageError,
)
from lab.spec.reading import check_spec, spec_from_json
from lab.store import records
from lab.store.npz import read_data
from lab.types import FINISHED, InputSpec, ModelCard, Objective, Recipe, Step, StudySpec, Target
from tests import small


@pytest.fixture
def card(lab_home: Path, tmp_path: Path) -> ModelCard:
    """A card of the small model, registered without a look into it: no worker process is
    started.
    """
    path = small.write_onnx(tmp_path / "small.onnx")
    made = ModelCard(
        "small", "Small", "classification", "onnx", "onnx", str(path), InputSpec((64,)), "npz-0"
    )
    records.add_model(made)
    return made


def test_a_message_has_four_parts() -> None:
    error = LabError("It was wrong", allowed="a, b", given="c", remedy="Take a")
    assert str(error) == "It was wrong. Allowed: a, b. Given: 'c'. Take a."


# --- ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: lab.model("digits_lente"), "no model of that id.*Did you mean 'digits_lenet'"),
        (lambda: lab.study("nothing"), "no study of that id.*none yet.*'nothing'.*lab studies"),
        (
            lambda: lab.make_spec("digits_lenet", "fulll"),
            "no preset of that id.*full, quick, standard.*Did you mean 'full'",
        ),
        (
            lambda: lab.make_spec("digits_lenet", metrics=["latency"]),
            "no metric of that id.*Did you mean 'latency_s'",
        ),
        (lambda: lab.parse_target("otr"), "no runtime of that id.*Did you mean 'ort'"),
        (
            lambda: lab.make_spec("digits_lenet", recipes=[Recipe((Step("onnx_fp61"),))]),
            "Did you mean 'onnx_fp16'",
        ),
        (
            lambda: lab.make_spec("digits_lenet", space={"onnx_fp61": {}}),
            "Did you mean 'onnx_fp16'",
        ),
        (lambda: lab.environment("0"), "no environment of that id"),
    ],
)
def test_unknown_ids(lab_home: Path, call: Callable[[], Any], says: str) -> None:
    with pytest.raises(UnknownId, match=says):
        call()


# --- specs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "not a study's spec"),
        ({}, "not a study's spec"),
        ({"model": "m", "color": "red"}, "not a study's spec.*'model'.*color"),
        ({"model": "m", "space": {"t": 5}}, "wrong form"),
        ({"model": "m", "space": [1]}, "wrong form"),
        ({"model": "m", "recipes": [5]}, "wrong form"),
        ({"model": "m", "recipes": [[{"params": {}}]]}, "wrong form"),
        ({"model": "m", "targets": ["ort"]}, "wrong form"),
        ({"model": "m", "targets": [{"threads": 1}]}, "wrong form"),
        ({"model": "m", "metrics": 5}, "wrong form"),
        ({"model": "m", "objectives": [{"metric": "size_bytes"}]}, "wrong form"),
    ],
)
def test_specs_of_the_wrong_form(value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        spec_from_json(value)


@pytest.mark.parametrize(
    "changed",
    [
        {"rounds": 1},
        {"rounds": "ten"},
        {"rounds": True},
        {"rounds": 2.5},
        {"runs": 0},
        {"runs": None},
        {"turn_s": -1},
        {"turn_s": float("nan")},
        {"test_samples": 0},
        {"test_samples": "all"},
        {"test_samples": True},
        {"seed": "x"},
        {"seed": None},
        {"objectives": [{"metric": "size_bytes", "direction": "down"}]},
        {"preset": 5},
    ],
)
def test_impossible_numbers(changed: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        check_spec(spec_from_json({"model": "m", **changed}))
    assert "Allowed" in str(caught.value)
    assert "Given" in str(caught.value)


def test_a_spec_survives_json() -> None:
    spec = StudySpec(
        "m",
        {"t": {"o": (1, 2)}},
        (Recipe((Step("s", {"a": 1}),)),),
        (Target("ort", {"threads": 2}),),
        (Objective("size_bytes", "minimize"),),
        ("size_bytes",),
        "quick",
        3,
        4,
        0.5,
        6,
        7,
    )
    assert spec_from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({"onnx_fp16": {"bits": [1]}}, "cannot sweep this option"),
        (
            {"onnx_dynamic_int8": {"per_channel": []}},
            "cannot sweep this option.*at least one value",
        ),
        ({"onnx_dynamic_int8": {"per_channel": ["maybe"]}}, "true or false.*'maybe'"),
    ],
)
def test_impossible_spaces(card: ModelCard, space: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidOption, match=says):
        lab.start(lab.make_spec("small", space=space, targets=["ort"]))


def test_a_runtime_that_the_model_cannot_reach(card: ModelCard) -> None:
    with pytest.raises(UsageError, match=r"Nothing can be run.*'onnx'.*tflite"):
        lab.start(lab.make_spec("small", targets=["litert"]))
    assert lab.studies() == []


def test_no_path_names_both_ends(card: ModelCard) -> None:
    from lab.spec.recipes import complete

    with pytest.raises(NoPath, match=r"from 'onnx' to what 'litert' takes.*tflite"):
        complete("onnx", Recipe(), Target("litert"))


def test_a_missing_package_names_the_line_that_brings_it() -> None:
    from lab.plugs import require

    with pytest.raises(
        MissingPackage, match=r"'not-there', which is not installed.*pip install not-there"
    ):
        require("The technique 'x'", ("numpy", "not-there"))


# --- model files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.onnx", "x.tflite", "x.keras", "x.h5", "x.pt2"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 broken",
        b"\x89HDF\r\n\x1a\n broken",
        b"\x00\x00\x00\x00TFL3 broken",
        b"\xff" * 64,
    ],
)
def test_corrupt_model_files(lab_home: Path, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidFile, match=r"Given"):
        lab.add_model(tmp_path / name, small.write_data(tmp_path / "data.npz"))
    assert "x" not in lab.models()


@pytest.mark.parametrize("name", ["digits_lenet", "", "…"])
def test_names_that_a_model_cannot_have(lab_home: Path, tmp_path: Path, name: str) -> None:
    model, data = small.write_onnx(tmp_path / "x.onnx"), small.write_data(tmp_path / "x.npz")
    if name:
        with pytest.raises(UsageError, match=r"cannot be registered under this name.*--name"):
            lab.add_model(model, data, name=name)
    else:
        with pytest.raises(UsageError, match=r"cannot be registered under this name"):
            lab.add_model(model.rename(tmp_path / "….onnx"), data)


def test_a_task_that_cannot_be_added(lab_home: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"Allowed: anomaly_detection, classification. Given: 'detection'"
    ):
        lab.add_model(tmp_path / "x.onnx", tmp_path / "x.npz", "detection")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "classes", "says"),
    [
        ({"y_test": np.full(200, 9)}, 4, "outputs do not fit the task.*at least 10 classes"),
        (
            {
                "x_test": np.zeros((200, 63), "float32"),
                "x_calibration": np.zeros((200, 63), "float32"),
            },
            4,
            "do not fit the model's input.*64.*63",
        ),
    ],
)
def test_data_that_do_not_fit_the_model(
    lab_home: Path, tmp_path: Path, changed: Any, classes: int, says: str
) -> None:
    with pytest.raises(InvalidFile, match=says):
        lab.add_model(
            small.write_onnx(tmp_path / "x.onnx", classes),
            small.write_data(tmp_path / "x.npz", **changed),
        )
    assert "x" not in lab.models()


# --- data files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"x_test": np.array([{"a": 1}], dtype=object)}, "pickled objects"),
        ({"y_test": None}, "lacks y_test.*x_calibration, y_calibration, x_test, y_test"),
        ({"x_test": None, "y_calibration": None}, "lacks y_calibration, x_test"),
        ({"x_test": np.full((200, 64), np.nan)}, "x_test holds NaN or infinity.*12800 values"),
        ({"x_calibration": np.full((200, 64), np.inf)}, "x_calibration holds NaN or infinity"),
        (
            {"y_test": np.zeros(7, int)},
            "labels do not fit the items of the test split.*shape \\(200,\\)",
        ),
        ({"y_test": np.zeros((200, 4), int)}, "labels do not fit"),
        ({"x_test": np.zeros((0, 64)), "y_test": np.zeros(0, int)}, "at least one item"),
        ({"y_test": np.full(200, -1)}, "class numbers 0, 1, 2"),
        ({"y_test": np.full(200, 0.5)}, "class numbers 0, 1, 2"),
        ({"y_test": np.full(200, np.nan)}, "y_test holds NaN"),
        ({"x_test": np.full((200, 64), "a")}, "must be numbers"),
        ({"x_test": np.zeros((200, 8, 8))}, "differ in shape"),
        ({"class_names": np.array(["a", "b"])}, "fewer class names than classes.*at least 4"),
        ({"class_names": np.array([["a", "b", "c", "d"]])}, "class names"),
    ],
)
def test_data_that_cannot_be(tmp_path: Path, changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidFile, match=says):
        read_data(small.write_data(tmp_path / "x.npz", **changed))


@pytest.mark.parametrize(
    "content", [None, b"", b"no zip", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00 broken"]
)
def test_files_that_are_no_data(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InvalidFile, match=r"Given"):
        read_data(tmp_path / "x.npz")


def test_one_array_alone_is_no_data(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 2)))
    with pytest.raises(InvalidFile):
        read_data(tmp_path / "x.npy")


# --- .lab files -----------------------------------------------------------------------------------


def exported(
    card: ModelCard,
    to: Path,
    change: Callable[[dict[str, Any]], None] = lambda v: None,
    files: dict[str, bytes] | None = None,
) -> Path:
    """A `.lab` file of a study with one trial, its JSON changed."""
    trial = {
        "id": "s-0000",
        "name": "float32",
        "recipe": [],
        "target": {"runtime": "ort", "threads": 1},
        "state": "complete",
        "position": 0,
        "baseline": True,
        "cached": False,
        "error": None,
        "artifact": None,
        "measurements": {},
        "environment": "e",
        "float_operators": {},
        "details": {},
    }
    head = {
        "id": "s",
        "model": "small",
        "title": "",
        "state": "complete",
        "created_at": "2026-01-01",
        "finished_at": None,
        "spec": StudySpec("small").to_json(),
    }
    value = {
        "format": 1,
        "study": head,
        "card": {**card.to_json(), "path": ""},
        "environments": {"e": {"cpu": "x"}},
        "trials": [trial],
    }
    change(value)
    with zipfile.ZipFile(to, "w") as archive:
        archive.writestr("study.json", json.dumps(value))
        for name, content in (files or {}).items():
            archive.writestr(name, content)
    return to


def test_a_whole_file_is_read(card: ModelCard, tmp_path: Path) -> None:
    assert lab.import_study(exported(card, tmp_path / "x.lab")) == "s"
    assert [t.state for t in lab.trials("s")] == ["complete"]


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(format=99),
        lambda v: v.pop("study"),
        lambda v: v.update(trials=5),
        lambda v: v.update(card=[]),
        lambda v: v["trials"][0].update(measurements=[1]),
        lambda v: v["study"]["spec"].update(color="red"),
        lambda v: v["trials"].append(v["trials"][0]),
        lambda v: v["trials"][0].update(artifact={"path": "x"}),
        lambda v: v.update(environments=[]),
    ],
)
def test_damaged_values(
    card: ModelCard, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    with pytest.raises(UsageError):
        lab.import_study(exported(card, tmp_path / "x.lab", change))
    assert lab.studies() == []


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"])
def test_damaged_files(lab_home: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.lab").write_bytes(content)
    with pytest.raises(InvalidFile, match=r"not a readable .lab file"):
        lab.import_study(tmp_path / "x.lab")


def test_a_flipped_byte_is_noticed(card: ModelCard, tmp_path: Path) -> None:
    file = exported(card, tmp_path / "x.lab")
    damaged = bytearray(file.read_bytes())
    damaged[200] ^= 0xFF
    file.write_bytes(damaged)
    with pytest.raises(InvalidFile, match=r"not a readable .lab file"):
        lab.import_study(file)


def test_a_file_that_is_not_what_its_name_says(
    card: ModelCard, tmp_path: Path, lab_home: Path
) -> None:
    name = f"{'0' * 64}.json"

    def speak(value: dict[str, Any]) -> None:
        value["trials"][0]["details"]["samples"] = {
            "path": name,
            "format": "json",
            "sha256": "0" * 64,
            "size_bytes": 5,
        }

    file = exported(card, tmp_path / "x.lab", speak, files={f"files/{name}": b"other"})
    with pytest.raises(InvalidFile, match=r"not what its name says"):
        lab.import_study(file)
    assert list((lab_home / "artifacts").glob("*")) == []
    assert lab.studies() == []


@pytest.mark.parametrize(
    "name",
    [
        "files/../../evil.onnx",
        "/etc/evil.onnx",
        "files/..",
        "../evil",
        "files/a/b.onnx",
        "files\\evil",
    ],
)
def test_names_that_leave_the_folder(
    card: ModelCard, tmp_path: Path, lab_home: Path, name: str
) -> None:
    file = exported(card, tmp_path / "x.lab", files={name: b"evil"})
    before = set(tmp_path.rglob("*"))
    try:
        lab.import_study(file)
    except InvalidFile:
        assert lab.studies() == []
    assert not [
        p for p in set(tmp_path.rglob("*")) - before if p.is_file() and p.read_bytes() == b"evil"
    ]


def test_a_study_that_was_running_is_not_taken_up_here(card: ModelCard, tmp_path: Path) -> None:
    def running(value: dict[str, Any]) -> None:
        value["study"]["state"] = value["trials"][0]["state"] = "running"

    study = lab.study(lab.import_study(exported(card, tmp_path / "x.lab", running)))
    assert study.state in FINISHED
    assert {t.state for t in lab.trials(study.id)} == {"cancelled"}


def test_exports_of_other_endings(lab_home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Allowed: .*\.csv.*\.lab"):
        lab.export("s", tmp_path / "x.xls")
