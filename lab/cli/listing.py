"""Commands that list: models, datasets, techniques, runtimes, studies."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import lab
from lab.cli.output import table
from lab.plugs import Dataset, Provider, Runtime, Technique
from lab.types import ModelCard


def list_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of the commands that list."""
    p.add_argument("--json", dest="as_json", action="store_true", help="print JSON")


def models(as_json: bool) -> None:
    """List the models that can be picked."""
    cards = lab.models().values()
    if as_json:
        return _print_json([c.to_json() for c in cards])
    table(
        ["id", "task", "framework", "parameters", "data", "float baseline"],
        [
            [c.id, c.task, c.framework, f"{c.parameters or 0:,}", c.dataset, _baseline(c)]
            for c in cards
        ],
    )


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))


def _baseline(card: ModelCard) -> str:
    from lab.plots.formatting import measurement

    return f"{lab.available_tasks()[card.task].noun} {measurement(lab.primary(card))}"


def techniques(as_json: bool) -> None:
    """List every technique with its options."""
    listed = lab.available_techniques().values()
    if as_json:
        return _print_json([_technique_json(t) for t in listed])
    table(
        ["id", "from", "to", "needs", "options"],
        [_technique_row(t) for t in listed],
    )


def _technique_row(t: Technique) -> list[str]:
    options = ", ".join(o.id for o in t.options)
    return [t.id, "/".join(t.accepts), t.produces, _install(t.missing), options]


def _install(missing: str | None) -> str:
    return f"pip install {missing}" if missing else ""


def _technique_json(t: Technique) -> dict[str, Any]:
    return {
        "id": t.id,
        "title": t.title,
        "help": t.help,
        "accepts": list(t.accepts),
        "produces": t.produces,
        "conversion": t.conversion,
        "toolchain": t.toolchain,
        "requires": list(t.requires),
        "missing": t.missing,
        "needs_calibration": t.needs_calibration,
        "trains": t.trains,
        "presets": list(t.presets),
        "options": [o.to_json() for o in t.options],
    }


def datasets(as_json: bool, fetch: str | None) -> None:
    """List the datasets, and which of them are downloaded from the internet."""
    from lab.store.data import fetch_sources, is_here

    if fetch is not None:
        fetch_sources(fetch, _show_bytes())
    listed = [(d, is_here(d)) for d in lab.available_datasets().values()]
    if as_json:
        return _print_json([_dataset_json(d, here) for d, here in listed])
    table(
        ["id", "title", "task", "classes", "test items", "is", "licence"],
        [_dataset_row(d, here) for d, here in listed],
    )


def datasets_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `datasets`."""
    list_arguments(p)
    p.add_argument(
        "--fetch",
        metavar="ID",
        help="first download the files of a dataset that comes from the internet",
    )


def _show_bytes() -> Callable[[str, int, int], None]:
    """A callback that prints a line for each file and percent of it."""
    shown: set[tuple[str, int]] = set()

    def say(name: str, done: int, total: int) -> None:
        if (step := (name, 100 * done // total)) not in shown:
            shown.add(step)
            print(f"  {name}: {step[1]} % of {total / 1e6:,.1f} MB", file=sys.stderr, flush=True)

    return say


def _dataset_row(d: Dataset, here: bool) -> list[str]:
    classes, items = str(len(d.class_names)), f"{d.test_items:,}"
    return [d.id, d.title, d.task, classes, items, _whereabouts(d, here), d.licence]


def _whereabouts(dataset: Dataset, here: bool) -> str:
    if dataset.missing:
        return _install(dataset.missing)
    return "here" if here else f"online, {sum(s.size_bytes for s in dataset.sources) / 1e6:,.0f} MB"


def _dataset_json(d: Dataset, here: bool) -> dict[str, Any]:
    return {
        "id": d.id,
        "title": d.title,
        "task": d.task,
        "class_names": list(d.class_names),
        "test_items": d.test_items,
        "here": here,
        "sources": [
            {"url": s.url, "sha256": s.sha256, "size_bytes": s.size_bytes} for s in d.sources
        ],
        "digest": d.digest,
        "training_digest": d.training_digest,
        "provenance": d.provenance,
        "licence": d.licence,
        "show": d.show,
        "requires": list(d.requires),
        "missing": d.missing,
        "tags": list(d.tags),
    }


def runtimes(as_json: bool) -> None:
    """List every runtime with its options, and the execution providers that it could compute
    with.
    """
    listed = [(r, _providers(r)) for r in lab.available_runtimes().values()]
    if as_json:
        return _print_json([_runtime_json(r, offered) for r, offered in listed])
    table(["id", "runs", "needs", "options"], [_runtime_row(r) for r, _ in listed])
    print()
    table(
        ["runtime", "provider", "here", "why"],
        [
            [r.id, p.name, "yes" if p.available else "no", p.why]
            for r, offered in listed
            for p in offered
        ],
    )


def _providers(runtime: Runtime) -> Sequence[Provider]:
    return runtime.providers() if runtime.providers and not runtime.missing else ()


def _runtime_row(r: Runtime) -> list[str]:
    return [r.id, "/".join(r.formats), _install(r.missing), ", ".join(o.id for o in r.options)]


def _runtime_json(r: Runtime, offered: Sequence[Provider]) -> dict[str, Any]:
    return {
        "id": r.id,
        "title": r.title,
        "formats": list(r.formats),
        "missing": r.missing,
        "providers": [asdict(p) for p in offered],
        "options": [o.to_json() for o in r.options],
    }


def studies() -> None:
    """List the studies, newest first."""
    table(
        ["id", "model", "state", "created", "title"],
        [[s.id, s.model, s.state, s.created_at, s.title] for s in lab.studies()],
    )
