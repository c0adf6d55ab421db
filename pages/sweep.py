"""New sweep: model, target runtimes and techniques. The form is built from the declarations of the
options.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import streamlit as st

import lab
from lab.errors import LabError
from lab.options import PRESETS, grid
from lab.plots import formatting
from lab.plugs import Runtime, Technique
from lab.spec.plan import star
from lab.types import Chain, Recipe, StudySpec, Target
from pages.panels.compositions import compositions
from pages.panels.search import search_form
from pages.widgets import entry
from pages.widgets.form_defaults import FormDefaults, chains_from_link, spec_in_address
from pages.widgets.options import Values, family, option_values

TITLE, ICON, ORDER = "New sweep", ":material/tune:", 2
ABREAST = 3
EVERY_HELP = (
    "By default every variant runs with the first value of each option, and the other values are"
    " tried one at a time with the default settings of each technique."
)
ONE_BY_ONE = (
    "Other numbers of calibration items, other seeds and calibration without data are each tried"
    " once, not in every combination."
)
FLOAT = {"prune": "Pruning", "tune": "Training"}
Space = dict[str, Values]  # technique id -> its values
PRESET_HELP = {
    "quick": "A first look with the usual settings of each technique",
    "standard": "The settings that usually matter, on more runtime settings",
    "full": "Every setting worth trying, which takes longest",
}


def main() -> None:
    st.title("New sweep", anchor=False)
    cards = lab.models()
    if not cards:
        st.info(
            "There is no model to sweep yet. Add one: `python -m lab add MODEL_FILE --data"
            " DATA.npz`"
        )
        return
    from_link = spec_in_address()
    form, summary = st.columns([7, 3], gap="large")
    with form:
        initial = (
            model_from_link(from_link)
            if from_link
            else FormDefaults(*model_and_preset(list(cards)))
        )
        targets, further = runtime_choice(initial)
        runtimes = list(dict.fromkeys(t.runtime for t in targets))
        space = technique_choice(initial, runtimes)
        chains = chains_of(initial, runtimes) if runtimes else ()
    with summary, st.container(border=True, key="sweep_summary"):
        start_box(initial, targets, space, further, chains)


def model_from_link(spec: StudySpec) -> FormDefaults:
    st.markdown(f"Model: **{formatting.markdown(lab.model(spec.model).title)}**")
    return FormDefaults(spec.model, spec.preset or "standard", spec)


def chains_of(initial: FormDefaults, runtimes: Sequence[str]) -> tuple[Chain, ...]:
    if initial.spec:
        return chains_from_link(initial.spec.chains, f"{initial.prefix}.chain")
    return compositions(initial.model, initial.preset, runtimes)


def model_and_preset(ids: Sequence[str]) -> tuple[str, str]:
    left, right = st.columns([3, 4], gap="medium")
    wanted, wanted_preset = st.query_params.get("model"), st.query_params.get("preset", "quick")
    with left:
        if wanted and wanted not in ids:
            st.warning(f"There is no model {formatting.markdown(wanted)} here.")
        model = st.selectbox(
            "Model",
            ids,
            ids.index(wanted) if wanted in ids else 0,
            key="model_choice",
            format_func=lambda id_: lab.model(id_).title,
        )
    with right:
        start = wanted_preset if wanted_preset in PRESETS else "quick"
        preset = (
            st.segmented_control(
                "Thoroughness",
                PRESETS,
                default=start,
                required=True,
                key="preset_choice",
                format_func=str.capitalize,
            )
            or start
        )
        st.caption(f"{PRESET_HELP[preset]}. You can change everything below.")
    st.query_params.update({"model": model, "preset": preset})
    return model, preset


# --- where it runs --------------------------------------------------------------------------------


def runtime_choice(initial: FormDefaults) -> tuple[list[Target], list[Target]]:
    """Return the targets of every variant, and further targets for the techniques with their
    default settings.
    """
    st.subheader("Target runtimes", anchor=False)
    reachable = {t.runtime for t in lab.make_spec(initial.model, "full").targets}
    targets, further = list[Target](), list[Target]()
    runtimes = list(lab.available_runtimes().values())
    for row in batched(runtimes, ABREAST):
        for column, runtime in zip(st.columns(ABREAST, gap="medium"), row, strict=False):
            with column, st.container(border=True, height="stretch"):
                usual, others = targets_of(runtime, initial, runtime.id in reachable)
                targets, further = [*targets, *usual], [*further, *others]
    if not targets:
        st.warning("Choose at least one target runtime.")
    return targets, further


def batched(runtimes: Sequence[Runtime], size: int) -> Iterator[Sequence[Runtime]]:
    """Split into rows, as `itertools.batched` of Python 3.12 does."""
    for start in range(0, len(runtimes), size):
        yield runtimes[start : start + size]


def targets_of(
    runtime: Runtime, initial: FormDefaults, reachable: bool
) -> tuple[Sequence[Target], Sequence[Target]]:
    usable, prefix = reachable and runtime.missing is None, initial.prefix
    start = usable and (
        bool(initial.targets(runtime.id)) if initial.spec else initial.preset in runtime.presets
    )
    chosen = st.checkbox(
        f"**{runtime.title}**", start, key=f"{prefix}.{runtime.id}", disabled=not usable
    )
    st.caption(formatting.markdown(runtime.help))
    if runtime.missing:
        st.caption(f"Not installed. Install it with `pip install {runtime.missing}`")
    elif not reachable:
        st.caption("Not available for this model.")
    providers(runtime, f"{prefix}.{runtime.id}.providers")
    if not (chosen and usable):
        return (), ()
    if not runtime.options:
        return [Target(runtime.id)], ()
    with st.expander("Options"):
        space = option_values(
            runtime.options, f"{prefix}.{runtime.id}", initial.preset, initial.values(runtime.id)
        )
        return several(
            runtime, space, f"{prefix}.{runtime.id}.every", len(initial.targets(runtime.id)) > 1
        )


def several(
    runtime: Runtime, space: Values, key: str, begin: bool
) -> tuple[Sequence[Target], Sequence[Target]]:
    """Return the first value of each option for every variant and the others for techniques with
    their default settings; or all combinations for every variant.
    """
    one, *others = [Target(runtime.id, params) for params in star(runtime.options, space)]
    every = [Target(runtime.id, params) for params in grid(runtime.options, space)]
    if others and st.checkbox(
        f"Every variant on all {len(every)} combinations", begin, key=key, help=EVERY_HELP
    ):
        return every, ()
    return [one], others


def providers(runtime: Runtime, key: str) -> None:
    """Show the hardware accelerators of a runtime and the reason for their availability, on
    request.
    """
    if (
        runtime.providers is None
        or runtime.missing
        or not st.toggle("Show hardware accelerators", key=key)
    ):
        return
    accelerators = lab.execution_providers(runtime.id)
    st.dataframe(
        [
            {"": "✓" if p.available else "–", "Accelerator": p.name, "Reason": p.why}
            for p in accelerators
        ],
        hide_index=True,
        alt=(
            f"Hardware accelerators of {runtime.title}, with the reason why each is or is not"
            " available"
        ),
    )


# --- what to try ----------------------------------------------------------------------------------


def technique_choice(initial: FormDefaults, runtime_ids: Sequence[str]) -> Space:
    st.subheader("Techniques", anchor=False)
    if not runtime_ids:
        return {}
    techniques, defaults = (
        lab.applicable_techniques(initial.model, runtime_ids),
        initial.space(runtime_ids),
    )
    families = list(
        dict.fromkeys(heading(t) for t in sorted(techniques, key=lambda t: t.role != "quantize"))
    )
    space: Space = {}
    for name in families:
        mine = [t for t in techniques if heading(t) == name]
        st.caption(name)
        columns = st.columns(2, gap="medium")
        for number, technique in enumerate(mine):
            with columns[number % len(columns)]:
                values = technique_form(
                    technique, initial.prefix, initial.preset, defaults.get(technique.id)
                )
                space |= {technique.id: values} if values is not None else {}
    not_offered(
        [t for t in lab.available_techniques().values() if not t.conversion and t not in techniques]
    )
    return space


def technique_form(
    technique: Technique, prefix: str, preset: str, defaults: Values | None
) -> Values | None:
    """Return the chosen values of each option, or None if the technique is not selected."""
    key = f"{prefix}.{technique.id}"
    with st.container(border=True):
        left, right = st.columns([3, 1], vertical_alignment="center")
        chosen = left.checkbox(f"**{technique.title}**", defaults is not None, key=key)
        count = right.empty()
        st.caption(formatting.markdown(technique.help))
        if not chosen:
            return None
        space = dict(defaults or {})
        if technique.options:
            with st.expander("Options"):
                space = option_values(technique.options, key, preset, defaults or {})
        variants = sum(1 for params in grid(technique.options, space) if technique.valid(params))
        count.caption(formatting.plural(variants, "variant"), text_alignment="right")
    return space


def heading(technique: Technique) -> str:
    """Return the heading of a group of techniques: their file format, or their effect on the float
    model.
    """
    return FLOAT.get(technique.role, f"{family(technique)} techniques")


def not_offered(techniques: Sequence[Technique]) -> None:
    if not techniques:
        return
    with st.expander(f"Not available for this model ({len(techniques)})"):
        for technique in techniques:
            why = (
                f"needs `pip install {technique.missing}`"
                if technique.missing
                else "has no path from this model to a chosen runtime"
            )
            st.markdown(f":gray[**{technique.title}** · {family(technique)}] — {why}")


# --- start ----------------------------------------------------------------------------------------


def start_box(
    initial: FormDefaults,
    targets: Sequence[Target],
    space: Space,
    further: Sequence[Target],
    chains: Sequence[Chain],
) -> None:
    st.markdown("##### Summary")
    title = st.text_input(
        "Name (optional)",
        key="sweep_title",
        placeholder=("Question that the sweep answers"),
        max_chars=80,
    )
    spec = spec_of(initial, targets, space, one_by_one(initial, targets, space), further, chains)
    if spec is not None and st.button(
        "Start", type="primary", icon=":material/play_arrow:", width="stretch"
    ):
        try:
            study = lab.start(spec, title.strip())
        except LabError as error:
            st.error(formatting.markdown(str(error)))
        else:
            st.switch_page("pages/study.py", query_params={"study": study})
    st.caption(
        "The float model is always measured as the baseline. You can close this page while the"
        " sweep runs."
    )


def one_by_one(initial: FormDefaults, targets: Sequence[Target], space: Space) -> list[Recipe]:
    """Return the preset's settings beside the grid for the chosen techniques, or all further
    recipes of the link.
    """
    offered = initial.recipes(list(dict.fromkeys(t.runtime for t in targets)))
    mine = [recipe for recipe in offered if initial.spec or recipe.steps[0].technique in space]
    if not mine:
        return []
    text = f"Also vary {formatting.plural(len(mine), 'setting')}, one at a time"
    return (
        mine if st.checkbox(text, True, key=f"{initial.prefix}.one_by_one", help=ONE_BY_ONE) else []
    )


def spec_of(
    initial: FormDefaults,
    targets: Sequence[Target],
    space: Space,
    recipes: Sequence[Recipe],
    further: Sequence[Target],
    chains: Sequence[Chain],
) -> StudySpec | None:
    """Build and describe the spec; None if it cannot run."""
    if not targets:
        st.write("Choose at least one target runtime.")
        return None
    try:
        more = {"further_targets": [target.to_json() for target in further], **initial.protocol}
        grid = lab.make_spec(
            initial.model,
            initial.preset,
            space=space,
            targets=targets,
            recipes=recipes,
            chains=chains,
            **more,
        )
        spec = replace(grid, search=search_form(grid, initial.spec.search if initial.spec else {}))
        cost = lab.estimate(spec)
    except LabError as error:
        st.error(formatting.markdown(str(error)))
        return None
    trials, cached = st.columns(2)
    trials.metric(
        "Trials", cost.trials, help="One trial is one compressed model on one runtime setting."
    )
    cached.metric(
        "Already measured",
        cost.cached,
        help="These trials were measured before on this machine and are not repeated.",
    )
    st.metric(
        "Time",
        formatting.duration(cost.seconds),
        help=(
            f"Estimated from earlier jobs, with {formatting.plural(cost.builds, 'file')} to build."
        ),
    )
    return spec


entry.require()
main()
