"""The command that shows several studies at once, and lists of the test items whose predictions
differ between two trials.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lab
from lab.cli.output import check_writable, table, write, writes_json
from lab.types import Trial

if TYPE_CHECKING:
    from lab.analysis.across import Across


def across(studies: list[str], json_file: Path | None) -> None:
    """Show several studies at once: one front where their numbers may be compared, one a group
    where they may not.
    """
    from lab.plots.across import across_json
    from lab.plots.across_words import front_text

    check_writable(json_file)
    compared = lab.across(studies)
    if json_file is not None:
        write(across_json(compared), json_file)
    if str(json_file) == "-":
        return
    print(front_text(compared))
    _print_fronts(compared)


def _print_fronts(compared: Across) -> None:
    from lab.plots import formatting
    from lab.plots.across_words import group_texts

    metrics, named = lab.available_metrics(), lab.names_across(compared)
    for text, group in zip(group_texts(compared, named, metrics), compared.groups, strict=True):
        head = [
            "trial",
            "study",
            "recipe",
            "runtime",
            *(metric for metric, _ in group.terms.objectives),
        ]
        on_front = [t for t in group.trials if t.id in group.front]
        rows = [
            [
                t.id,
                named.studies[t.study],
                t.name,
                t.target.runtime,
                *(
                    formatting.value(t.measurements[m].value, t.measurements[m].unit)
                    for m, _ in group.terms.objectives
                ),
            ]
            for t in on_front
        ]
        print(
            f"\n{text + ': ' if len(compared.groups) > 1 else ''}{len(on_front)} of"
            f" {len(group.trials)} trials are on the front"
        )
        table(head, rows)


def across_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `across`."""
    p.add_argument(
        "studies", nargs="+", metavar="STUDY", help="ids of studies, as `studies` lists them"
    )
    writes_json(p)


def flips_json(trial: Trial, other: Trial, most: int) -> dict[str, Any]:
    """Test items whose predictions differ between two trials, the widest gap first; {} where none
    is asked for.
    """
    from lab.plots import flips

    if not most:
        return {}
    value = flips.flips_json(lab.flips(trial, other))
    return {"flips": {**value, "flips": value["flips"][:most]}}


def print_flips(trial: Trial, other: Trial, most: int) -> None:
    """List the test items whose predictions differ between two trials, the widest gap first."""
    from lab.plots.flips import flip_rows, flips_text, naming

    flips, card = lab.flips(trial, other), lab.card_of(trial.study)
    names = naming(
        card.task,
        card.class_names,
        other.name if other.name != trial.name else other.id,
        trial.name if other.name != trial.name else trial.id,
    )
    print(f"\n{flips_text(flips, names)}")
    rows = flip_rows(flips.flips[:most], flips.value, names)
    table(list(rows[0]) if rows else [], [list(row.values()) for row in rows])
