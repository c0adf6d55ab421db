"""What many tests share: a lab of their own, and a model that is small enough to be swept in a
second.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.types import ModelCard


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
