"""Every data set is what its file declares: arrays, digests, labels, origin. Those from the net
refuse plainly without it.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from lab import registry
from lab.errors import DownloadFailed
from lab.plugs import ARRAYS, Array, Dataset, Splits, arrays_digest, sources_digest
from lab.store.data import dataset_folder, is_here
from tests import loaded

MIN_CALIBRATION, MIN_TEST = 200, 1_500
SMALLER = {"digits": 500}
"""Data sets that have fewer test items than others because there are no more."""
PARTS = ("calibration", "test")
ALL = registry.datasets()
OFFLINE = sorted(id_ for id_, d in ALL.items() if not d.sources and d.missing is None)
ONLINE = sorted(id_ for id_, d in ALL.items() if d.sources)


@pytest.fixture(params=OFFLINE)
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return registry.dataset(request.param)


@pytest.fixture
def splits(dataset: Dataset) -> Splits:
    return loaded.splits(dataset.id)


@pytest.fixture(params=ONLINE)
def online(request: pytest.FixtureRequest) -> Dataset:
    return registry.dataset(request.param)


def part_of(splits: Splits, part: str) -> tuple[Array, Array]:
    return getattr(splits, f"x_{part}"), getattr(splits, f"y_{part}")


def check_items(dataset: Dataset, x: Array, y: Array, like: Array) -> None:
    assert x.shape[1:] == like.shape[1:]
    assert x.dtype == like.dtype
    assert np.isfinite(x).all()
    assert y.shape == (len(x),)
    assert y.dtype == np.int64


def classes_of(dataset: Dataset, part: str) -> set[int]:
    """A detector of anomalies sees only what is normal before it is tested."""
    normal_only = dataset.task == "anomaly_detection" and part != "test"
    return (
        {0}
        if normal_only
        else set(range(2 if dataset.task == "anomaly_detection" else len(dataset.class_names)))
    )


def test_digest_is_the_declared_one(dataset: Dataset, splits: Splits) -> None:
    assert splits.digest() == dataset.digest


def test_digest_does_not_depend_on_the_process(dataset: Dataset) -> None:
    code = f"from lab import registry; print(registry.dataset({dataset.id!r}).load().digest())"
    run = [sys.executable, "-c", code]
    out = subprocess.run(
        run, env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == dataset.digest


@pytest.mark.slow
def test_training_set_is_the_declared_one(dataset: Dataset, splits: Splits) -> None:
    x, y = loaded.training(dataset.id)
    assert arrays_digest({"x": x, "y": y}) == dataset.training_digest
    check_items(dataset, x, y, splits.x_test)
    assert set(np.unique(y)) == classes_of(dataset, "training")
    assert len(x) > len(splits.x_calibration)


@pytest.mark.parametrize("part", PARTS)
def test_items_and_labels_fit_each_other(dataset: Dataset, splits: Splits, part: str) -> None:
    x, y = part_of(splits, part)
    check_items(dataset, x, y, splits.x_test)
    assert set(np.unique(y)) == classes_of(dataset, part), "every class is in every split"


def test_splits_are_large_enough(dataset: Dataset, splits: Splits) -> None:
    assert len(splits.x_calibration) >= MIN_CALIBRATION
    assert len(splits.x_test) >= SMALLER.get(dataset.id, MIN_TEST)
    assert len(splits.x_test) == dataset.test_items


def test_preview_shows_the_first_test_items(dataset: Dataset, splits: Splits) -> None:
    if dataset.preview is not None:
        x, y = dataset.preview(7)
        np.testing.assert_array_equal(x, splits.x_test[:7])
        np.testing.assert_array_equal(y, splits.y_test[:7])


def test_text_can_be_shown(dataset: Dataset, splits: Splits) -> None:
    assert (dataset.show == "text") == (dataset.decode is not None)
    if dataset.decode is not None:
        assert all(dataset.decode(x).strip() for x in splits.x_test[:50])


@pytest.mark.parametrize("id_", sorted(ALL))
def test_origin_and_licence_are_stated(id_: str) -> None:
    dataset = registry.dataset(id_)
    assert all(
        (dataset.title, dataset.provenance, dataset.licence, dataset.class_names, dataset.digest)
    )
    assert dataset.task in registry.tasks()
    assert dataset.test_items > 0


def test_no_two_data_sets_share_a_digest() -> None:
    assert len({d.digest for d in ALL.values()}) == len(ALL)


def test_importing_the_data_sets_loads_no_framework() -> None:
    code = (
        "import sys, lab.registry; lab.registry.datasets();print(*{'sklearn', 'babel', 'torch',"
        " 'tensorflow', 'keras', 'urllib.request'} & set(sys.modules))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "\n"
    )


# --- from the net ---------------------------------------------------------------------------------


def test_published_files_are_named_with_digest_and_size(online: Dataset) -> None:
    for source in online.sources:
        assert source.url.startswith("https://")
        assert len(bytes.fromhex(source.sha256)) == 32
        assert source.size_bytes > 1000
    assert len({source.name for source in online.sources}) == len(online.sources)


def test_its_digest_comes_from_the_files(online: Dataset) -> None:
    assert online.digest in {sources_digest(online.sources, version) for version in range(1, 20)}
    assert online.training_digest == online.digest


def test_it_refuses_plainly_without_the_net(
    online: Dataset, lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.delenv("LAB_DOWNLOADS", raising=False)
    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    assert online.training is not None
    for load in (online.load, online.training):
        with pytest.raises(
            DownloadFailed, match=r"not on this machine.*could not be reached.*by hand"
        ):
            load()
    assert not is_here(online)


def test_arrays_of_a_data_set_are_kept_and_found_again(lab_home: Path) -> None:
    where = dataset_folder("digits")
    assert where.parent.parent == lab_home
    assert {file.stem for file in where.iterdir()} == set(ARRAYS)
    assert dataset_folder("digits") == where
