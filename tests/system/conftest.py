"""What tests share that run the command line in a copy of the checkout."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.system.checkout import Checkout


@pytest.fixture
def same_home(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test reads the store that the copy's processes write."""
    monkeypatch.setenv("LAB_HOME", str(checkout.home))
    monkeypatch.delenv("LAB_DATABASE_URL", raising=False)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes of a test, ended with it."""
    made: list[subprocess.Popen[str]] = []
    yield made
    for process in made:
        if process.poll() is None:
            process.kill()
        process.communicate()
