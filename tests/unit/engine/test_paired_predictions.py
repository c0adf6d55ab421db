"""What trials answered, read back from the store; what is said where it is not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lab
from lab.errors import LabError, UsageError
from lab.home import folder
from lab.metrics.alarm_agreement import alarm_agreement
from lab.store import records
from lab.types import Artifact, StudySpec, TrialDetails
from tests import fakes

N = 120


def ours(trials, study="study-1"):
    """Ids that the store finds trials by."""
    return [replace(t, id=f"{study}-{t.position:04d}", study=study) for t in trials]


@pytest.fixture
def digits(lab_home):
    """The test set of the sample model, made up; its labels."""
    rng = np.random.default_rng(5)
    where = folder("data") / lab.available_datasets()["digits"].digest
    where.mkdir(parents=True)
    labels = rng.integers(0, 10, N)
    np.save(where / "x_test.npy", rng.random((N, 8, 8, 1), np.float32))
    np.save(where / "y_test.npy", labels)
    return labels


@pytest.fixture
def stored(digits):
    made = fakes.with_outputs(fakes.trials(6, failed=0), folder("artifacts"), digits)
    made = [replace(t, environment=None) for t in ours(made)]
    records.add_study(fakes.study(), lab.model("digits_lenet"), made)
    return lab.trials("study-1")


def test_flips_are_read_from_what_both_answered(stored, digits):
    base, variant = stored[0], stored[3]
    a, b = (np.load(t.details.outputs.path)["outputs"].argmax(axis=1) for t in (base, variant))
    found = lab.flips(variant.id, base.id)
    assert {f.item for f in found.flips} == set(np.flatnonzero(a != b))
    assert all(
        (f.truth, f.before, f.after) == (digits[f.item], a[f.item], b[f.item]) for f in found.flips
    )
    assert (found.n, found.value, found.answers_known) == (N, "softmax", True)
    assert len(found.of("fixed")) == int(((a != digits) & (b == digits)).sum()) > 0
    assert lab.flips(variant.id) == found  # the float baseline on its runtime


def test_classes_are_counted_from_the_same_answers(stored, digits):
    found = lab.per_class(stored[3].id, stored[0].id)
    assert sum(c.n for c in found) == N
    flips = lab.flips(stored[3].id, stored[0].id)
    assert sum(c.won for c in found) == len(flips.of("fixed"))
    assert sum(c.lost for c in found) == len(flips.of("broken"))


def test_without_answers_the_bits_still_tell_which_items_flipped(stored):
    base, variant = stored[0], stored[3]
    whole = lab.flips(variant.id, base.id)
    bare = [
        replace(
            t,
            details=TrialDetails(correct=t.details.correct),
            id=f"bare-{t.position:04d}",
            study="bare",
        )
        for t in stored
    ]
    records.add_study(fakes.study("bare"), lab.model("digits_lenet"), bare)
    found = lab.flips("bare-0003", "bare-0000")
    assert not found.answers_known
    for kind in ("fixed", "broken"):
        assert {f.item for f in found.of(kind)} == {f.item for f in whole.of(kind)}
    assert lab.per_class("bare-0003", "bare-0000") == lab.per_class(variant.id, base.id)


def test_where_nothing_was_kept_it_is_said_why(digits):
    records.add_study(fakes.study(), lab.model("digits_lenet"), ours(fakes.trials(4, failed=0)))
    with pytest.raises(LabError, match=r"not in this lab.*open it where it ran"):
        lab.flips("study-1-0003", "study-1-0000")


def test_other_numbers_of_items_are_refused(stored, digits):
    fewer = fakes.with_outputs(
        ours(fakes.trials(4, failed=0), "few"), folder("artifacts") / "..", digits[:50]
    )
    kept = []
    for t in fewer:
        file = folder("artifacts") / f"few{t.position}.npz"
        file.write_bytes((folder("artifacts") / ".." / f"{t.position:064d}.npz").read_bytes())
        kept.append(
            replace(
                t, details=replace(t.details, outputs=replace(t.details.outputs, path=str(file)))
            )
        )
    records.add_study(
        fakes.study("few", spec=StudySpec("digits_lenet", test_samples=50)),
        lab.model("digits_lenet"),
        kept,
    )
    with pytest.raises(UsageError, match="another number of test items"):
        lab.flips("few-0003", "study-1-0000")
    assert not lab.same_items(["few-0003", "study-1-0000"])


def test_other_data_are_refused(stored):
    records.add_study(
        fakes.study("signs", model="signs_resnet8"),
        lab.model("signs_resnet8"),
        ours(fakes.trials(4, failed=0), "signs"),
    )
    with pytest.raises(UsageError, match="other data"):
        lab.flips("signs-0003", "study-1-0000")
    assert not lab.same_items(["signs-0003", "study-1-0000"])
    assert lab.same_items(["study-1-0003", "study-1-0000"])


def test_items_are_the_rows_that_were_asked_for(stored, digits):
    found = lab.items("study-1", [7, 3])
    np.testing.assert_array_equal(found.labels, digits[[7, 3]])
    x = np.load(folder("data") / lab.available_datasets()["digits"].digest / "x_test.npy")
    np.testing.assert_array_equal(found.items, x[[7, 3]])
    assert lab.items("study-1", [N + 5]) is None


def test_data_that_would_have_to_be_downloaded_are_not(lab_home, monkeypatch):
    from lab.engine.predictions import array_of

    card = replace(lab.model("digits_lenet"), dataset="cifar10")
    monkeypatch.setattr(
        "lab.engine.predictions.data_folder", lambda card: pytest.fail("must not be asked for")
    )
    assert array_of(card, "y_test", 5) is None


def test_alarms_flip_at_the_float_models_threshold(lab_home):
    card = lab.model("machine_autoencoder")
    rng, size = np.random.default_rng(2), card.input.shape
    labels = rng.integers(0, 2, 200)
    where = folder("data") / lab.available_datasets()[card.dataset].digest
    where.mkdir(parents=True)
    x = rng.normal(0, 1, (200, *size)).astype(np.float32)
    np.save(where / "x_test.npy", x)
    np.save(where / "y_test.npy", labels)
    from lab.formats.feeding import as_input

    inputs = as_input(x, card.input)
    outputs = [
        inputs + rng.normal(0, 1 + labels.reshape(-1, *[1] * len(size)) * 0.3, inputs.shape)
        for _ in range(3)
    ]
    made = []
    for t, values in zip(ours(fakes.trials(3, failed=0)), outputs, strict=True):
        file = folder("artifacts") / f"{t.position:064d}.npz"
        np.savez_compressed(file, outputs=values.astype(np.float32))
        made.append(
            replace(
                t,
                details=TrialDetails(outputs=Artifact(str(file), "npz", file.stem, 1)),
            )
        )
    records.add_study(fakes.study(model=card.id), card, made)
    found = lab.flips("study-1-0002", "study-1-0001")
    base, variant = (np.load(made[i].details.outputs.path)["outputs"] for i in (1, 2))
    scores = [
        np.mean(np.square(o.reshape(200, -1) - inputs.reshape(200, -1), dtype=np.float64), axis=1)
        for o in (base, variant)
    ]
    threshold = np.quantile(scores[0][labels == 0], 0.9)
    assert found.threshold == pytest.approx(threshold)
    assert {f.item for f in found.flips} == set(
        np.flatnonzero((scores[0] > threshold) != (scores[1] > threshold))
    )
    agreement = alarm_agreement(variant, base, labels, inputs)
    assert 1 - len(found.flips) / 200 == pytest.approx(agreement.value)
    assert 0 < len(found.flips) < 200
