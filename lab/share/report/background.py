"""Sections of a report beside its results: reasons, recipes, machines, protocol, model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab import registry
from lab.errors import LabError
from lab.plots import formatting
from lab.plots.differences import time_text
from lab.plots.emulated import emulated_texts
from lab.plots.table import ordered_metrics
from lab.share.markup import Html, el, joined
from lab.share.report.elements import cell, definitions, mark, metric_title, section, table
from lab.share.report.values import Report
from lab.share.reproduce import reproduce
from lab.types import Trial

ABOUT = {"speed": "Speed", "size": "Size", "accuracy": "Accuracy"}
MUCH = 0.005
"""Smallest difference between the accuracy on another processor and that here that is reported."""


def reasons(report: Report) -> Html | None:
    """Reasons why trials are not faster, smaller or more accurate: those on the front first, the
    others folded away.
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
    findings, rules = report.findings[trial.id], registry.rules()
    items = [
        el(
            "li",
            el("strong", f"{ABOUT[f.about]}: {rules[f.rule].title}. "),
            f.text,
            " ",
            el("em", f.remedy),
        )
        for f in findings
    ]
    return el(
        "details",
        el("summary", f"{report.name(trial)} ({len(items)})", f" {mark(report, trial)}"),
        el("ul", items),
    )


def recipes(report: Report) -> Html | None:
    """Recipes of the trials on the front, each with the commands that run it again."""
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
    listed = el("ol", steps) if steps else el("p", "The model as it came.")
    return el(
        "details",
        el("summary", report.name(trial), " ★" if is_pick else ""),
        listed,
        left,
        _again(report, trial),
        open=is_pick,
    )


def _settings(technique: str, params: Mapping[str, object]) -> Html:
    known = registry.techniques().get(technique)
    labels = {o.id: o.label for o in known.options} if known else {}
    settings = [
        f"{labels.get(k, k)}: {_value_text(v)}" for k, v in params.items() if v not in ((), [], "")
    ]
    return el("span", " · ".join(settings), class_="muted")


def _value_text(value: object) -> str:
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


def machines(report: Report) -> Html | None:
    """Machines with their versions, and predictions that differ on other processors."""
    parts = [_machine(id_, facts) for id_, facts in report.environments.items()]
    texts = list(
        dict.fromkeys(
            f"{t.name}: {text}" for t in report.trials for text in emulated_texts(t, MUCH)
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


def protocol(report: Report) -> Html:
    """Protocol of the measurements, and the definition of each metric."""
    spec = report.study.spec
    items = f"{spec.test_samples:,} test items" if spec.test_samples else "all test items"
    sentences = [
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
        metric_title(report, id_): report.metrics[id_].help
        for id_ in ordered_metrics(report.trials, report.metrics)
        if id_ in report.metrics
    }
    return section(
        "how",
        "How it was measured",
        [el("p", text) for text in sentences if text],
        el("details", el("summary", "What each number is"), definitions(used)),
    )


def model_and_data(report: Report) -> Html:
    """Facts about the model and its data, with their origin and licence."""
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
