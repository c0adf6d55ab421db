"""Form fields for options, built from their declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lab.errors import InvalidOption
from lab.options import Option
from lab.plots import formatting
from lab.plugs import Technique

Values = Mapping[str, tuple[Any, ...]]  # option id -> the values to try


def family(technique: Technique) -> str:
    return formatting.format_title(technique.produces)


def option_values(
    options: Sequence[Option], prefix: str, preset: str, defaults: Values, abreast: int = 2
) -> Values:
    """Draw a field for each option; every combination of the chosen values becomes a variant.

    Args:
        preset: preset whose values are tried for options outside the defaults; "" for their default
            alone.
    """
    columns = (
        st.columns(abreast, gap="medium") if len(options) > 1 and abreast > 1 else [st.container()]
    )
    by_option: dict[str, tuple[Any, ...]] = {
        o.id: (o.default,) for o in options if o.kind == "path"
    }  # never asked for here
    for number, option in enumerate(o for o in options if o.kind != "path"):
        with columns[number % len(columns)]:
            by_option[option.id] = option_field(
                option, f"{prefix}.{option.id}", defaults.get(option.id, option.values(preset))
            )
    return by_option


def option_field(option: Option, key: str, start: tuple[Any, ...]) -> tuple[Any, ...]:
    if option.kind == "names":
        entered = st.text_input(
            option.label, "+".join(start[0]), key=key, help=f"{option.help} Separate names with +."
        )
        return checked(option, [entered])
    offered = list(dict.fromkeys([*known_values(option), *start]))
    free = option.kind in ("int", "float") and not option.only
    label = f"{option.label} ({option.unit})" if option.unit else option.label
    help_ = f"{option.help} Accepts {option.allowed}." if free else option.help
    entered = st.multiselect(
        label,
        offered,
        list(start),
        key=key,
        help=help_,
        format_func=value_text,
        accept_new_options=free,
        placeholder="Type a number" if free else "Choose",
    )
    return checked(option, entered)


def known_values(option: Option) -> list[Any]:
    if option.kind == "bool":
        return [False, True]
    if option.kind == "choice":
        return list(option.choices)
    if option.only:
        return list(option.only)
    return sorted({option.default, *(v for values in option.sweep.values() for v in values)})


def value_text(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def checked(option: Option, entered: Sequence[Any]) -> tuple[Any, ...]:
    """Return the values in the option's type; invalid ones are reported and left out, and an empty
    choice means the default.
    """
    values = []
    for value in entered:
        try:
            values.append(option.validate(value))
        except InvalidOption:
            st.caption(
                f":red[{formatting.markdown(str(value))} is not valid. Accepted: {option.allowed}.]"
            )
    if not values:
        st.caption(f"Nothing selected: the default, {value_text(option.default)}, is used.")
    return tuple(dict.fromkeys(values)) or (option.default,)
