"""Compositions of techniques: pruning, then training, then quantization; every path through them is
a variant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

import lab
from lab.plots import formatting
from lab.plugs import Technique
from lab.spec.chains import NOTHING, ROLES, recipes_of
from lab.types import Chain
from pages.widgets.options import Values, family, option_values

WHAT = (
    "Techniques applied one after another. Every path through the three stages is a variant, and"
    " steps that variants share run once: a pruned model is trained once, however many"
    " quantizations follow."
)
HEADS = {"prune": "1 · Prune", "tune": "2 · Train", "quantize": "3 · Quantize"}
HELPS = {
    "prune": (
        "Makes the float model smaller. With “nothing” selected, the unpruned model is trained as"
        " well."
    ),
    "tune": (
        "Trains the float model. With “nothing” selected, the pruned model is also used without"
        " training."
    ),
    "quantize": (
        "Stores the numbers in fewer bits. With “nothing” selected, the model is also kept in"
        " float."
    ),
}
SEED, MOST_SEEDS = "train_seed", 10
SEED_HELP = (
    "Each training is repeated with this many seeds, which shows how much of a result is luck."
)
Stages = dict[str, dict[str, Values]]  # role -> technique -> option -> values


def compositions(model: str, preset: str, runtime_ids: Sequence[str]) -> tuple[Chain, ...]:
    """Return the chosen compositions; none if the model cannot be trained here, or if they are
    switched off.
    """
    techniques = lab.applicable_techniques(model, runtime_ids)
    if not any(t.role != "quantize" for t in techniques):
        return ()
    st.subheader("Compositions", anchor=False)
    st.caption(WHAT)
    usual = lab.preset_chains(model, preset, runtime_ids)
    prefix = f"{model}.{preset}.chain"
    if not st.toggle("Try compositions", bool(usual), key=prefix):
        return ()
    begin = merged(usual) if usual else first_choice(techniques)
    chosen: Stages = {}
    for column, role in zip(st.columns(len(ROLES), gap="medium"), ROLES, strict=True):
        with column, st.container(border=True, height="stretch"):
            chosen[role] = stage(
                role,
                [t for t in techniques if t.role == role],
                begin.get(role, {}),
                f"{prefix}.{role}",
            )
    chains = usual if usual and chosen == completed(begin) else one_chain(chosen)
    st.caption(count_text(chains))
    return chains


def merged(chains: Sequence[Chain]) -> Stages:
    """Merge the preset's compositions into one form."""
    stages: Stages = {role: {} for role in ROLES}
    for chain in chains:
        for role, choices in zip(ROLES, chain, strict=True):
            for id_, space in choices.items():
                settings = stages[role].setdefault(id_, {})
                stages[role][id_] = {
                    **settings,
                    **{
                        o: tuple(dict.fromkeys((*settings.get(o, ()), *v)))
                        for o, v in space.items()
                    },
                }
    return stages


def first_choice(techniques: Sequence[Technique]) -> Stages:
    """Return the initial form of a composition without a preset: one technique per stage, and
    nothing as an alternative in the last.
    """
    stages: Stages = {}
    for role in ROLES:
        of_role = [t for t in techniques if t.role == role]
        of_role.sort(
            key=lambda t: (
                "quick" not in t.presets,
                "channel" not in t.id,
                "fine_tune" not in t.id,
                "static_" not in t.id,
            )
        )
        stages[role] = {
            **({NOTHING: {}} if role == "quantize" else {}),
            **({of_role[0].id: {}} if of_role else {NOTHING: {}}),
        }
    return stages


def completed(stages: Stages) -> Stages:
    """Complete the stages with every option of every technique, as the form returns them."""
    techniques = lab.available_techniques()
    return {
        role: {
            id_: (
                {o.id: tuple(space.get(o.id, (o.default,))) for o in techniques[id_].options}
                if id_
                else {}
            )
            for id_, space in choices.items()
        }
        for role, choices in stages.items()
    }


def stage(
    role: str, techniques: Sequence[Technique], begin: Mapping[str, Values], prefix: str
) -> dict[str, Values]:
    """Draw one stage; return its techniques with the values of their options."""
    by_id = {t.id: t for t in techniques}
    titles = {NOTHING: "nothing", **{t.id: title(t) for t in techniques}}
    ids = st.multiselect(
        HEADS[role],
        list(titles),
        [id_ for id_ in begin if id_ in titles],
        format_func=lambda id_: titles[id_],
        key=prefix,
        help=HELPS[role],
        placeholder="Nothing",
    )
    choices: dict[str, Values] = {}
    for id_ in ids or [NOTHING]:
        choices[id_] = settings(by_id[id_], begin.get(id_, {}), f"{prefix}.{id_}") if id_ else {}
    return seeded(choices, prefix) if role == "tune" and ids != [NOTHING] else choices


def title(technique: Technique) -> str:
    """Return the title of a technique, with the format for quantization, since several formats have
    the same techniques.
    """
    return (
        f"{technique.title} ({family(technique)})"
        if technique.role == "quantize"
        else technique.title
    )


def settings(technique: Technique, begin: Values, prefix: str) -> Values:
    if not technique.options:
        return {}
    with st.expander(title(technique)):
        return option_values(technique.options, prefix, "", begin, abreast=1)


def seeded(stage: dict[str, Values], prefix: str) -> dict[str, Values]:
    """Add the chosen number of seeds to each training without an explicit seed."""
    count = int(st.number_input("Seeds", 1, MOST_SEEDS, 1, key=f"{prefix}.seeds", help=SEED_HELP))
    seeds = tuple(range(count))
    return {
        id_: {**space, SEED: seeds} if count > 1 and space.get(SEED) == (0,) else space
        for id_, space in stage.items()
    }


def one_chain(chosen: Stages) -> tuple[Chain, ...]:
    chain = tuple(chosen[role] for role in ROLES)
    return (chain,) if recipes_of(chain) else ()


def count_text(chains: Sequence[Chain]) -> str:
    """Describe the number of variants and of trainings."""
    recipes = [recipe for chain in chains for recipe in recipes_of(chain)]
    if not recipes:
        return "There is no composition yet. Choose a technique in one of the stages."
    techniques = lab.available_techniques()
    trained = {
        str([s.to_json() for s in recipe.steps[: n + 1]])
        for recipe in recipes
        for n, step in enumerate(recipe.steps)
        if techniques[step.technique].role == "tune"
    }
    once = (
        f" {formatting.capital(formatting.plural(len(trained), 'training'))}, each run once."
        if trained
        else ""
    )
    return (
        f"**{formatting.plural(len(recipes), 'variant')}** on every runtime that can run"
        f" them.{once}"
    )
