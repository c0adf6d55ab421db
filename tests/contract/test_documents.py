"""Documents cannot lie: their tables are what the registry says now, and what they name exists."""

import re
from pathlib import Path

import pytest

from lab.share.tables import DOCUMENTS, refreshed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_tables_are_fresh(name):
    text = (ROOT / name).read_text()
    assert refreshed(text) == text, "run: python -m lab.share.tables"


@pytest.mark.parametrize("name", [*DOCUMENTS, "CHANGELOG.md"])
def test_named_files_exist(name):
    text = (ROOT / name).read_text()
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", text)
    paths = re.findall(
        r"`((?:lab|pages|tests|sample_models|notebooks|\.ci|\.streamlit)/[\w./]+)`", text
    )
    missing = [p for p in links + paths if not (ROOT / p).exists()]
    assert not missing


def test_every_dependency_has_its_reason():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    names = [
        re.split(r"[=<>\[ ]", line)[0]
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line
    ]
    assert not [n for n in names if f"`{n}`" not in text]
