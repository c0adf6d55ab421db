"""The command line. Exit status: 0 when a study finished (failed trials are data), 1 when nothing
could be run, 2 for bad usage.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lab
from lab.cli.across import across, across_arguments
from lab.cli.output import check_writable, follow, report, table, write, writes_json
from lab.cli.pruning import pruning, pruning_arguments
from lab.cli.search import search_arguments, search_of
from lab.cli.sharing import links, links_arguments, note, note_arguments
from lab.cli.trial import (
    compare,
    compare_arguments,
    explain,
    explain_arguments,
    profile,
    profile_arguments,
    scaling,
    scaling_arguments,
    sensitivity,
    sensitivity_arguments,
)
from lab.errors import LabError, UsageError

# argparse, not typer: typer brings pydantic, whose import costs as much as a whole sweep that is
# cached.


def main(arguments: list[str] | None = None) -> None:
    """Run a command; the lab's own errors become one message and an exit status."""
    given = vars(_parser().parse_args(arguments))
    command = given.pop("command")
    try:
        command(**given)
    except UsageError as error:
        _stop(error, 2)
    except LabError as error:
        _stop(error, 1)


def _stop(error: LabError, status: int) -> None:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab",
        description="Find out how small, how fast and how accurate a model can be on its device.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command, add_arguments in _COMMANDS.items():
        name = command.__name__.rstrip("_")
        added = commands.add_parser(
            name, help=(command.__doc__ or "").splitlines()[0], description=command.__doc__
        )
        added.set_defaults(command=command)
        add_arguments(added)
    return parser


def models(as_json: bool) -> None:
    """List what can be picked."""
    cards = lab.models().values()
    if as_json:
        return print(json.dumps([c.to_json() for c in cards], indent=1))
    table(
        ["id", "task", "framework", "parameters", "data", "float baseline"],
        [
            [c.id, c.task, c.framework, f"{c.parameters or 0:,}", c.dataset, _baseline(c)]
            for c in cards
        ],
    )


def _baseline(card: Any) -> str:
    from lab.plots.formatting import measurement

    return f"{lab.available_tasks()[card.task].noun} {measurement(lab.primary(card))}"


def techniques(as_json: bool) -> None:
    """List every technique with its options."""
    found = lab.available_techniques().values()
    if as_json:
        return print(json.dumps([_technique_json(t) for t in found], indent=1))
    table(
        ["id", "from", "to", "needs", "options"],
        [
            [
                t.id,
                "/".join(t.accepts),
                t.produces,
                f"pip install {t.missing}" if t.missing else "",
                ", ".join(o.id for o in t.options),
            ]
            for t in found
        ],
    )


def datasets(as_json: bool, fetch: str | None) -> None:
    """List the data sets, and which of them come from the net."""
    from lab.store.data import fetch_sources, is_here

    if fetch is not None:
        fetch_sources(fetch, _show_bytes())
    found = [(d, is_here(d)) for d in lab.available_datasets().values()]
    if as_json:
        return print(json.dumps([_dataset_json(d, here) for d, here in found], indent=1))
    table(
        ["id", "title", "task", "classes", "test items", "is", "licence"],
        [
            [
                d.id,
                d.title,
                d.task,
                str(len(d.class_names)),
                f"{d.test_items:,}",
                _whereabouts(d, here),
                d.licence,
            ]
            for d, here in found
        ],
    )


def _show_bytes() -> Callable[[str, int, int], None]:
    """A line for each file and percent of it."""
    shown: set[tuple[str, int]] = set()

    def say(name: str, done: int, total: int) -> None:
        if (step := (name, 100 * done // total)) not in shown:
            shown.add(step)
            print(f"  {name}: {step[1]} % of {total / 1e6:,.1f} MB", file=sys.stderr, flush=True)

    return say


def _whereabouts(dataset: Any, here: bool) -> str:
    if dataset.missing:
        return f"pip install {dataset.missing}"
    return "here" if here else f"online, {sum(s.size_bytes for s in dataset.sources) / 1e6:,.0f} MB"


def _dataset_json(d: Any, here: bool) -> dict[str, Any]:
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


def _technique_json(t: Any) -> dict[str, Any]:
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


def runtimes(as_json: bool) -> None:
    """List every runtime with its options, and the execution providers that it could compute
    with.
    """
    found = lab.available_runtimes().values()
    offered = {r.id: r.providers() if r.providers and not r.missing else () for r in found}
    if as_json:
        return print(
            json.dumps(
                [
                    {
                        "id": r.id,
                        "title": r.title,
                        "formats": list(r.formats),
                        "missing": r.missing,
                        "providers": [asdict(p) for p in offered[r.id]],
                        "options": [o.to_json() for o in r.options],
                    }
                    for r in found
                ],
                indent=1,
            )
        )
    table(
        ["id", "runs", "needs", "options"],
        [
            [
                r.id,
                "/".join(r.formats),
                f"pip install {r.missing}" if r.missing else "",
                ", ".join(o.id for o in r.options),
            ]
            for r in found
        ],
    )
    print()
    table(
        ["runtime", "provider", "here", "why"],
        [
            [id_, p.name, "yes" if p.available else "no", p.why]
            for id_, listed in offered.items()
            for p in listed
        ],
    )


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
    given = more.pop("targets", None)
    found = lab.make_spec(
        model, more.pop("preset", None) or preset, targets=_targets(given), **more
    )
    study = follow(lab.start(found, title, remeasure=remeasure))
    report(study.id, json_file)


def train(
    model: str, to: Path | None, replace: bool, seed: int | None, bf16: bool, epochs: int | None
) -> None:
    """Train a sample model again from its recipe, and compare with the shipped weights."""
    shipped = Path(lab.model(model).path).parent if replace else None
    made = lab.train(
        model, to or shipped, seed=seed, bf16=bf16, epochs=epochs, progress=_show_epochs()
    )
    from lab.plots.formatting import measurement

    place = "inside" if made.within else "outside"
    print(f"trained  {made.file}  in {made.seconds:.0f} s")
    print(f"reached  {made.found.metric} {measurement(made.found)}")
    print(f"shipped  {measurement(made.shipped)}: what was reached lies {place} its 95 % interval")


def _show_epochs() -> Callable[[int, int, str], None]:
    start = time.monotonic()

    def say(done: int, total: int, text: str) -> None:
        left = (time.monotonic() - start) * (total - done) / max(done, 1)
        print(
            f"  epoch {done}/{total}, {text}"
            + (f", about {left:.0f} s left" if done < total else ""),
            file=sys.stderr,
            flush=True,
        )

    return say


def _targets(given: list[Any] | None) -> list[Any] | None:
    from lab.types import Target

    return (
        None if given is None else [t if isinstance(t, str) else Target.from_json(t) for t in given]
    )


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


def studies() -> None:
    """List the studies, newest first."""
    table(
        ["id", "model", "state", "created", "title"],
        [[s.id, s.model, s.state, s.created_at, s.title] for s in lab.studies()],
    )


def resume(study: str, json_file: Path | None) -> None:
    """Run again what failed, was cancelled or is missing."""
    check_writable(json_file)
    lab.resume(study)
    follow(study)
    report(study, json_file)


def cancel(study: str) -> None:
    """Stop a study; what is finished stays."""
    lab.cancel(study)


def export(study: str, to: Path, models: bool) -> None:
    """Write a study to a file, or a trial's model with a README of how to load it."""
    check_writable(to)
    print(
        lab.export_model(study, to)
        if to.suffix == ".zip"
        else lab.export(study, to, artifacts=models)
    )


def import_(file: Path) -> None:
    """Read a .lab file into this lab."""
    print(lab.import_study(file))


def add(
    file: Path,
    data: Path,
    task: str,
    name: str | None,
    layout: str | None,
    scale: float | None,
    offset: float | None,
) -> None:
    """Register a trusted model file (.onnx, .tflite, .keras, .h5, .pt2) with its data."""
    card = lab.add_model(
        file, data, task, name=name, layout=layout, scale=scale, offset=offset, say=print
    )
    print(f"added {card.id}: {card.description}")


def serve(port: int, headless: bool, address: str) -> None:
    """Start the app (and finish studies that were interrupted)."""
    from lab.cli.serving import serve as run

    run(port, headless, address)


def doctor(repeat: int, json_file: Path | None) -> None:
    """Test this machine: can its timings be trusted, what can it compute, and what is missing."""
    from lab.plots.doctor import doctor_lines

    check_writable(json_file)
    print("  testing this machine, half a minute or more: leave it alone", file=sys.stderr)
    lab.doctor(repeat)
    found = lab.last_self_test()
    if found is not None and json_file is not None:
        write(found.to_json(), json_file)
    if found is not None and str(json_file) != "-":
        print(*doctor_lines(found.checks), sep="\n")


# --- the arguments of each command ----------------------------------------------------------------


def _lists(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", dest="as_json", action="store_true", help="print JSON")


def _dataset_arguments(p: argparse.ArgumentParser) -> None:
    _lists(p)
    p.add_argument(
        "--fetch",
        metavar="ID",
        help="first download the files of a data set that comes from the net",
    )


def _of_study(p: argparse.ArgumentParser) -> None:
    p.add_argument("study", help="id of a study, as `studies` lists them")


def _study_and_json(p: argparse.ArgumentParser) -> None:
    _of_study(p)
    writes_json(p)


def _sweep_arguments(p: argparse.ArgumentParser) -> None:
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


def _doctor_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--repeat",
        type=_positive,
        default=3,
        metavar="N",
        help="comparisons whose answer is known (default 3); 40 tell a rate, in some minutes",
    )
    writes_json(p)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _export_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "study",
        help=(
            "id of a study, as `studies` lists them; for .zip that of a trial, as `show` lists them"
        ),
    )
    p.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="FILE",
        help=(
            "FILE.html (a report that works offline), .ipynb (a notebook that runs it again), .csv,"
            " .parquet, .json, .lab (for another lab) or .zip (a trial's model file)"
        ),
    )
    p.add_argument(
        "--without-models",
        dest="models",
        action="store_false",
        help="leave the model files out of a .lab file",
    )


def _add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", type=Path, help=".onnx, .tflite, .keras, .h5 or .pt2; trusted")
    p.add_argument(
        "--data",
        type=Path,
        required=True,
        help=(
            ".npz with x_calibration, y_calibration, x_test, y_test, perhaps class_names; or the id"
            " of a data set"
        ),
    )
    p.add_argument("--task", default="classification")
    p.add_argument("--name", help="the id to register it under (default: the file's name)")
    p.add_argument(
        "--layout",
        choices=("NHWC", "NCHW"),
        help="layout of the images in the data (default: inferred)",
    )
    p.add_argument(
        "--scale", type=float, help="model input = data × scale + offset (default: inferred)"
    )
    p.add_argument("--offset", type=float, help="see --scale")


def _train_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", help="id of a sample model")
    where = p.add_mutually_exclusive_group()
    where.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where the weights go (default: LAB_HOME/trained)"
    )
    where.add_argument(
        "--replace", action="store_true", help="write over the weights that come with the lab"
    )
    p.add_argument("--seed", type=int, help="another seed than the recipe's")
    p.add_argument(
        "--bf16",
        action="store_true",
        help="compute in bfloat16: quicker where the processor has it",
    )
    p.add_argument("--epochs", type=int, help="fewer epochs than the recipe's, for a quick look")


def _file(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", type=Path, help="FILE.lab")


def _serve_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--port", type=int, default=8501)
    p.add_argument("--headless", action="store_true", help="do not open a browser")
    p.add_argument(
        "--address", default="localhost", help="interface to listen on; 0.0.0.0 for a class room"
    )


_COMMANDS: dict[Callable[..., None], Callable[[argparse.ArgumentParser], None]] = {
    models: _lists,
    datasets: _dataset_arguments,
    techniques: _lists,
    runtimes: _lists,
    sweep: _sweep_arguments,
    show: _study_and_json,
    sensitivity: sensitivity_arguments,
    scaling: scaling_arguments,
    compare: compare_arguments,
    across: across_arguments,
    pruning: pruning_arguments,
    profile: profile_arguments,
    explain: explain_arguments,
    links: links_arguments,
    note: note_arguments,
    studies: lambda p: None,
    resume: _study_and_json,
    cancel: _of_study,
    export: _export_arguments,
    import_: _file,
    add: _add_arguments,
    train: _train_arguments,
    doctor: _doctor_arguments,
    serve: _serve_arguments,
}
