"""The parts of a report, from top to bottom, each as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lab import registry
from lab.errors import LabError
from lab.plots import formatting, words
from lab.plots.differences import time_text
from lab.plots.emulated import elsewhere_texts
from lab.plots.table import ordered_metrics, problem_of, remarks, state_words, versus
from lab.share.markup import Html, el, joined
from lab.share.report import Report
from lab.share.reproduce import reproduce
from lab.types import Measurement, Trial

ABOUT = {"speed": "Speed", "size": "Size", "accuracy": "Accuracy"}
MUCH = 0.005
"""How far the accuracy on another processor must be from that here to be told."""


def header(report: Report) -> Html:
    """What was studied, when, and how far it came."""
    study, done = report.study, sum(t.state == "complete" for t in report.trials)
    facts = [
        study.title,
        f"{study.spec.preset} sweep" if study.spec.preset else "",
        formatting.moment(study.created_at),
        f"{done} of {formatting.plural(len(report.trials), 'trial')} measured",
        "" if study.state == "complete" else study.state,
    ]
    return el(
        "header",
        el("p", "Compression lab report", class_="kicker"),
        el("h1", report.card.title),
        el("p", " · ".join(filter(None, facts)), class_="muted"),
        note(report, ""),
    )


def note(report: Report, of: str) -> Html | None:
    """What somebody wrote, letter by letter."""
    text = report.notes.get(of, "").strip()
    return el("p", text, class_="note") if text else None


def section(id_: str, title: str, *children: object) -> Html:
    """A part with its heading; a link leads to it."""
    return el("section", el("h2", title), *children, id=id_)


# --- the pick -------------------------------------------------------------------------------------


def best(report: Report) -> Html:
    """The pick under no limits, why, and what ties with it."""
    objectives, found = report.study.spec.objectives, report.by_id
    reason = words.pick_reason(report.pick, found, objectives, ())
    trial = found.get(report.pick.trial or "")
    if trial is None:
        return section("pick", "The pick", el("p", reason))
    others = [
        joined([", " if n else "", link(report, found[id_])])
        for n, id_ in enumerate(report.pick.ties)
    ]
    tied = el("p", "Tied with: ", others, class_="muted")
    return section(
        "pick",
        "The pick, under no limits",
        el(
            "div",
            el("p", el("strong", report.name(trial))),
            el("p", reason),
            tiles(report, trial),
            tied if others else None,
            class_="pick",
        ),
    )


def tiles(report: Report, trial: Trial) -> Html:
    """The objectives as large numbers, each against the float model."""
    return el(
        "dl",
        [
            _tile(report, trial, o.metric)
            for o in report.study.spec.objectives
            if o.metric in trial.measurements
        ],
        class_="tiles",
    )


def _tile(report: Report, trial: Trial, metric: str) -> Html:
    m = trial.measurements[metric]
    return el(
        "div",
        el("dt", formatting.capital(words.plain(metric))),
        el("dd", formatting.value(m.value, m.unit), class_="number"),
        el("dd", formatting.interval(m) or "exact", class_="muted"),
        el("dd", _versus(report, trial, metric), class_="muted"),
    )


def _versus(report: Report, trial: Trial, metric: str) -> str:
    base = report.base(trial)
    if base is None or metric not in base.measurements:
        return ""
    change = versus(metric, trial, base, report.differences.get(trial.id))
    return (
        "as float"
        if change == "no change"
        else f"{change} than float".replace(" (a tie) than float", " than float (may be chance)")
    )


# --- tables ---------------------------------------------------------------------------------------


def link(report: Report, trial: Trial) -> Html:
    """A trial's name, leading to its row."""
    return el("a", report.name(trial), href=f"#row-{trial.id}")


def table(
    caption: str, head: Sequence[str], rows: Sequence[Html], helps: Mapping[str, str] | None = None
) -> Html:
    """A table whose columns sort where there is JavaScript; its first column stays in view."""
    cells = [el("th", title, scope="col", title=(helps or {}).get(title) or None) for title in head]
    return el(
        "div",
        el("table", el("caption", caption), el("thead", el("tr", cells)), el("tbody", rows)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def cell(text: object, value: float | str | None = None, *small: str) -> Html:
    """A cell; `value` is what it sorts by; what is `small` stands below."""
    return el("td", text, [el("small", line) for line in small if line], data_v=value)


def number(m: Measurement | None) -> Html:
    """A measurement with its interval below, and a remark where it is doubtful."""
    if m is None:
        return cell(formatting.UNKNOWN, "")
    return cell(formatting.value(m.value, m.unit), m.value, formatting.interval(m), remarks(m))


def front_table(report: Report) -> Html:
    """What nothing beats, and what cannot be told from it."""
    if not report.front:
        return section(
            "front", "The front", el("p", "No trial has all of the study's numbers yet.")
        )
    metrics = [o.metric for o in report.study.spec.objectives]
    head = [
        "Trial",
        "",
        *(joined_title(report, m) for m in metrics),
        *(f"{formatting.capital(words.plain(m))} against float" for m in metrics),
    ]
    tied = [report.by_id[id_] for id_ in report.tied if id_ in report.by_id]
    rows = [_front_row(report, t, metrics) for t in [*report.front, *tied]]
    text = (
        "★: no other trial is at least as good in every objective and better in one. ≈: a tie with"
        " such a trial, by all that can be told. Below a number: its 95 % interval."
    )
    return section(
        "front",
        "The front",
        el("p", text, class_="muted"),
        table("Trials on the front, and those in its tie band", head, rows),
    )


def joined_title(report: Report, metric: str) -> str:
    """A metric's title, or its id where this lab does not know it."""
    return report.metrics[metric].title if metric in report.metrics else metric


def _front_row(report: Report, trial: Trial, metrics: Sequence[str]) -> Html:
    return el(
        "tr",
        el("th", link(report, trial), scope="row"),
        cell(_mark(report, trial)),
        [number(trial.measurements.get(m)) for m in metrics],
        [cell(_versus(report, trial, m)) for m in metrics],
    )


def _mark(report: Report, trial: Trial) -> str:
    return "★" if trial.id in report.pick.front else "≈" if trial.id in report.tied else ""


def all_trials(report: Report) -> Html:
    """Every trial with every number."""
    ids = ordered_metrics(report.trials, report.metrics)
    head = [
        "Trial",
        "Runs on",
        "State",
        "Front",
        *(joined_title(report, id_) for id_ in ids),
        "SHA-256 of the file",
    ]
    helps = {
        joined_title(report, id_): report.metrics[id_].help for id_ in ids if id_ in report.metrics
    }
    rows = [_row(report, t, ids) for t in report.trials]
    return section(
        "trials",
        f"All trials ({len(rows)})",
        table("All trials with their numbers and 95 % intervals", head, rows, helps),
    )


def _row(report: Report, trial: Trial, ids: Sequence[str]) -> Html:
    sha = trial.artifact.sha256 if trial.artifact else ""
    return el(
        "tr",
        el("th", trial.name, note(report, trial.id), scope="row"),
        cell(report.target(trial)),
        cell(state_words(trial)),
        cell(_mark(report, trial)),
        [number(trial.measurements.get(id_)) for id_ in ids],
        el("td", el("code", sha[:16]), title=sha or None),
        id=f"row-{trial.id}",
    )


def failed(report: Report) -> Html | None:
    """What went wrong, trial by trial."""
    rows = [_failed_row(report, t) for t in report.trials if t.state == "failed"]
    if not rows:
        return None
    return section(
        "failed",
        f"Failed trials ({len(rows)})",
        table("Trials that failed, and why", ["Trial", "Reason", "What to do"], rows),
    )


def _failed_row(report: Report, trial: Trial) -> Html:
    remedy = str((trial.error or {}).get("remedy") or "")
    return el(
        "tr",
        el("th", report.name(trial), scope="row"),
        cell(problem_of(trial) or "unknown"),
        cell(remedy),
    )


# --- why, how to make it again --------------------------------------------------------------------


def reasons(report: Report) -> Html | None:
    """Why trials are not faster, smaller or more accurate: those on the front first, the others
    folded away.
    """
    first = [t for t in report.front if report.findings.get(t.id)]
    others = [t for t in report.trials if report.findings.get(t.id) and t not in first]
    if not first and not others:
        return None
    rest = el(
        "details",
        el("summary", f"All other trials ({len(others)})"),
        [_findings(report, t) for t in others],
    )
    return section(
        "why",
        "Why not faster, why not smaller",
        el("p", "What rules found in each file and in where its time goes.", class_="muted"),
        [_findings(report, t) for t in first],
        rest if others else None,
    )


def _findings(report: Report, trial: Trial) -> Html:
    found, rules = report.findings[trial.id], registry.rules()
    items = [
        el(
            "li",
            el("strong", f"{ABOUT[f.about]}: {rules[f.rule].title}. "),
            f.text,
            " ",
            el("em", f.remedy),
        )
        for f in found
    ]
    return el(
        "details",
        el("summary", f"{report.name(trial)} ({len(items)})", f" {_mark(report, trial)}"),
        el("ul", items),
    )


def recipes(report: Report) -> Html | None:
    """How each trial on the front was made, and the line that makes it again."""
    if not report.front:
        return None
    return section(
        "recipes",
        "Recipes of the front",
        [_recipe(report, t, t.id == report.pick.trial) for t in report.front],
    )


def _recipe(report: Report, trial: Trial, is_pick: bool) -> Html:
    known = registry.techniques()
    steps = [
        el(
            "li",
            el("strong", known[s.technique].title if s.technique in known else s.technique),
            " ",
            _settings(s.technique, s.params),
        )
        for s in trial.recipe.steps
    ]
    float_ = ", ".join(
        f"{count} × {name}" for name, count in trial.float_operators.items() if count
    )
    left = el("p", f"Still computed in float: {float_}.", class_="muted") if float_ else None
    made = el("ol", steps) if steps else el("p", "The model as it came.")
    return el(
        "details",
        el("summary", report.name(trial), " ★" if is_pick else ""),
        made,
        left,
        _again(report, trial),
        open=is_pick,
    )


def _settings(technique: str, params: Mapping[str, object]) -> Html:
    known = registry.techniques().get(technique)
    labels = {o.id: o.label for o in known.options} if known else {}
    said = [f"{labels.get(k, k)}: {_said(v)}" for k, v in params.items() if v not in ((), [], "")]
    return el("span", " · ".join(said), class_="muted")


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _again(report: Report, trial: Trial) -> Html:
    try:
        lines = reproduce(trial, report.study.spec)
    except LabError as error:
        return el("p", str(error))
    return joined(
        [
            el("p", "Run it again on the command line:"),
            el("pre", lines["cli"], tabindex="0"),
            el("p", "or in Python:"),
            el("pre", lines["python"], tabindex="0"),
        ]
    )


# --- what it was made of, and how -----------------------------------------------------------------


def model_and_data(report: Report) -> Html:
    """Where model and data come from."""
    card, data = report.card, registry.datasets().get(report.card.dataset)
    facts = {
        "Model": f"{card.title} ({card.id})",
        "Task": card.task,
        "Framework": formatting.framework(card.framework),
        "Parameters": formatting.count(card.parameters),
        "Multiply-accumulates": formatting.count(card.macs),
        "Input": (
            f"{' × '.join(map(str, card.input.shape))}, {card.input.dtype}, {card.input.layout}"
        ),
        "About": card.description,
        "Where it comes from": card.provenance,
        "Licence of the model": card.licence,
        "Data": data.title if data else card.dataset,
        "Classes": ", ".join(card.class_names),
        "Test items": f"{data.test_items:,}" if data else "",
        "Where the data come from": data.provenance if data else "",
        "Licence of the data": data.licence if data else "",
        "Study": report.study.id,
    }
    return section("model", "Model and data", definitions(facts))


def definitions(facts: Mapping[str, str]) -> Html:
    """Names and what stands behind them; empty ones are left out."""
    return el(
        "dl",
        [el("div", el("dt", name), el("dd", text)) for name, text in facts.items() if text],
        class_="facts",
    )


def protocol(report: Report) -> Html:
    """How the numbers came about, and what each of them is."""
    spec = report.study.spec
    items = f"{spec.test_samples:,} test items" if spec.test_samples else "all test items"
    told = [
        (
            f"Every variant answers {items}, none of which it was calibrated or trained on."
            " Differences in accuracy are judged item by item."
        ),
        (
            f"Latency is the median over at least {spec.rounds} rounds in which all variants take"
            " turns in shuffled order, each loaded anew, in a process of its own with nothing else"
            f" of the lab running: up to {spec.runs} timed runs or {1000 * spec.turn_s:g} ms a"
            f" turn, after warm-ups, until the 95 % interval is within ±{100 * spec.precision:g} %"
            f" or {spec.budget_s:g} s are spent for each variant. Turns that other programs"
            " disturbed are left out and made up for."
        ),
        (
            "Two numbers differ where the chance of a difference as large between equal ones is"
            " below 1 %; else the difference may be chance. Trials of different machines or"
            " versions never share a front, and what is emulated or estimated is never mixed with"
            " what is measured."
        ),
        time_text(list(report.trials), report.measuring_s),
    ]
    used = {
        joined_title(report, id_): report.metrics[id_].help
        for id_ in ordered_metrics(report.trials, report.metrics)
        if id_ in report.metrics
    }
    return section(
        "how",
        "How it was measured",
        [el("p", text) for text in told if text],
        el("details", el("summary", "What each number is"), definitions(used)),
    )


def machines(report: Report) -> Html | None:
    """Each machine with its versions, and what would be otherwise on others."""
    parts = [_machine(id_, facts) for id_, facts in report.environments.items()]
    texts = list(
        dict.fromkeys(
            f"{t.name}: {text}" for t in report.trials for text in elsewhere_texts(t, MUCH)
        )
    )
    more = el(
        "details",
        el("summary", f"On other processors, emulated ({len(texts)})"),
        el("ul", [el("li", t) for t in texts]),
    )
    return (
        section("machine", "Where it ran", parts, more if texts else None)
        if parts or texts
        else None
    )


def _machine(id_: str, facts: Mapping[str, object]) -> Iterator[Html]:
    memory, features, versions = (
        facts.get("memory_bytes"),
        facts.get("features"),
        facts.get("versions"),
    )
    yield definitions(
        {
            "Processor": str(facts.get("cpu", "not recorded")),
            "Cores": str(facts.get("cores", "")),
            "Memory": formatting.value(memory, "B") if isinstance(memory, int | float) else "",
            "System": str(facts.get("os", "")),
            "Instructions that matter here": (
                ", ".join(map(str, features)) if isinstance(features, list) else ""
            ),
            "Python": str(facts.get("python", "")),
            "Environment": id_,
        }
    )
    if isinstance(versions, dict):
        rows = [
            el("tr", el("th", name, scope="row"), cell(version))
            for name, version in versions.items()
        ]
        yield el(
            "details",
            el("summary", f"Versions ({len(rows)})"),
            table("Versions of what builds and runs models", ["Package", "Version"], rows),
        )
