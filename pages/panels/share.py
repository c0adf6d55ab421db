"""Links to this view and to the settings of the sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import streamlit as st

import lab
from lab.plots import formatting
from lab.types import Study

NOT_IN_A_VIEW = ("study", "link")
MOST_SHOWN = 5


def share(study: Study) -> None:
    """Draw a popover with both kinds of links."""
    with st.popover("Share", icon=":material/share:"):
        st.markdown("**Link to this view** (anyone who can reach this server)")
        st.caption(
            "The link shows this study as you see it now, and nothing else of the lab. Viewers"
            " cannot change anything, and you can revoke the link."
        )
        st.button(
            "Create link",
            icon=":material/add_link:",
            key="make_link",
            width="stretch",
            on_click=_make,
            args=(study.id, view_now()),
        )
        links = lab.links(study.id)
        for link in links[:MOST_SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.code(address(f"?link={link.token}"), language=None)
                st.button(
                    "Revoke",
                    key=f"revoke_{link.token}",
                    help=f"Created {formatting.moment(link.created_at)}",
                    on_click=lab.revoke_link,
                    args=(link.token,),
                )
        if len(links) > MOST_SHOWN:
            st.caption(f"{len(links) - MOST_SHOWN} older links: `python -m lab links {study.id}`")
        st.divider()
        st.markdown("**Link to these settings** (for another lab)")
        st.caption(
            "The link opens the New sweep page with all settings filled in. For another lab,"
            " replace the address of this server."
        )
        st.code(
            address(f"sweep?spec={lab.spec_to_text(study.spec)}"),
            language=None,
            height=92,
            wrap_lines=True,
        )


def _make(study_id: str, view: Mapping[str, Sequence[str]]) -> None:
    lab.create_link(study_id, view)
    st.toast("Link created. Use its copy button.", icon=":material/link:")


def view_now() -> dict[str, list[str]]:
    """Return the query parameters of the view."""
    return {
        name: st.query_params.get_all(name) for name in st.query_params if name not in NOT_IN_A_VIEW
    }


def address(rest: str) -> str:
    """Return an address on this server, as the viewer knows it."""
    own = urlsplit(str(st.context.url or ""))
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"{own.scheme}://{own.netloc}/{base + '/' if base else ''}{rest}"
