"""Threads and batches of a real model, from the command line to the numbers; and studies from
before there was a batch.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

import lab
from lab.errors import UnknownId, UsageError
from lab.types import Recipe, Step
from tests import tiny
from tests.system.test_command_line import command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def swept(home: Path) -> dict[str, object]:
    """digits_lenet in ONNX Runtime with a batch among the targets, as a person would ask for it."""
    file = home / "result.json"
    run = command(
        home,
        "sweep",
        "digits_lenet",
        "--spec",
        _spec(home),
        "--target",
        "ort",
        "--target",
        "ort:batch=8",
        json_to=file,
    )
    assert run.status == 0
    assert "ort threads=1 batch=8" in run.out
    return run.result


def _spec(home: Path) -> str:
    file = home / "spec.json"
    file.write_text(json.dumps({"space": {}, "rounds": 4}))
    return str(file)


def test_throughput_is_of_the_items_and_latency_of_the_call(swept: dict[str, object]) -> None:
    single, eight = (t["measurements"] for t in swept["trials"])  # type: ignore[attr-defined]
    assert single["throughput_per_s"]["value"] == pytest.approx(1 / single["latency_s"]["value"])
    assert eight["throughput_per_s"]["value"] == pytest.approx(8 / eight["latency_s"]["value"])
    assert eight["throughput_per_s"]["value"] > single["throughput_per_s"]["value"]
    assert single["latency_s"]["value"] < eight["latency_s"]["value"]
    assert single["top1_accuracy"] == eight["top1_accuracy"]


def test_a_trial_is_scaled_from_the_command_line(home: Path, swept: dict[str, object]) -> None:
    trial = swept["trials"][0]["id"]  # type: ignore[index]
    run = command(
        home, "scaling", trial, "--threads", "1,2", "--batch", "1,4", json_to=home / "scaling.json"
    )
    assert run.status == 0
    assert "2 threads: " in run.out
    assert "an item " in run.out
    found = run.result
    assert [p["value"] for p in found["threads"]["points"]] == [1, 2]
    assert [p["value"] for p in found["batch"]["points"]] == [1, 4]
    four = found["batch"]["points"][1]
    assert four["throughput_per_s"]["value"] == pytest.approx(4 / four["latency_s"]["value"])
    assert found["baseline_batch"]["points"] == []  # it is the float model itself
    again = command(
        home, "scaling", trial, "--threads", "1,2", "--batch", "1,4", json_to=home / "again.json"
    )
    assert again.result == found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nope-0000",), "no trial with that id"),
        (("nope-0000", "--batch", "two"), "whole numbers"),
    ],
)
def test_bad_usage_is_told(home: Path, arguments: tuple[str, ...], words: str) -> None:
    run = command(home, "scaling", *arguments)
    assert run.status == 2
    assert words in run.err


def test_a_keras_model_takes_a_batch_in_litert(lab_home: Path) -> None:
    study = lab.sweep("digits_lenet", space={}, targets=["litert", "litert:batch=4"], rounds=2)
    for trial in lab.trials(study.id):
        found, items = trial.measurements, trial.target.options["batch"]
        assert trial.state == "complete", trial.error
        assert found["throughput_per_s"].value == pytest.approx(items / found["latency_s"].value)


def test_a_file_with_a_fixed_batch_fails_with_its_reason(lab_home: Path, tmp_path: Path) -> None:
    file, x = tiny.write_onnx(tmp_path / "tiny.onnx", batch=1), tiny.items(100)
    y = tiny.answers("ort", file, x).argmax(axis=1)
    np.savez(tmp_path / "tiny.npz", x_calibration=x, y_calibration=y, x_test=x, y_test=y)
    card = lab.add_model(file, tmp_path / "tiny.npz", layout="NHWC")
    study = lab.sweep(card.id, space={}, targets=["ort", "ort:batch=4"], rounds=2)
    one, four = lab.trials(study.id)
    assert (one.state, four.state) == ("complete", "failed")
    assert four.error is not None
    assert "takes no batch of 4: its batch axis is fixed" in four.error["message"]
    about = lab.wait(lab.start_scaling(one.id, threads=(1,), batches=(1, 4)))
    found = lab.scaling(about.id).batch
    assert [p.value for p in found.points] == [1]
    assert [value for value, _ in found.failed] == [4]


def test_a_study_from_before_there_was_a_batch_goes_on(lab_home: Path) -> None:
    """Its targets lack the option: what it has stays, is extended and is scaled."""
    first = lab.sweep(
        "digits_lenet",
        space={},
        recipes=[Recipe((Step("onnx_static_int8"),))],
        targets=["ort"],
        rounds=2,
    )
    with sqlite3.connect(next(lab_home.glob("*.db"))) as connection:
        for table, column in (("trials", "target"), ("studies", "spec")):
            connection.execute(
                f"UPDATE {table} SET {column} = replace({column}, '\"batch\": 1, ', '')"
            )
    old = lab.trials(first.id)
    assert all("batch" not in t.target.options for t in old)
    assert lab.extend(first.id, [Recipe((Step("onnx_static_int8"),))]) == (old[1].id,)
    about = lab.wait(lab.start_scaling(old[1].id, threads=(1,), batches=(1, 2)))
    assert [p.value for p in lab.scaling(about.id).batch.points] == [1, 2]
    assert lab.scaling_study(old[1].id) == about.id
    assert lab.sensitivity_study(old[1].id) is None
    with pytest.raises(UsageError, match="does not ask"):
        lab.scaling(first.id)
    with pytest.raises(UnknownId):
        lab.start_scaling("nope-0001")
