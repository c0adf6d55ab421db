"""Cost of pruning: whole channels against single weights, with and without fine-tuning, on one
model.
"""

from __future__ import annotations

import streamlit as st

import lab
from lab.analysis.pruning import KIND, Lesson
from lab.errors import LabError
from lab.plots import formatting
from lab.plots.pruning.figure import HEIGHT, SMALL, cost_figure, pruning_figure
from lab.plots.pruning.info import COSTS, pruning_info
from lab.plots.pruning.sentences import pruning_texts
from lab.plots.pruning.table import pruning_rows
from lab.plots.table import problem_of
from lab.questions.lessons import SHARES, STEPS
from lab.types import FINISHED, Study
from pages.panels.progress import POLL_S, progress
from pages.panels.training import live
from pages.widgets import entry
from pages.widgets.chart import chart

TITLE, ICON, ORDER = "Pruning", ":material/content_cut:", 4
ORDER_HELP = (
    "Starts a new study of a few minutes that prunes half of the channels and fine-tunes the rest,"
    " once before and once after quantization-aware training, both in int8."
)
LEAST_STEPS, MOST_STEPS = 10, 5000
WHAT_IT_IS = """
**Pruning** removes the least important parts of a network. There are two ways with different
effects.

- **Whole channels** (structured): a filter, a neuron or an attention head is removed together with
  every weight that produces or reads it. Tensors become smaller, so the file, the memory and the
  time shrink on any device.
- **Single weights** (unstructured): the weights of least magnitude become zero, wherever they are.
  More of them can be pruned before the accuracy falls. But a tensor with zeros is stored and
  multiplied like any other: only a compressed download shrinks, unless the runtime has kernels
  that skip zeros; ordinary CPU kernels do not.

**Fine-tuning** then trains the remaining weights for some more steps to recover accuracy.
"""
SOURCES = """
- Y. LeCun, J. Denker, S. Solla: Optimal Brain Damage, NIPS 1989: not all weights matter.
- S. Han, J. Pool, J. Tran, W. Dally: Learning both Weights and Connections for Efficient Neural
  Networks, NIPS 2015
  ([arXiv:1506.02626](https://arxiv.org/abs/1506.02626)): prune by magnitude, then train again.
- H. Li et al.: Pruning Filters for Efficient ConvNets, ICLR 2017
  ([arXiv:1608.08710](https://arxiv.org/abs/1608.08710)): whole filters.
- Z. Liu et al.: Rethinking the Value of Network Pruning, ICLR 2019
  ([arXiv:1810.05270](https://arxiv.org/abs/1810.05270)): how much is due
  to the training after pruning.
- D. Blalock et al.: What is the State of Neural Network Pruning?, MLSys 2020
  ([arXiv:2003.03033](https://arxiv.org/abs/2003.03033)): how to compare, and why it is hard.
"""


def main() -> None:
    st.title("Cost of pruning", anchor=False)
    study = chosen()
    if study is None:
        st.markdown(WHAT_IT_IS)
        begin()
        sources()
        return
    follow(study)
    header(study)
    with st.container():
        progress(study, None, 2 * POLL_S)
        live(study)
    lesson = pruning_of(study.id, study.revision)
    if any(line.points for line in lesson.lines):
        shown(study, lesson)
    else:
        waiting(study)
    with st.expander("Glossary", icon=":material/school:"):
        st.markdown(WHAT_IT_IS)
    with st.expander("Run for another model", icon=":material/add:"):
        begin()
    sources()


# --- which one ------------------------------------------------------------------------------------


def about_pruning() -> list[Study]:
    return [s for s in lab.studies() if s.spec.about.get("kind") == KIND]


def chosen() -> Study | None:
    """Return the study in the address, else the newest pruning study; None if the address names a
    model to begin with.
    """
    studies = about_pruning()
    wanted = st.query_params.get("study")
    if wanted and wanted not in {s.id for s in studies}:
        st.warning("The study in this address is not a pruning study, or is not in this lab.")
    if not wanted and "model" in st.query_params:
        return None
    study = next((s for s in studies if s.id == wanted), studies[0] if studies else None)
    if study:
        st.query_params["study"] = study.id
    return study


def header(study: Study) -> None:
    left, right = st.columns([5, 3], vertical_alignment="bottom")
    target = formatting.target_text(study.spec.targets[0], ("threads",))
    steps = study.spec.about.get("steps")
    tuned = f", fine-tuned for {formatting.plural(int(steps), 'step')}" if steps else ""
    left.markdown(
        f"**{formatting.markdown(lab.card_of(study.id).title)}** on"
        f" {formatting.markdown(target)}{tuned}"
    )
    with right:
        texts = {
            s.id: f"{lab.card_of(s.id).title} · {formatting.moment(s.created_at)}"
            for s in about_pruning()
        }
        st.session_state.open_pruning = study.id
        st.selectbox(
            "Open another",
            list(texts),
            format_func=texts.get,
            key="open_pruning",
            label_visibility="collapsed",
            on_change=lambda: st.query_params.from_dict({"study": st.session_state.open_pruning}),
        )


def begin() -> None:
    """Draw the form that starts a pruning study."""
    able = [id_ for id_ in lab.models() if lab.can_prune(id_)]
    if not able:
        st.info("No model in this lab can be pruned; only PyTorch and Keras models can.")
        return
    wanted = st.query_params.get("model")
    if wanted and wanted not in able:
        st.warning(refusal(wanted))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=320):
            model = st.selectbox(
                "Model",
                able,
                able.index(wanted) if wanted in able else 0,
                key="pruning_model",
                format_func=lambda id_: lab.model(id_).title,
            )
        with st.container(width=220):
            steps = st.number_input(
                "Fine-tuning steps",
                LEAST_STEPS,
                MOST_STEPS,
                STEPS,
                10,
                key="pruning_steps",
                help=(
                    "Each pruned model is trained on this many batches. More batches recover more"
                    " accuracy and take longer."
                ),
            )
        with st.container(width=220):
            runtimes = [t.runtime for t in lab.make_spec(model, "full").targets]
            runtime = st.selectbox(
                "Runtime",
                list(dict.fromkeys(sorted(runtimes, key=lambda r: r != "ort"))),
                format_func=formatting.runtime_title,
                key="pruning_runtime",
            )
        go = st.button("Start", type="primary", icon=":material/play_arrow:", key="pruning_start")
    cost = explained(model, int(steps), runtime)
    if go and cost:
        start(model, int(steps), runtime)


def refusal(model: str) -> str:
    try:
        lab.pruning_spec(model)
    except LabError as error:
        return formatting.markdown(str(error))
    return ""


def explained(model: str, steps: int, runtime: str) -> bool:
    """Describe the study and its cost; False if it is impossible."""
    try:
        cost = lab.estimate(lab.pruning_spec(model, steps=steps, runtime=runtime))
    except LabError as error:
        st.error(formatting.markdown(str(error)))
        return False
    shares = ", ".join(f"{100 * share:.0f}" for share in SHARES)
    st.caption(
        f"Prunes about {shares} % of the weights as whole channels and as single weights, each with"
        f" and without fine-tuning: {formatting.plural(cost.trials, 'trial')},"
        f" {formatting.duration(cost.seconds)}. Known results are reused."
    )
    return True


def start(model: str, steps: int, runtime: str) -> None:
    try:
        study = lab.start(lab.pruning_spec(model, steps=steps, runtime=runtime), "Cost of pruning")
    except LabError as error:
        st.error(formatting.markdown(str(error)))
        return
    st.query_params.from_dict({"study": study})
    st.rerun()


# --- what was found -------------------------------------------------------------------------------


@st.cache_resource(max_entries=16, show_spinner=False)
def pruning_of(study_id: str, revision: int) -> Lesson:
    return lab.pruning(study_id)


@st.cache_resource(max_entries=16, show_spinner=False)
def figures_of(study_id: str, revision: int) -> dict[str, str]:
    """Return metric -> figure as JSON, with "" for the accuracy."""
    info = pruning_info(pruning_of(study_id, revision))
    return {
        "": pruning_figure(info).to_json(),
        **{m: cost_figure(info, m).to_json() for m in COSTS},
    }


def waiting(study: Study) -> None:
    if study.state not in FINISHED:
        st.info("The first points appear here automatically.", icon=":material/hourglass_empty:")
        return
    broken = next((t for t in lab.trials(study.id) if t.error), None)
    st.warning(
        f"Nothing could be measured. {formatting.markdown(problem_of(broken)) if broken else ''}"
    )


def shown(study: Study, lesson: Lesson) -> None:
    trials = {t.id: t for t in lab.trials(study.id)}
    figures = figures_of(study.id, study.revision)
    left, right = st.columns([3, 2], gap="large")
    with left:
        chart(
            figures[""],
            key=f"pruning_{study.id}",
            height=HEIGHT,
            on_choose=remember,
            alt=(
                "Accuracy over the share of pruned weights, for four ways to prune; the table has"
                " the same numbers."
            ),
        )
        st.caption(
            "Solid: fine-tuned. Dashed: as pruned. Bars and band: 95 % intervals. Click a point to"
            " open its trial."
        )
    with right:
        findings(study, lesson, trials)
    for column, metric in zip(st.columns(len(COSTS), gap="medium"), COSTS, strict=True):
        with column:
            chart(
                figures[metric],
                key=f"pruning_{study.id}_{metric}",
                height=SMALL,
                alt=(
                    f"{formatting.capital(COSTS[metric])} over the share of pruned weights, in"
                    " percent of the float model."
                ),
            )
    rows = pruning_rows(lesson)
    if not any(row["Remarks"] for row in rows):
        rows = [{name: text for name, text in row.items() if name != "Remarks"} for row in rows]
    st.dataframe(rows, hide_index=True, placeholder="–", alt="All pruned models with their metrics")
    with st.container(horizontal=True):
        if st.button("Show all measurements", icon=":material/scatter_plot:", key="show_pruning"):
            st.switch_page("pages/study.py", query_params={"study": study.id})
        if st.button(
            "Does the order matter?",
            icon=":material/swap_horiz:",
            key="start_order",
            help=ORDER_HELP,
        ):
            start_order(study)


def start_order(study: Study) -> None:
    """Start a study of the same two steps in both orders."""
    try:
        study_id = lab.start(lab.order_spec(study.model), "Does the order matter?")
    except LabError as error:
        st.error(formatting.markdown(str(error)))
        return
    st.switch_page("pages/study.py", query_params={"study": study_id})


def findings(study: Study, lesson: Lesson, trials: dict) -> None:
    st.markdown("##### Findings")
    for text in pruning_texts(lesson, trials):
        st.markdown(f"- {formatting.markdown(text)}")
    if study.state not in FINISHED:
        st.caption("The study is still running; more points will appear.")


def follow(study: Study) -> None:
    """Open the clicked trial; a callback may not leave the page."""
    if id_ := st.session_state.pop("pruning_clicked", None):
        st.switch_page("pages/study.py", query_params={"study": study.id, "trial": id_})


def remember(id_: str) -> None:
    st.session_state.pruning_clicked = id_


def sources() -> None:
    with st.expander("Sources", icon=":material/menu_book:"):
        st.markdown(SOURCES)


entry.require()
main()
