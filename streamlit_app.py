"""The app: its pages, nothing else. Start it with `python -m lab serve`."""

import ast
import gc
from importlib import import_module
from pathlib import Path
from threading import Thread

import streamlit as st

import lab

PAGES = Path(__file__).parent / "pages"

ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M5 27V17h9V9h13" fill="none"
stroke="#8a97a5" stroke-width="2.5"/><g fill="#0072B2"><circle cx="5" cy="27" r="3.5"/><circle cx="14" cy="17" r="4.5"/>
</g><rect x="21" y="3" width="10" height="10" fill="#D55E00"/></svg>"""
STYLE = """<style>.stMainBlockContainer {padding-top: 4.2rem; padding-bottom: 3rem}
[data-testid=stLayoutWrapper]:has(> .st-key-sweep_summary) {position: sticky; top: 4.2rem}</style>"""
ABOUT = (
    "**Compression lab** measures how small, fast and accurate a model can be on its target device."
)


@st.cache_resource(show_spinner=False)
def _engine() -> None:
    lab.ensure_engine()
    import pandas  # noqa: F401 (every page needs it, so it is frozen with the rest)

    Thread(
        target=import_module, args=("scipy.stats",), daemon=True
    ).start()  # comparisons need it; no page waits for it
    # Streamlit collects garbage after every rerun: frozen imports are not scanned each time
    gc.freeze()


@st.cache_resource(show_spinner=False)
def pages_in(folder: Path) -> list[tuple[Path, tuple[str, str, int]]]:
    """Return the pages of the folder, whose file names do not begin with "_", in the order that
    they declare.
    """
    return sorted(
        ((path, declaration(path)) for path in folder.glob("[!_]*.py")), key=lambda page: page[1][2]
    )


def pages() -> list:
    """Return the entries of the navigation; the first page is the default."""
    ordered = pages_in(PAGES)
    return [
        st.Page(path, title=title, icon=icon, default=path == ordered[0][0])
        for path, (title, icon, _) in ordered
    ]


def declaration(path: Path) -> tuple[str, str, int]:
    """Read a page's `TITLE, ICON, ORDER = …` without running it."""
    for statement in ast.parse(path.read_text()).body:
        if (
            isinstance(statement, ast.Assign)
            and ast.unparse(statement.targets[0]) == "(TITLE, ICON, ORDER)"
        ):
            return ast.literal_eval(statement.value)
    raise SyntaxError(
        f"{path.name} needs a line: TITLE, ICON, ORDER = 'Title', ':material/icon:', 9"
    )


st.set_page_config("Compression lab", ICON, layout="wide", menu_items={"About": ABOUT})
st.html(STYLE)
_engine()
if "link" in st.query_params:
    shared = st.Page(
        PAGES / "_shared.py", title="Shared study", icon=":material/visibility:", default=True
    )
    st.navigation([shared], position="hidden").run()
else:
    st.navigation(pages(), position="top").run()
