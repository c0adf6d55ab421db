"""Notebooks as JSON (nbformat 4.5), and a study as one that runs it again from its spec."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from pprint import pformat
from typing import Any, Literal

from lab import registry
from lab.plots import formatting
from lab.store import records
from lab.types import ModelCard, Study

Cell = tuple[Literal["markdown", "code"], str]


def notebook(cells: Sequence[Cell]) -> dict[str, Any]:
    """A notebook of cells, without outputs."""
    return {
        "cells": [_cell(number, *cell) for number, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    made = {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.strip("\n").splitlines(keepends=True),
    }
    return dict(
        sorted(
            {**made, **({"execution_count": None, "outputs": []} if kind == "code" else {})}.items()
        )
    )


def write_notebook(study_id: str, to: Path) -> None:
    """Write a notebook that runs a study again and shows what it came to.

    Raises:
        UnknownId: there is no such study.
    """
    study = records.study(study_id)
    card = records.card_of(study_id)
    to.write_text(json.dumps(notebook(study_cells(study, card)), indent=1) + "\n", encoding="utf-8")


def study_cells(study: Study, card: ModelCard) -> list[Cell]:
    """The cells of a study's notebook."""
    called = f", {formatting.markdown(study.title)}" if study.title else ""
    cells: list[Cell] = [
        (
            "markdown",
            (
                f"# {formatting.markdown(card.title)}{called}\n\nRuns the study `{study.id}`"
                f" ({formatting.moment(study.created_at)}) again from its spec, and shows what it"
                " comes to. It needs nothing but the lab. What the lab has in its store already is"
                " not done again, so that in the lab where the study was run this takes seconds."
            ),
        ),
        ("code", "import lab"),
    ]
    if card.id not in registry.sample_cards():
        cells.append(
            (
                "markdown",
                (
                    f"The model `{card.id}` does not ship with the lab: add it first, under this"
                    f" name, with\n`python -m lab add FILE --data DATA --name {card.id}` or"
                    " `lab.add_model`."
                ),
            )
        )
    return [*cells, *_run(study), *_shown(study)]


def _run(study: Study) -> list[Cell]:
    spec = pformat(study.spec.to_json(), width=110, sort_dicts=False)
    title = f", title={study.title!r}" if study.title else ""
    return [
        ("markdown", "## The study\n\nWhat is tried, on which targets, and how it is measured."),
        ("code", f"SPEC = {spec}"),
        ("code", f"study = lab.sweep(SPEC{title})\nstudy"),
    ]


def _shown(study: Study) -> list[Cell]:
    first, *rest = (o.metric for o in study.spec.objectives)
    axes = [id_ for id_ in rest if id_ != "latency_s"][:1]
    more: list[Cell] = (
        [("code", f"study.plot(x={axes[0]!r}, y={first!r}, size='latency_s')")] if axes else []
    )
    return [
        ("markdown", "## What it comes to\n\nThe trade-off: point at a marker to read it."),
        ("code", "study.plot()"),
        *more,
        ("markdown", "All trials; numbers in the unit that the column's name tells."),
        ("code", "study.table()"),
        ("markdown", "## The front\n\nTrials that no other beats in every objective."),
        ("code", "study.table(study.front())"),
        ("markdown", "## The pick, and why"),
        ("code", "pick = study.pick()\npick"),
        (
            "code",
            (
                "if pick.trial:\n    for finding in lab.explain(pick.trial.id):\n       "
                " print(f'{finding.text} {finding.remedy}\\n')"
            ),
        ),
        ("markdown", "Against the float model, item by item and round by round:"),
        ("code", "study.compare(pick.trial) if pick.trial else None"),
    ]
