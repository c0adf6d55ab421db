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


def _group(file: str) -> str:
    return next((group for path, group in TOGETHER.items() if file.startswith(path)), file)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group the tests for `--dist loadgroup`, those that take longest first."""
    groups = {item: _group(item.path.relative_to(config.rootpath).as_posix()) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: FIRST.index(groups[item]) if groups[item] in FIRST else len(FIRST))


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
