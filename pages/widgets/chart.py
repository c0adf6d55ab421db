"""Plotly chart that keeps a viewer's zoom and selection.

`st.plotly_chart` starts anew whenever its figure changes, and so loses zoom and selection with
every new result; this component redraws in place. Plotly itself is served from its own Python
package, so nothing is fetched from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import plotly
import streamlit as st
import streamlit.components.v1 as v1

from lab.plots.theme import CONFIG, INKS, dark_for_light

_HERE = Path(__file__).parent


@st.cache_resource(show_spinner=False)
def _parts() -> tuple[Any, str]:
    """Return the component and the path under which Streamlit serves Plotly's script."""
    package = v1.declare_component(
        "plotlyjs", path=str(Path(plotly.__file__).parent / "package_data")
    )
    component = st.components.v2.component(
        "lab_chart",
        html='<div class="lab-chart" role="img" style="width: 100%"></div>',
        js=(_HERE / "chart.js").read_text(encoding="utf-8"),
        isolate_styles=False,
    )
    return component, f"component/{package.name}/plotly.min.js"


def chart(
    figure_json: str,
    *,
    key: str,
    height: int,
    alt: str,
    chosen: Sequence[str] = (),
    on_choose: Callable[[str], None] | None = None,
    on_mark: Callable[[str], None] | None = None,
    zoom: Sequence[float] | None = None,
    on_zoom: Callable[[Sequence[float] | None], None] | None = None,
    static: bool = False,
) -> None:
    """Draw a figure.

    Args:
        figure_json: a light figure's JSON, which the browser turns dark where the viewer's theme
            is; text, so that a cached figure costs nothing to send again.
        key: while it stays, the chart is redrawn in place.
        height: pixels kept free until it is drawn, so that nothing jumps.
        alt: text alternative of the chart.
        chosen: ids (first entry of a point's customdata) to put rings around.
        on_choose: receives the id of a clicked point; on_mark: of a point clicked with Shift.
        zoom: ends of both axes to begin with, as Plotly counts them; on_zoom: receives the
            viewer's, or None for the full range.
        static: no hover, zoom or buttons.
    """

    def tell() -> None:
        if on_choose and (id_ := st.session_state[key].chosen):
            on_choose(id_)

    def tell_mark() -> None:
        if on_mark and (id_ := st.session_state[key].marked):
            on_mark(id_)

    def tell_zoom() -> None:
        if on_zoom and (said := st.session_state[key].zoomed):
            on_zoom(said["ranges"])

    component, path = _parts()
    data = {
        "figure": figure_json,
        "plotly": path,
        "alt": alt,
        "height": height,
        "dark": dark_for_light(),
        "config": CONFIG | {"staticPlot": static},
    }
    if on_choose:
        data |= {"chosen": list(chosen), "ring": INKS["light"].text}
    if on_zoom:
        data |= {"zoom": list(zoom) if zoom else None, "zooms": True}
    component(
        data=data,
        key=key,
        on_chosen_change=tell,
        on_marked_change=tell_mark,
        on_zoomed_change=tell_zoom,
    )
