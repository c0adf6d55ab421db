"""A page is one file: the navigation finds it."""

import shutil

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import ROOT


def test_a_new_file_is_a_new_page(tmp_path):
    shutil.copy(ROOT / "streamlit_app.py", tmp_path)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "_helper.py").write_text("raise RuntimeError('not a page')")
    (tmp_path / "pages" / "second.py").write_text(
        "TITLE, ICON, ORDER = 'Second', ':material/star:', 2\n"
    )
    (tmp_path / "pages" / "first.py").write_text(
        "import streamlit as st\nTITLE, ICON, ORDER = 'First', ':material/star:',"
        " 1\nst.write('hello from the first')\n"
    )
    app = AppTest.from_file(tmp_path / "streamlit_app.py").run()
    assert not app.exception
    assert "hello from the first" in [m.value for m in app.markdown]
    assert not app.switch_page("pages/second.py").run().exception
