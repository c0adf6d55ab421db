"""The app: its pages, nothing else. Start it with `python -m lab serve`."""

import streamlit as st

import lab

ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M5 27V17h9V9h13" fill="none"
stroke="#8a97a5" stroke-width="2.5"/><g fill="#0072B2"><circle cx="5" cy="27" r="3.5"/><circle cx="14" cy="17" r="4.5"/>
</g><rect x="21" y="3" width="10" height="10" fill="#D55E00"/></svg>"""
STYLE = """<style>.stMainBlockContainer {padding-top: 4.2rem; padding-bottom: 3rem}
[data-testid=stLayoutWrapper]:has(> .st-key-sweep_summary) {position: sticky; top: 4.2rem}</style>"""
ABOUT = "**Compression lab**: how small, how fast and how accurate a model can be on the device that it must run on."


@st.cache_resource(show_spinner=False)
def _engine() -> None:
    lab.ensure_engine()


st.set_page_config("Compression lab", ICON, layout="wide", menu_items={"About": ABOUT})
st.html(STYLE)
_engine()
st.navigation(
    [
        st.Page("pages/study.py", title="Results", icon=":material/scatter_plot:", default=True),
        st.Page("pages/models.py", title="Models", icon=":material/deployed_code:"),
        st.Page("pages/sweep.py", title="New sweep", icon=":material/tune:"),
    ],
    position="top",
).run()
