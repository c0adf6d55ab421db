"""Commands that run a study, and that show or stop it: sweep, show, resume, cancel."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import lab
from lab.cli.output import check_writable, follow, report, writes_json
from lab.cli.search import search_arguments, search_of
from lab.errors import UsageError
from lab.types import Target


def sweep(
    model: str,
    preset: str,
    spec: str | None,
    target: list[str] | None,
    title: str,
    remeasure: bool,
    json_file: Path | None,
    search: str | None = None,
    **budget: Any,
) -> None:
    """Sweep a model over techniques and runtimes, and show the front."""
    check_writable(json_file)
    more = _read_spec(spec, model)
    if wanted := search_of(search, budget):
        more["search"] = {**more.get("search", {}), **wanted}
    if target:
        more["targets"] = list(target)
    targets = _targets(more.pop("targets", None))
    whole = lab.make_spec(model, more.pop("preset", None) or preset, targets=targets, **more)
    study = follow(lab.start(whole, title, remeasure=remeasure))
    report(study.id, json_file)


def sweep_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `sweep`."""
    p.add_argument("model", help="id of a model, as `models` lists them")
    p.add_argument("--preset", default="quick", help="quick (default), standard or full")
    p.add_argument(
        "--spec",
        metavar="FILE.json",
        help="a spec; what it leaves out comes from the preset ('-': standard input)",
    )
    p.add_argument(
        "--target",
        action="append",
        metavar="TARGET",
        help="where to run: ort, litert:threads=2,xnnpack=false …; may be repeated",
    )
    p.add_argument("--title", default="", help="a name for the study")
    p.add_argument(
        "--remeasure",
        action="store_true",
        help="measure latency and memory again, though they are known",
    )
    writes_json(p)
    search_arguments(p)


def _targets(given: list[Any] | None) -> list[str | Target] | None:
    if given is None:
        return None
    return [t if isinstance(t, str) else Target.from_json(t) for t in given]


def _read_spec(file: str | None, model: str) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        value = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise UsageError(
            "The spec could not be read", given=file, remedy=f"Give a JSON file ({error})"
        ) from error
    if not isinstance(value, dict) or value.get("model", model) != model:
        raise UsageError(
            "The spec is of another model, or not an object", allowed=model, given=value
        )
    value = {k: v for k, v in value.items() if k != "model"}
    if {"recipes", "chains"} & set(value) and "space" not in value:
        value["space"] = {}
    return _with_recipes(value)


def _with_recipes(value: dict[str, Any]) -> dict[str, Any]:
    from lab.spec.reading import spec_from_json

    checked = spec_from_json({"model": "", **value})
    return {
        **value,
        **{name: getattr(checked, name) for name in ("recipes", "chains") if name in value},
    }


def show(study: str, json_file: Path | None) -> None:
    """Show a study's trials and front."""
    check_writable(json_file)
    report(study, json_file)


def study_and_json_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `show` and `resume`."""
    study_arguments(p)
    writes_json(p)


def resume(study: str, json_file: Path | None) -> None:
    """Run the failed, cancelled and missing trials of a study again."""
    check_writable(json_file)
    lab.resume(study)
    follow(study)
    report(study, json_file)


def cancel(study: str) -> None:
    """Stop a study; its finished trials stay."""
    lab.cancel(study)


def study_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `cancel`."""
    p.add_argument("study", help="id of a study, as `studies` lists them")
