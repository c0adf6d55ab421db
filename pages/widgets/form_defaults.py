"""Sweep from a link: initial values of the form in place of a preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

import lab
from lab.errors import LabError
from lab.plots import formatting
from lab.spec.chains import recipes_of
from lab.types import Chain, Recipe, StudySpec, Target
from pages.widgets.options import Values

PROTOCOL = (
    "seed",
    "rounds",
    "runs",
    "turn_s",
    "test_samples",
    "precision",
    "budget_s",
    "objectives",
    "metrics",
    "about",
)
"""Fields of a spec that the form does not show."""


@dataclass(frozen=True)
class FormDefaults:
    """Initial values of the form: those of a spec, otherwise of the preset."""

    model: str
    preset: str
    spec: StudySpec | None = None

    @property
    def prefix(self) -> str:
        """Prefix of the keys of the form's fields, different for each model, preset and link."""
        return f"{self.model}.{self.preset}" + (
            f".{hash(str(self.spec.to_json())):x}" if self.spec else ""
        )

    def targets(self, runtime_id: str) -> Sequence[Target]:
        """Return the targets of a runtime for every variant; only a link has them."""
        return [t for t in self.spec.targets if t.runtime == runtime_id] if self.spec else []

    def values(self, runtime_id: str) -> Values:
        """Return option -> values of a runtime; empty for those of the preset."""
        everything = [*self.targets(runtime_id), *(self.spec.further_targets if self.spec else ())]
        by_option: dict[str, tuple[Any, ...]] = {}
        for target in (t for t in everything if t.runtime == runtime_id):
            for option, value in target.options.items():
                by_option[option] = tuple(dict.fromkeys((*by_option.get(option, ()), value)))
        return by_option

    def space(self, runtime_ids: Sequence[str]) -> Mapping[str, Values]:
        return (
            self.spec.space if self.spec else lab.preset_space(self.model, self.preset, runtime_ids)
        )

    def recipes(self, runtime_ids: Sequence[str]) -> Sequence[Recipe]:
        return (
            self.spec.recipes
            if self.spec
            else lab.preset_recipes(self.model, self.preset, runtime_ids)
        )

    @property
    def protocol(self) -> dict[str, Any]:
        whole = self.spec.to_json() if self.spec else {}
        return {name: whole[name] for name in PROTOCOL if name in whole}


def spec_in_address() -> StudySpec | None:
    """Read the sweep in the link and describe it; None without one, or if it cannot run here."""
    text = st.query_params.get("spec")
    if not text:
        return None
    try:
        spec = lab.spec_from_text(text)
    except LabError as error:
        st.error(formatting.markdown(str(error)), icon=":material/link_off:")
        return None
    if spec.model not in lab.models():
        st.error(
            f"The sweep in this link needs the model {formatting.markdown(spec.model)}, which is"
            " not in this lab. Ask for the model file and its data, then add them with `python -m"
            " lab add MODEL_FILE --data DATA.npz`.",
            icon=":material/link_off:",
        )
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(
            "Filled in from a link. Adjust the settings, then start the sweep here.",
            icon=":material/link:",
        )
        st.button(
            "Start over",
            icon=":material/restart_alt:",
            type="tertiary",
            on_click=lambda: st.query_params.pop("spec"),
        )
    return spec


def chains_from_link(chains: Sequence[Chain], key: str) -> tuple[Chain, ...]:
    """Draw the choice to use the link's compositions."""
    if not chains:
        return ()
    st.subheader("Compositions", anchor=False)
    count = sum(len(recipes_of(chain)) for chain in chains)
    taken = st.toggle(
        f"Try the {formatting.plural(count, 'composition')} from the link", True, key=key
    )
    with st.expander("Show the compositions"):
        st.json(
            [
                [
                    {t: {o: list(v) for o, v in space.items()} for t, space in stage.items()}
                    for stage in c
                ]
                for c in chains
            ]
        )
    return tuple(chains) if taken else ()
