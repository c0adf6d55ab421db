"""Widgets whose values the address remembers, so that a link shows the same view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st


def segments(
    name: str,
    label: str,
    options: Sequence[str],
    texts: Mapping[str, str] | None = None,
    **more: Any,
) -> str:
    """Draw a choice of one of a few; the first is the default and stays out of the address."""
    start, key = _start(name, options), f"choice_{name}"
    selected = st.segmented_control(
        label,
        options,
        default=start,
        required=True,
        key=key,
        format_func=lambda id_: (texts or {}).get(id_, id_),
        on_change=remember,
        args=(name, key, options[0]),
        **more,
    )
    return selected or start


def dropdown(
    name: str, label: str, options: Sequence[str], texts: Mapping[str, str] | None = None
) -> str:
    """Draw a choice of one of many; the first is the default and stays out of the address."""
    start, key = _start(name, options), f"choice_{name}"
    selected = st.selectbox(
        label,
        options,
        list(options).index(start),
        key=key,
        on_change=remember,
        args=(name, key, options[0]),
        format_func=lambda id_: (texts or {}).get(id_, id_),
    )
    return selected or start


def _start(name: str, options: Sequence[str]) -> str:
    """Return the value in the address if it is valid; a value kept from another study may not
    be.
    """
    in_address = st.query_params.get(name, options[0])
    if st.session_state.get(f"choice_{name}", options[0]) not in options:
        del st.session_state[f"choice_{name}"]
    return in_address if in_address in options else options[0]


def number(name: str, default: float) -> float:
    """Read a number from the address."""
    try:
        return float(st.query_params.get(name, default))
    except ValueError:
        return default


def remember(name: str, key: str, default: Any) -> None:
    """Put a widget's value into the address, or remove it if it is the default."""
    value = st.session_state[key]
    if value is None or value == default:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = repr(value) if isinstance(value, float) else str(value)


def several(
    name: str,
    label: str,
    options: Sequence[str],
    texts: Mapping[str, str] | None = None,
    **more: Any,
) -> tuple[str, ...]:
    """Draw a choice of any number of values; none is the default and stays out of the address."""
    key = f"choice_{name}"
    if key not in st.session_state:
        st.session_state[key] = [o for o in st.query_params.get_all(name) if o in options]
    elif gone := [o for o in st.session_state[key] if o not in options]:  # kept from another study
        st.session_state[key] = [o for o in st.session_state[key] if o not in gone]
    selected = st.multiselect(
        label,
        options,
        key=key,
        on_change=_remember_all,
        args=(name, key),
        placeholder="All",
        format_func=lambda id_: (texts or {}).get(id_, id_),
        **more,
    )
    return tuple(selected)


def _remember_all(name: str, key: str) -> None:
    if values := list(st.session_state[key]):
        st.query_params[name] = values
    else:
        st.query_params.pop(name, None)


def words(name: str, label: str, **more: Any) -> str:
    """Draw a text field; an empty text stays out of the address."""
    key = f"choice_{name}"
    return st.text_input(
        label,
        st.query_params.get(name, ""),
        key=key,
        max_chars=80,
        on_change=remember,
        args=(name, key, ""),
        **more,
    )


def scale(name: str, label: str, values: Sequence[float], default: float, **more: Any) -> float:
    """Draw a number on a slider; the default stays out of the address."""
    key = f"choice_{name}"
    start = min(values, key=lambda v: abs(v - number(name, default)))
    return float(
        st.select_slider(
            label, values, start, key=key, on_change=remember, args=(name, key, default), **more
        )
    )
