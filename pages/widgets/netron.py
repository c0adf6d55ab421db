"""Model graph by Netron, whose package this app serves on its own port, shut off from anywhere
else.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st
import streamlit.components.v1 as v1
from streamlit import runtime

_HERE = Path(__file__).parent / "netron_graph"
HEIGHT = 620
LARGEST_BYTES = 200_000_000


@st.cache_resource(show_spinner=False)
def _parts() -> tuple[str, str]:
    """Return the names under which Streamlit serves our page and Netron's package."""
    page = v1.declare_component("graph", path=str(_HERE))
    netron = find_spec("netron")  # its scripts are wanted, not its own server
    package = v1.declare_component("netron", path=str(Path(str(netron and netron.origin)).parent))
    return page.name, package.name


def graph(file: Path, name: str, *, alt: str) -> None:
    """Show the graph of a model file.

    Args:
        file: .keras, .h5, .pt2, .onnx or .tflite.
        name: file name for Netron; its suffix tells the format.
        alt: text alternative of the graph.
    """
    if file.stat().st_size > LARGEST_BYTES:
        st.caption("The file is too large for a graph in the browser.")
        return
    page, package = _parts()
    root = st.get_option("server.baseUrlPath").strip("/")
    below = f"/{root}/" if root else "/"
    query = urlencode(
        {"netron": package, "url": below + _served(file).lstrip("/"), "identifier": name}
    )
    st.iframe(f"{below}component/{page}/index.html?{query}", height=HEIGHT, alt=alt)


def _served(file: Path) -> str:
    """Return the path under which this visitor may fetch the file while the graph is on their
    page.
    """
    if not runtime.exists():
        return file.name
    return runtime.get_instance().media_file_mgr.add(
        str(file), "application/octet-stream", f"graph-{file.name}"
    )
