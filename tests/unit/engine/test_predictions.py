"""The compact form of answers: it changes none, travels with a study, and may be as strange as
files from anybody are.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest

import lab
from lab.engine import predictions as module
from lab.engine.predictions import Predictions, portable_predictions, predictions_of
from lab.errors import LabError
from lab.home import folder
from lab.store import records
from lab.store.blobs import keep
from lab.types import TrialDetails
from tests import fakes
from tests.unit.engine.test_paired_predictions import N, digits, ours, stored

__all__ = ["digits", "stored"]
CARD = "digits_lenet"


def kept(tmp_path, **arrays):
    np.savez_compressed(tmp_path / "made.npz", **arrays)
    return keep(tmp_path / "made.npz", "npz")


def bare(trial, **details):
    return replace(trial, details=TrialDetails(**details))


def test_no_answer_changes_and_shares_are_rounded_to_a_fifth_of_a_point(stored):
    card = lab.model(CARD)
    for trial in stored[:4]:
        whole, compact = (
            predictions_of(trial, card),
            predictions_of(bare(trial, predictions=portable_predictions(trial, card)), card),
        )
        np.testing.assert_array_equal(
            compact.class_scores.argmax(axis=1), whole.class_scores.argmax(axis=1)
        )
        assert abs(compact.class_scores - whole.class_scores).max() < 1 / 255
        assert (compact.value, whole.value) == ("softmax", "softmax")


def test_equal_shares_keep_the_answer(lab_home, tmp_path):
    trial, card = fakes.trial("x", 0.9, 1.0, 1.0), lab.model(CARD)
    outputs = np.array([[0.25, 0.2501, 0.2499, 0.25], [0.3334, 0.3333, 0.3333, 0.0]])
    made = bare(trial, outputs=kept(tmp_path, outputs=outputs))
    compact = predictions_of(bare(trial, predictions=portable_predictions(made, card)), card)
    assert compact.class_scores.argmax(axis=1).tolist() == [1, 0]
    assert compact.value == "probability"


def test_an_imported_study_shows_the_same_flips(stored, tmp_path, monkeypatch):
    here = lab.flips("study-1-0003", "study-1-0000")
    classes = lab.per_class("study-1-0003", "study-1-0000")
    file = lab.export("study-1", tmp_path / "study.lab")
    data = folder("data")
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "other"))
    lab.import_study(file)
    assert not lab.trials("study-1")[3].details.outputs
    for kept_data in data.iterdir():
        kept_data.rename(folder("data") / kept_data.name)
    there = lab.flips("study-1-0003", "study-1-0000")
    assert there.answers_known
    assert {(f.item, f.kind, f.truth, f.before, f.after) for f in there.flips} == {
        (f.item, f.kind, f.truth, f.before, f.after) for f in here.flips
    }
    near = {f.item: f for f in here.flips}
    assert all(
        abs(f.after_value - near[f.item].after_value) < 0.005
        and abs(f.gap - near[f.item].gap) < 0.01
        for f in there.flips
    )
    assert lab.per_class("study-1-0003", "study-1-0000") == classes
    again = lab.export("study-1", tmp_path / "again.lab")
    assert entries(again) == entries(file)


def entries(file):
    with zipfile.ZipFile(file) as archive:
        return {name for name in archive.namelist() if name.endswith(".npz")}


def test_what_was_imported_travels_on(stored, tmp_path):
    file = lab.export("study-1", tmp_path / "study.lab")
    assert len(entries(file)) == 5  # the two float models answer alike: kept once
    with zipfile.ZipFile(file) as archive:
        bytes_each = [
            info.file_size for info in archive.infolist() if info.filename.endswith(".npz")
        ]
    assert max(bytes_each) < N * 10 + 1500  # a byte a share, before compression


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"answers": np.zeros(3, np.uint16)},
        {
            "answers": np.array([0, 9], np.uint16),
            "shares": np.zeros((2, 3), np.uint8),
            "value": np.array("softmax"),
        },
        {
            "answers": np.zeros(3, np.uint16),
            "shares": np.zeros((2, 3), np.uint8),
            "value": np.array("softmax"),
        },
        {
            "answers": np.zeros(2, np.int64),
            "shares": np.zeros((2, 3), np.uint8),
            "value": np.array("softmax"),
        },
        {
            "answers": np.zeros(2, np.uint16),
            "shares": np.zeros((2, 3), np.float32),
            "value": np.array("softmax"),
        },
        {
            "answers": np.zeros(2, np.uint16),
            "shares": np.zeros((2, 3), np.uint8),
            "value": np.array("<b>sure</b>"),
        },
        {
            "answers": np.zeros(0, np.uint16),
            "shares": np.zeros((0, 3), np.uint8),
            "value": np.array("softmax"),
        },
        {
            "answers": np.zeros(2, np.uint16),
            "shares": np.zeros((2, 3), np.uint8),
            "value": np.array({"a": 1}, dtype=object),
        },
    ],
)
def test_strange_files_are_no_answers(lab_home, tmp_path, arrays):
    trial, card = fakes.trial("x", 0.9, 1.0, 1.0), lab.model(CARD)
    np.savez(tmp_path / "made.npz", **arrays)
    assert predictions_of(bare(trial, predictions=keep(tmp_path / "made.npz", "npz")), card) is None


def test_no_npz_at_all_is_no_answer(lab_home, tmp_path):
    (tmp_path / "made.npz").write_bytes(b"PK\x03\x04 but no archive")
    trial, card = fakes.trial("x", 0.9, 1.0, 1.0), lab.model(CARD)
    for details in (
        {"answers": keep(tmp_path / "made.npz", "npz").to_json()},
        {"answers": {"path": "/nowhere"}},
        {"answers": "text"},
        {"outputs": {"no": "path"}},
    ):
        damaged = replace(trial, details=TrialDetails.from_json(details))
        assert predictions_of(damaged, card) is None
        assert damaged.to_json()["details"] == details


def test_a_bomb_is_not_unpacked(lab_home, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    trial, card = fakes.trial("x", 0.9, 1.0, 1.0), lab.model(CARD)
    made = kept(
        tmp_path,
        answers=np.zeros(9000, np.uint16),
        shares=np.zeros((9000, 3), np.uint8),
        value=np.array("softmax"),
    )
    assert made.size_bytes < 10_000
    assert predictions_of(bare(trial, predictions=made), card) is None


def test_scores_travel_as_they_are(lab_home, tmp_path, monkeypatch):
    card = lab.model("machine_autoencoder")
    scores = np.random.default_rng(0).random(50)
    monkeypatch.setattr(
        module, "_from_outputs", lambda outputs, card: Predictions(anomaly_scores=scores)
    )
    trial = fakes.trial("x", 0.9, 1.0, 1.0)
    made = portable_predictions(
        bare(trial, outputs=kept(tmp_path, outputs=np.zeros((50, 2)))), card
    )
    np.testing.assert_array_equal(
        predictions_of(bare(trial, predictions=made), card).anomaly_scores, scores
    )
    nan = kept(tmp_path, scores=np.array([1.0, np.nan]))
    assert predictions_of(bare(trial, predictions=nan), card) is None


def test_bits_that_are_not_as_they_should_be_are_not_believed(digits):
    trials = [
        bare(t, correct={"metric": "top1_accuracy", "n": n, "bits": bits})
        for t, (n, bits) in zip(
            ours(fakes.trials(3, failed=0)), ((99, "AA=="), (8, "AA=="), (8, 5)), strict=True
        )
    ]
    records.add_study(fakes.study(), lab.model(CARD), trials)
    for one, other in (("0000", "0001"), ("0001", "0002")):
        with pytest.raises(LabError, match="not in this lab"):
            lab.flips(f"study-1-{one}", f"study-1-{other}")
