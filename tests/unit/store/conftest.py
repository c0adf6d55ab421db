"""The stores that the tests of this folder run on."""

from pathlib import Path

import pytest

from tests.postgres import empty_database, server  # noqa: F401

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest, lab_home: Path) -> str:
    """An empty store of each kind."""
    if request.param == "postgresql":
        request.getfixturevalue("empty_database")
    return str(request.param)
