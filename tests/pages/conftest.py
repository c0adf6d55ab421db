"""A lab of its own for every test, filled with made-up studies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import lab
from lab.store import records
from lab.types import Study, Trial
from tests import fakes

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_lab(tmp_path, monkeypatch):
    """An empty LAB_HOME; nothing is run in it."""
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.delenv("LAB_DATABASE_URL", raising=False)
    monkeypatch.setattr(lab, "ensure_engine", lambda: None, raising=False)
    monkeypatch.setattr(lab, "example_study", lambda: None, raising=False)
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def add_study() -> Callable[..., str]:
    """Puts a study and its trials into the store."""

    def add(trials: list[Trial] | None = None, **more: object) -> str:
        study: Study = fakes.study(**more)  # type: ignore[arg-type]
        records.add_study(
            study,
            lab.model(study.model),
            fakes.trials(study=study.id) if trials is None else trials,
        )
        return study.id

    return add


def in_address(app: AppTest, name: str) -> str:
    """A value from the page's address."""
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Opens a page of the app at an address."""

    def open_(page: str, **query: str) -> AppTest:
        app = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        if page != "study":
            app.switch_page(f"pages/{page}.py").run()
        return app

    return open_
