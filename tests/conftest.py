"""What many tests share: a lab of their own, and a model that is small enough to be swept in a
second.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def _group(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return next((group for path, group in TOGETHER.items() if file.startswith(path)), file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups that take longest."""
    places = {group: place for place, group in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(_group(item.nodeid), len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the groups to the processes of `--numprocesses`, each as a whole. The usual marks do
    not: pytest-xdist writes them into names of tests, which pytest 9.2 no longer lets it change.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return Groups(config, log)


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
