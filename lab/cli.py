"""The command line. Exit status: 0 when a study finished (failed trials are data), 1 when nothing could be run, 2 for bad usage."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import lab
from lab.errors import LabError, UsageError

app = typer.Typer(help="Find out how small, how fast and how accurate a model can be on its device.", no_args_is_help=True,
                  pretty_exceptions_enable=False, add_completion=False)  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ToJson = Annotated[Path | None, typer.Option("--json", help="Also write the result to this file as JSON ('-' for standard output).")]


def main() -> None:
    """Run a command; the lab's own errors become one message and an exit status."""
    try:
        app()
    except UsageError as error:
        _stop(error, 2)
    except LabError as error:
        _stop(error, 1)


def _stop(error: LabError, status: int) -> None:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(status)


@app.command()
def models(as_json: AsJson = False) -> None:
    """List what can be picked."""
    cards = lab.models().values()
    if as_json:
        return print(json.dumps([c.to_json() for c in cards], indent=1))
    _table(["id", "task", "framework", "parameters", "data", "top-1"], [
        [c.id, c.task, c.framework, f"{c.parameters or 0:,}", c.dataset, _value(c.baseline, "top1_accuracy")] for c in cards
    ])  # fmt: skip


@app.command()
def techniques(as_json: AsJson = False) -> None:
    """List every technique with its options."""
    found = lab.available_techniques().values()
    if as_json:
        return print(json.dumps([_technique_json(t) for t in found], indent=1))
    _table(["id", "from", "to", "needs", "options"], [
        [t.id, "/".join(t.accepts), t.produces, f"pip install {t.missing}" if t.missing else "", ", ".join(o.id for o in t.options)] for t in found
    ])  # fmt: skip


def _technique_json(t: Any) -> dict[str, Any]:
    return {"id": t.id, "title": t.title, "help": t.help, "accepts": list(t.accepts), "produces": t.produces, "conversion": t.conversion,
            "toolchain": t.toolchain, "requires": list(t.requires), "missing": t.missing, "needs_calibration": t.needs_calibration,
            "presets": list(t.presets), "options": [o.to_json() for o in t.options]}  # fmt: skip


@app.command()
def runtimes(as_json: AsJson = False) -> None:
    """List every runtime with its options."""
    found = lab.available_runtimes().values()
    if as_json:
        return print(json.dumps([{"id": r.id, "title": r.title, "formats": list(r.formats), "missing": r.missing,
                                  "options": [o.to_json() for o in r.options]} for r in found], indent=1))  # fmt: skip
    _table(["id", "runs", "needs", "options"], [
        [r.id, "/".join(r.formats), f"pip install {r.missing}" if r.missing else "", ", ".join(o.id for o in r.options)] for r in found
    ])  # fmt: skip


@app.command()
def sweep(
    model: str,
    preset: Annotated[str, typer.Option(help="quick, standard or full.")] = "quick",
    spec: Annotated[str | None, typer.Option(help="A spec as JSON; fields that it leaves out come from the preset. '-' reads standard input.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="Where to run: ort, litert:threads=2,xnnpack=false …; may be repeated.")] = None,
    title: Annotated[str, typer.Option(help="A name for the study.")] = "",
    remeasure: Annotated[bool, typer.Option("--remeasure", help="Measure latency and memory again, though they are known.")] = False,
    json_file: ToJson = None,
) -> None:
    """Sweep a model over techniques and runtimes, and show the front."""
    more = _read_spec(spec, model)
    if target:
        more["targets"] = list(target)
    given = more.pop("targets", None)
    found = lab.make_spec(model, more.pop("preset", None) or preset, targets=_targets(given), **more)
    study = lab.wait(lab.start(found, title, remeasure=remeasure), _show_progress())
    _report(study.id, json_file)


def _targets(given: list[Any] | None) -> list[Any] | None:
    from lab.types import Target

    return None if given is None else [t if isinstance(t, str) else Target.from_json(t) for t in given]


def _read_spec(file: str | None, model: str) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        value = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise UsageError("The spec could not be read", given=file, remedy=f"Give a JSON file ({error})") from error
    if not isinstance(value, dict) or value.get("model", model) != model:
        raise UsageError("The spec is of another model, or not an object", allowed=model, given=value)
    value = {k: v for k, v in value.items() if k != "model"}
    if "recipes" in value and "space" not in value:
        value["space"] = {}
    return _with_recipes(value)


def _with_recipes(value: dict[str, Any]) -> dict[str, Any]:
    from lab.recipe import spec_from_json

    checked = spec_from_json({"model": "", **value})
    return {**value, **({"recipes": checked.recipes} if "recipes" in value else {})}


@app.command()
def show(study: str, json_file: ToJson = None) -> None:
    """Show a study's trials and front."""
    _report(study, json_file)


@app.command()
def studies() -> None:
    """List the studies, newest first."""
    _table(["id", "model", "state", "created", "title"], [[s.id, s.model, s.state, s.created_at, s.title] for s in lab.studies()])


@app.command()
def resume(study: str, json_file: ToJson = None) -> None:
    """Run again what failed, was cancelled or is missing."""
    lab.resume(study)
    lab.wait(study, _show_progress())
    _report(study, json_file)


@app.command()
def cancel(study: str) -> None:
    """Stop a study; what is finished stays."""
    lab.cancel(study)


@app.command()
def export(study: str, to: Annotated[Path, typer.Option(help="FILE.csv, .parquet, .json or .lab")]) -> None:
    """Write a study to a file."""
    print(lab.export(study, to))


@app.command("import")
def import_(file: Path) -> None:
    """Read a .lab file into this lab."""
    print(lab.import_study(file))


@app.command()
def add(
    file: Path,
    data: Annotated[Path, typer.Option(help="An .npz with x_calibration, y_calibration, x_test, y_test and perhaps class_names.")],
    task: str = "classification",
    name: Annotated[str | None, typer.Option(help="The id to register it under; the file's name by default.")] = None,
    layout: Annotated[str | None, typer.Option(help="Layout of the images in the data: NHWC or NCHW; inferred by default.")] = None,
    scale: Annotated[float | None, typer.Option(help="Model input = data × scale + offset; inferred by default.")] = None,
    offset: Annotated[float | None, typer.Option(help="See --scale.")] = None,
) -> None:
    """Register a trusted model file (.onnx, .tflite, .keras, .h5, .pt2) with its data."""
    card = lab.add_model(file, data, task, name=name, layout=layout, scale=scale, offset=offset, say=print)
    print(f"added {card.id}: {card.description}")


@app.command()
def serve(port: int = 8501, headless: bool = False, address: str = "localhost") -> None:
    """Start the app (and finish studies that were interrupted)."""
    from lab.serving import serve as run

    run(port, headless, address)


def _show_progress() -> Callable[[Any], None]:
    def say(p: Any) -> None:
        left = f", about {p.seconds_left:.0f} s left" if p.seconds_left is not None else ""
        print(f"  {p.done}/{p.total} trials, {p.stage}{left}", file=sys.stderr)

    return say


def _report(study_id: str, json_file: Path | None) -> None:
    value = lab.result_json(study_id)
    text = json.dumps(value, indent=1)
    if json_file is not None and str(json_file) != "-":
        json_file.write_text(text)
    print(text) if str(json_file) == "-" else _print_study(value)
    if value["study"]["error"] or not any(t["state"] == "complete" for t in value["trials"]):
        reason = value["study"]["error"] or next((t["error"] for t in value["trials"] if t["error"]), {"message": "no trial ran"})
        raise LabError(f"Nothing could be run in study {study_id}", given=reason["message"])


def _print_study(value: dict[str, Any]) -> None:
    print(f"study {value['study']['id']}  {value['study']['model']}  {value['study']['state']}")
    rows = []
    for t in value["trials"]:
        numbers = [_value(t["measurements"], m) for m in ("top1_accuracy", "size_bytes", "download_bytes", "latency_s", "peak_rss_bytes")]
        target = t["target"]["runtime"] + "".join(f" {k}={v}" for k, v in t["target"].items() if k != "runtime")
        note = t["error"]["message"][:60] if t["error"] else "cached" if t["cached"] else ""
        rows.append(["*" if t["id"] in value["front"] else "", t["name"], target, t["state"], *numbers, note])
    _table(["front", "recipe", "target", "state", "top-1", "size", "download", "latency", "memory", ""], rows)


def _value(measurements: Any, metric: str) -> str:
    from lab.plots.formats import value

    if metric not in measurements:
        return ""
    m = measurements[metric]
    return value(m["value"] if isinstance(m, dict) else m.value, m["unit"] if isinstance(m, dict) else m.unit)


def _table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(str(cell).ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
