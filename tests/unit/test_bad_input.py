"""One clear message each: what was wrong, what is allowed, what was given, how to mend it."""

from __future__ import annotations

import json
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
from lab.types import InputSpec, ModelCard, Objective, Recipe, Step, StudySpec, Target
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
        (lambda: lab.model("digits_lente"), "no model with that id.*Did you mean 'digits_lenet'"),
        (lambda: lab.study("nothing"), "no study with that id.*none yet.*'nothing'.*lab studies"),
        (
            lambda: lab.make_spec("digits_lenet", "fulll"),
            "no preset with that id.*full, quick, standard.*Did you mean 'full'",
        ),
        (
            lambda: lab.make_spec("digits_lenet", metrics=["latency"]),
            "no metric with that id.*Did you mean 'latency_s'",
        ),
        (lambda: lab.parse_target("otr"), "no runtime with that id.*Did you mean 'ort'"),
        (
            lambda: lab.make_spec("digits_lenet", recipes=[Recipe((Step("onnx_fp61"),))]),
            "Did you mean 'onnx_fp16'",
        ),
        (
            lambda: lab.make_spec("digits_lenet", space={"onnx_fp61": {}}),
            "Did you mean 'onnx_fp16'",
        ),
        (lambda: lab.environment("0"), "no environment with that id"),
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
