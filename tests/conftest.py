"""What many tests share: a lab of their own, and a model that is small enough to be swept in a
second.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.types import ModelCard

TOGETHER = {
    "tests/browser/": "browser",  # one server and one Chromium
    "tests/contract/test_datasets.py": "data sets",
    "tests/contract/test_leaks.py": "data sets",
    "tests/unit/datasets/": "data sets",
}
"""File or folder -> group whose tests run in one process, since they share what takes long to
make. Of all others, the tests of a file do.
"""
FIRST = ("tests/contract/test_sample_models.py", "browser")
"""Groups that take longest: they begin first, so that no process is left with one at the end."""


def _group(item: pytest.Item) -> str:
    file = item.path.relative_to(item.config.rootpath).as_posix()
    return next((group for path, group in TOGETHER.items() if file.startswith(path)), file)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Group the tests for `--dist loadgroup`."""
    item.add_marker(pytest.mark.xdist_group(_group(item)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups that take longest."""
    places = {group: place for place, group in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(_group(item), len(FIRST)))


@pytest.fixture
def lab_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty LAB_HOME; engines that the test started are stopped at its end."""
    from lab.engine.host import stop_engines

    home = tmp_path / "home"
    monkeypatch.setenv("LAB_HOME", str(home))
    monkeypatch.delenv("LAB_DATABASE_URL", raising=False)
    yield home
    stop_engines()


@pytest.fixture
def small_card(lab_home: Path, tmp_path: Path) -> ModelCard:
    """The small model of tests.small, registered in the test's own lab."""
    import lab
    from tests import small

    return lab.add_model(
        small.write_onnx(tmp_path / "small.onnx"), small.write_data(tmp_path / "small.npz")
    )
