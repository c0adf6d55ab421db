"""Output of the commands: tables on the screen, JSON in files, progress, the report of a study."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lab
from lab.cli.search import search_remarks
from lab.errors import LabError, UsageError


def check_writable(file: Path | None) -> None:
    """Check that a file can be written, before the work rather than after it.

    Raises:
        UsageError: it cannot.
    """
    if (
        file is not None
        and str(file) != "-"
        and (file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK))
    ):
        raise UsageError(
            "This file cannot be written",
            given=str(file),
            remedy="Name a file in a folder that exists and is yours",
        )


def write(value: dict[str, Any], json_file: Path) -> None:
    """Write JSON to a file, or to the screen for "-"."""
    text = json.dumps(value, indent=1)
    print(text) if str(json_file) == "-" else json_file.write_text(text)


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print rows of text below a head, in columns."""
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(str(cell).ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())


def show_progress() -> Callable[[Any], None]:
    """A callback that prints how far a study is, a line at a time."""

    def say(p: Any) -> None:
        left = f", about {p.seconds_left:.0f} s left" if p.seconds_left is not None else ""
        print(f"  {p.done}/{p.total} trials, {p.stage}{left}", file=sys.stderr)

    return say


def show_training() -> Callable[[Sequence[Any]], None]:
    """A callback that prints how far each running training is, a line each."""
    from lab.plots.training import progress_text

    shown: dict[str, str] = {}

    def say(trainings: Sequence[Any]) -> None:
        for t in trainings:
            if t.state == "running" and shown.get(t.key) != (text := progress_text(t)):
                shown[t.key] = text
                print(f"  training {t.name}: {text}", file=sys.stderr)

    return say


def follow(study_id: str) -> Any:
    """Wait until a study has ended, and say how far it is meanwhile."""
    return lab.wait(study_id, show_progress(), show_training())


def report(study_id: str, json_file: Path | None) -> None:
    """Show a study's trials and front, and write them as JSON where a file is named.

    Raises:
        LabError: nothing of it could be run.
    """
    value = lab.result_json(study_id)
    if json_file is not None:
        write(value, json_file)
    if str(json_file) != "-":
        _print_study(value)
    if value["study"]["error"] or not any(t["state"] == "complete" for t in value["trials"]):
        reason = value["study"]["error"] or next(
            (t["error"] for t in value["trials"] if t["error"]), {"message": "no trial ran"}
        )
        raise LabError(f"Nothing could be run in study {study_id}", given=reason["message"])


def _print_study(value: dict[str, Any]) -> None:
    print(f"study {value['study']['id']}  {value['study']['model']}  {value['study']['state']}")
    rows, primary = [], value["study"]["spec"]["objectives"][0]["metric"]
    for t in value["trials"]:
        values = [
            _value(t["measurements"], m)
            for m in (primary, "size_bytes", "download_bytes", "latency_s", "peak_rss_bytes")
        ]
        note = t["error"]["message"][:100] if t["error"] else "cached" if t["cached"] else ""
        rows.append(
            [
                "*" if t["id"] in value["front"] else "~" if t["id"] in value["ties"] else "",
                t["id"],
                t["name"],
                _target_text(t["target"]),
                t["state"],
                *values,
                note,
            ]
        )
    table(
        [
            "front",
            "trial",
            "recipe",
            "target",
            "state",
            primary,
            "size",
            "download",
            "latency",
            "memory",
            "",
        ],
        rows,
    )
    for line in _remarks(value["study"]["id"]):
        print(line)


def _target_text(target: dict[str, Any]) -> str:
    """The runtime, its threads, and what else is not at its default."""
    runtime = lab.available_runtimes().get(target["runtime"])
    usual = {o.id: o.default for o in runtime.options if o.id != "threads"} if runtime else {}
    return f"{target['runtime']}" + "".join(
        f" {k}={v}" for k, v in target.items() if k != "runtime" and usual.get(k) != v
    )


FEW, MUCH = 5, 0.005


def _remarks(study_id: str) -> list[str]:
    """Remarks below the table: the time that measuring took, float predictions that differ, threads
    without effect, predictions that differ on other processors.
    """
    from lab.analysis.threads import without_effect
    from lab.plots.differences import time_text
    from lab.plots.emulated import emulated_texts

    trials = {t.id: t for t in lab.trials(study_id)}
    names = {id_: f"{t.name} on {_target_text(t.target.to_json())}" for id_, t in trials.items()}
    unlike = [
        f"float answers differ: {names[p.first]} and {names[p.second]} agree on"
        f" {100 * p.agreement.value:.2f} %"
        for p in lab.float_agreement(study_id)
        if not p.faithful
    ]
    idle = without_effect(trials.values())
    threads = [f"threads: more of them change nothing for {len(idle)} trials"] if idle else []
    texts = list(
        dict.fromkeys(
            f"{t.name}: {text}" for t in trials.values() for text in emulated_texts(t, MUCH)
        )
    )
    more = (
        [f"… and {len(texts) - FEW} more that answer otherwise on other processors"]
        if len(texts) > FEW
        else []
    )
    took = time_text(list(trials.values()), lab.measuring_seconds(study_id))
    return [
        *search_remarks(study_id),
        *([took] if took else []),
        *unlike,
        *threads,
        *_of_training(study_id),
        *texts[:FEW],
        *more,
    ]


def _of_training(study_id: str) -> list[str]:
    """Effects of the order of steps, and of the seed of trainings."""
    from lab.plots.orders import order_text, spread_text

    metric = lab.study(study_id).spec.objectives[0].metric
    pairs, spread = lab.orders(study_id), lab.spread(study_id)
    texts = [order_text(pairs, metric) if pairs else "", spread_text(spread, metric)]
    return [text for text in texts if text]


def _value(measurements: Any, metric: str) -> str:
    from lab.plots.formatting import value

    if metric not in measurements:
        return ""
    m = measurements[metric]
    return value(
        m["value"] if isinstance(m, dict) else m.value, m["unit"] if isinstance(m, dict) else m.unit
    )


def writes_json(p: argparse.ArgumentParser) -> None:
    """The option that writes JSON to a file, or prints it."""
    p.add_argument(
        "--json",
        dest="json_file",
        type=Path,
        metavar="FILE",
        help="also write the result as JSON ('-': only that, to standard output)",
    )
