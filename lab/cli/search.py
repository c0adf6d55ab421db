"""Arguments of `sweep` for a guided search, and the line that says how it went."""

from __future__ import annotations

import argparse
from typing import Any

import lab
from lab.spec.search import OPTIONS, SAMPLERS

NAMES = {"trials": "--trials", "minutes": "--minutes", "seed": "--search-seed", "batch": "--batch"}
KINDS = {"int": int, "float": float}


def search_arguments(p: argparse.ArgumentParser) -> None:
    """The options of `sweep` that search instead of running the whole grid."""
    options = {option.id: option for option in OPTIONS}
    group = p.add_argument_group(
        "guided search", "Run the most promising trials instead of all; any of these turns it on."
    )
    group.add_argument(
        "--search",
        nargs="?",
        const=SAMPLERS[0],
        metavar="SAMPLER",
        choices=SAMPLERS,
        help=(
            f"{options['sampler'].help} One of {', '.join(SAMPLERS)}; {SAMPLERS[0]} where none is"
            " named."
        ),
    )
    for id_, flag in NAMES.items():
        option = options[id_]
        group.add_argument(
            flag,
            dest=f"search_{id_}",
            type=KINDS[option.kind],
            metavar="N",
            help=f"{option.help} (default {option.default})",
        )


def search_of(sampler: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """The search of a spec, from the arguments that were given; {} where none was."""
    limits = {id_: value for id_ in NAMES if (value := given.get(f"search_{id_}")) is not None}
    return limits | ({"sampler": sampler} if sampler else {})


def search_remarks(study_id: str) -> list[str]:
    """A line with what a search has used and found; [] for a study without a search."""
    from lab.plots.search import search_text

    used, course = lab.search_spent(study_id), lab.search_course(study_id)
    return [] if used is None or course is None else [f"search: {search_text(course, used)}"]
