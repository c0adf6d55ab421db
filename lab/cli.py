"""The command line. Exit status: 0 when a study finished (failed trials are data), 1 when nothing could be run, 2 for bad usage."""

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
from lab.cli_output import check_writable, table, write
from lab.cli_trial import compare, compare_arguments, profile, profile_arguments
from lab.errors import LabError, UsageError

# argparse, not typer: typer brings pydantic, whose import costs as much as a whole sweep that is cached.


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
        prog="python -m lab", description="Find out how small, how fast and how accurate a model can be on its device."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command, add_arguments in _COMMANDS.items():
        name = command.__name__.rstrip("_")
        added = commands.add_parser(name, help=(command.__doc__ or "").splitlines()[0], description=command.__doc__)
        added.set_defaults(command=command)
        add_arguments(added)
    return parser


def models(as_json: bool) -> None:
    """List what can be picked."""
    cards = lab.models().values()
    if as_json:
        return print(json.dumps([c.to_json() for c in cards], indent=1))
    table(["id", "task", "framework", "parameters", "data", "float baseline"], [
        [c.id, c.task, c.framework, f"{c.parameters or 0:,}", c.dataset, _baseline(c)] for c in cards
    ])  # fmt: skip


def _baseline(card: Any) -> str:
    from lab.plots.formats import measurement

    return f"{lab.available_tasks()[card.task].noun} {measurement(lab.primary(card))}"


def techniques(as_json: bool) -> None:
    """List every technique with its options."""
    found = lab.available_techniques().values()
    if as_json:
        return print(json.dumps([_technique_json(t) for t in found], indent=1))
    table(["id", "from", "to", "needs", "options"], [
        [t.id, "/".join(t.accepts), t.produces, f"pip install {t.missing}" if t.missing else "", ", ".join(o.id for o in t.options)] for t in found
    ])  # fmt: skip


def datasets(as_json: bool, fetch: str | None) -> None:
    """List the data sets, and which of them come from the net."""
    from lab.store.data import fetch_sources, is_here

    if fetch is not None:
        fetch_sources(fetch, _show_bytes())
    found = [(d, is_here(d)) for d in lab.available_datasets().values()]
    if as_json:
        return print(json.dumps([_dataset_json(d, here) for d, here in found], indent=1))
    table(["id", "title", "task", "classes", "test items", "is", "licence"], [
        [d.id, d.title, d.task, str(len(d.class_names)), f"{d.test_items:,}", _whereabouts(d, here), d.licence] for d, here in found
    ])  # fmt: skip


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
    return {"id": d.id, "title": d.title, "task": d.task, "class_names": list(d.class_names), "test_items": d.test_items, "here": here,
            "sources": [{"url": s.url, "sha256": s.sha256, "size_bytes": s.size_bytes} for s in d.sources], "digest": d.digest,
            "training_digest": d.training_digest, "provenance": d.provenance, "licence": d.licence, "show": d.show,
            "requires": list(d.requires), "missing": d.missing, "tags": list(d.tags)}  # fmt: skip


def _technique_json(t: Any) -> dict[str, Any]:
    return {"id": t.id, "title": t.title, "help": t.help, "accepts": list(t.accepts), "produces": t.produces, "conversion": t.conversion,
            "toolchain": t.toolchain, "requires": list(t.requires), "missing": t.missing, "needs_calibration": t.needs_calibration,
            "presets": list(t.presets), "options": [o.to_json() for o in t.options]}  # fmt: skip


def runtimes(as_json: bool) -> None:
    """List every runtime with its options, and the execution providers that it could compute with."""
    found = lab.available_runtimes().values()
    offered = {r.id: r.providers() if r.providers and not r.missing else () for r in found}
    if as_json:
        return print(json.dumps([{"id": r.id, "title": r.title, "formats": list(r.formats), "missing": r.missing,
                                  "providers": [asdict(p) for p in offered[r.id]],
                                  "options": [o.to_json() for o in r.options]} for r in found], indent=1))  # fmt: skip
    table(["id", "runs", "needs", "options"], [
        [r.id, "/".join(r.formats), f"pip install {r.missing}" if r.missing else "", ", ".join(o.id for o in r.options)] for r in found
    ])  # fmt: skip
    print()
    table(["runtime", "provider", "here", "why"], [
        [id_, p.name, "yes" if p.available else "no", p.why] for id_, listed in offered.items() for p in listed
    ])  # fmt: skip


def sweep(model: str, preset: str, spec: str | None, target: list[str] | None, title: str, remeasure: bool,
          json_file: Path | None) -> None:  # fmt: skip
    """Sweep a model over techniques and runtimes, and show the front."""
    check_writable(json_file)
    more = _read_spec(spec, model)
    if target:
        more["targets"] = list(target)
    given = more.pop("targets", None)
    found = lab.make_spec(model, more.pop("preset", None) or preset, targets=_targets(given), **more)
    study = lab.wait(lab.start(found, title, remeasure=remeasure), _show_progress())
    _report(study.id, json_file)


def train(model: str, to: Path | None, replace: bool, seed: int | None, bf16: bool, epochs: int | None) -> None:
    """Train a sample model again from its recipe, and compare with the shipped weights."""
    shipped = Path(lab.model(model).path).parent if replace else None
    made = lab.train(model, to or shipped, seed=seed, bf16=bf16, epochs=epochs, progress=_show_epochs())
    from lab.plots.formats import measurement

    place = "inside" if made.within else "outside"
    print(f"trained  {made.file}  in {made.seconds:.0f} s")
    print(f"reached  {made.found.metric} {measurement(made.found)}")
    print(f"shipped  {measurement(made.shipped)}: what was reached lies {place} its 95 % interval")


def _show_epochs() -> Callable[[int, int, str], None]:
    start = time.monotonic()

    def say(done: int, total: int, text: str) -> None:
        left = (time.monotonic() - start) * (total - done) / max(done, 1)
        print(
            f"  epoch {done}/{total}, {text}" + (f", about {left:.0f} s left" if done < total else ""),
            file=sys.stderr,
            flush=True,
        )

    return say


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


def show(study: str, json_file: Path | None) -> None:
    """Show a study's trials and front."""
    check_writable(json_file)
    _report(study, json_file)


def sensitivity(trial: str, mix: int, wide: bool, keep_float: list[str] | None, json_file: Path | None) -> None:
    """Find out what each layer of a trial's recipe costs, and keep the worst in float."""
    check_writable(json_file)
    study = lab.wait(lab.start_sensitivity(trial), _show_progress())
    _show_layers(study.id, json_file)
    option, parent, added = "wide" if wide else "keep_float", str(study.spec.about["study"]), list[str]()
    if keep_float:
        added += lab.raise_layers(study.id, keep_float, option)
    if mix:
        added += lab.mixed_precision(study.id, mix, option)
    if added:
        lab.wait(parent, _show_progress())
        _report(parent, None)


def _show_layers(study_id: str, json_file: Path | None) -> None:
    from lab.plots.sensitivity import sensitivity_json, sensitivity_rows

    found = lab.sensitivity(study_id)
    if json_file is not None:
        write({"study": study_id, **sensitivity_json(found)}, json_file)
    if str(json_file) == "-":
        return
    rows = sensitivity_rows(found)
    print(f"study {study_id}: what each layer costs, the most harmful first")
    table(list(rows[0]) if rows else [], [[str(v) for v in row.values()] for row in rows])


def explain(of: str, json_file: Path | None) -> None:
    """Say why a trial, or each trial of a study, is not faster or not smaller."""
    check_writable(json_file)
    if "-" in of:
        found = {of: lab.explain(of)}
        value: dict[str, Any] = {"trial": of, "explanations": [asdict(f) for f in found[of]]}
    else:
        from lab.explaining import summary

        found = lab.explanations(of)
        value = {"study": of, **summary(lab.trials(of), found),
                 "explanations": {id_: [asdict(f) for f in findings] for id_, findings in found.items()}}  # fmt: skip
    if json_file is not None:
        write(value, json_file)
    if str(json_file) != "-":
        _print_findings(value)


def _print_findings(value: dict[str, Any]) -> None:
    if "trial" in value:
        for f in value["explanations"]:
            print(f"{f['about']}, {100 * f['share']:.0f} %: {f['text']}\n  {f['remedy']}")
        return None if value["explanations"] else print("No rule found anything.")
    from lab.registry import rules

    table(["trials", "rule", "reason"], [[str(n), id_, rules()[id_].title] for id_, n in value["rules"].items()])
    print(f"{value['not_faster']} trials are not faster than the float model, {value['not_smaller']} not smaller")
    for t in value["unexplained"]:
        print(f"unexplained: {t['trial']} {t['name']} ({t['about']})")
    return None


def scaling(trial: str, threads: str | None, batch: str | None, json_file: Path | None) -> None:
    """Measure a trial and its float baseline with more threads, and with more items a call."""
    check_writable(json_file)
    tried = _numbers(threads, "--threads"), _numbers(batch, "--batch")
    study = lab.wait(lab.start_scaling(trial, *tried), _show_progress())
    from lab.plots.scaling import scaling_json, scaling_rows, scaling_texts

    found = lab.scaling(study.id)
    if json_file is not None:
        write({"study": study.id, **scaling_json(found)}, json_file)
    if str(json_file) != "-":
        rows = scaling_rows(found)
        print(f"study {study.id}: threads and batches")
        table(list(rows[0]) if rows else [], [list(row.values()) for row in rows])
        print("\n".join(scaling_texts(found)))
    if not any(curve.points for curve in found.curves):
        raise LabError(
            f"Nothing could be measured in study {study.id}",
            given=next((f[1] for c in found.curves for f in c.failed), ""),
        )


def _numbers(text: str | None, option: str) -> list[int] | None:
    """ "1,2,8" as numbers.

    Raises:
        UsageError: it is no such list.
    """
    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option} takes whole numbers", allowed="such as 1,2,4", given=text) from error


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
    lab.wait(study, _show_progress())
    _report(study, json_file)


def cancel(study: str) -> None:
    """Stop a study; what is finished stays."""
    lab.cancel(study)


def export(study: str, to: Path) -> None:
    """Write a study to a file."""
    check_writable(to)
    print(lab.export(study, to))


def import_(file: Path) -> None:
    """Read a .lab file into this lab."""
    print(lab.import_study(file))


def add(
    file: Path, data: Path, task: str, name: str | None, layout: str | None, scale: float | None, offset: float | None
) -> None:
    """Register a trusted model file (.onnx, .tflite, .keras, .h5, .pt2) with its data."""
    card = lab.add_model(file, data, task, name=name, layout=layout, scale=scale, offset=offset, say=print)
    print(f"added {card.id}: {card.description}")


def serve(port: int, headless: bool, address: str) -> None:
    """Start the app (and finish studies that were interrupted)."""
    from lab.serving import serve as run

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


def _show_progress() -> Callable[[Any], None]:
    def say(p: Any) -> None:
        left = f", about {p.seconds_left:.0f} s left" if p.seconds_left is not None else ""
        print(f"  {p.done}/{p.total} trials, {p.stage}{left}", file=sys.stderr)

    return say


def _report(study_id: str, json_file: Path | None) -> None:
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
        numbers = [
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
                *numbers,
                note,
            ]
        )
    table(["front", "trial", "recipe", "target", "state", primary, "size", "download", "latency", "memory", ""], rows)
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
    """What the table does not tell: what measuring took, float answers that differ, threads without effect, other answers on
    other processors."""
    from lab.analysis.threads import without_effect
    from lab.plots.differences import time_text
    from lab.plots.elsewhere import elsewhere_texts

    trials = {t.id: t for t in lab.trials(study_id)}
    names = {id_: f"{t.name} on {_target_text(t.target.to_json())}" for id_, t in trials.items()}
    unlike = [f"float answers differ: {names[p.first]} and {names[p.second]} agree on {100 * p.agreement.value:.2f} %"
              for p in lab.float_agreement(study_id) if not p.faithful]  # fmt: skip
    idle = without_effect(trials.values())
    threads = [f"threads: more of them change nothing for {len(idle)} trials"] if idle else []
    texts = list(dict.fromkeys(f"{t.name}: {text}" for t in trials.values() for text in elsewhere_texts(t, MUCH)))
    more = [f"… and {len(texts) - FEW} more that answer otherwise on other processors"] if len(texts) > FEW else []
    took = time_text(list(trials.values()), lab.measuring_seconds(study_id))
    return [*([took] if took else []), *unlike, *threads, *texts[:FEW], *more]


def _value(measurements: Any, metric: str) -> str:
    from lab.plots.formats import value

    if metric not in measurements:
        return ""
    m = measurements[metric]
    return value(m["value"] if isinstance(m, dict) else m.value, m["unit"] if isinstance(m, dict) else m.unit)


# --- the arguments of each command -------------------------------------------------------------------------------------


def _lists(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", dest="as_json", action="store_true", help="print JSON")


def _dataset_arguments(p: argparse.ArgumentParser) -> None:
    _lists(p)
    p.add_argument("--fetch", metavar="ID", help="first download the files of a data set that comes from the net")


def _writes_json(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--json",
        dest="json_file",
        type=Path,
        metavar="FILE",
        help="also write the result as JSON ('-': only that, to standard output)",
    )


def _of_study(p: argparse.ArgumentParser) -> None:
    p.add_argument("study", help="id of a study, as `studies` lists them")


def _study_and_json(p: argparse.ArgumentParser) -> None:
    _of_study(p)
    _writes_json(p)


def _sweep_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", help="id of a model, as `models` lists them")
    p.add_argument("--preset", default="quick", help="quick (default), standard or full")
    p.add_argument(
        "--spec", metavar="FILE.json", help="a spec; what it leaves out comes from the preset ('-': standard input)"
    )
    p.add_argument(
        "--target",
        action="append",
        metavar="TARGET",
        help="where to run: ort, litert:threads=2,xnnpack=false …; may be repeated",
    )
    p.add_argument("--title", default="", help="a name for the study")
    p.add_argument("--remeasure", action="store_true", help="measure latency and memory again, though they are known")
    _writes_json(p)


def _explain_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("of", metavar="TRIAL_or_STUDY", help="id of a trial or of a study")
    _writes_json(p)


def _sensitivity_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("trial", help="id of a trial whose recipe lets layers be chosen, as `show` lists them")
    p.add_argument("--mix", type=int, default=0, metavar="N", help="then add N recipes of mixed precision to its study")
    p.add_argument(
        "--keep-float", nargs="+", metavar="LAYER", help="then add the recipe with these layers kept in float"
    )
    p.add_argument("--wide", action="store_true", help="raise layers to 16-bit activations instead of float")
    _writes_json(p)


def _doctor_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--repeat",
        type=_positive,
        default=3,
        metavar="N",
        help="comparisons whose answer is known (default 3); 40 tell a rate, in some minutes",
    )
    _writes_json(p)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _scaling_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("trial", help="id of a trial, as `show` lists them")
    p.add_argument("--threads", metavar="N,N", help="numbers of threads (default: powers of two up to the cores)")
    p.add_argument("--batch", metavar="N,N", help="items a call (default: 1,2,4,8,16,32)")
    _writes_json(p)


def _export_arguments(p: argparse.ArgumentParser) -> None:
    _of_study(p)
    p.add_argument("--to", type=Path, required=True, metavar="FILE", help="FILE.csv, .parquet, .json or .lab")


def _add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", type=Path, help=".onnx, .tflite, .keras, .h5 or .pt2; trusted")
    p.add_argument(
        "--data",
        type=Path,
        required=True,
        help=".npz with x_calibration, y_calibration, x_test, y_test, perhaps class_names; or the id of a data set",
    )
    p.add_argument("--task", default="classification")
    p.add_argument("--name", help="the id to register it under (default: the file's name)")
    p.add_argument("--layout", choices=("NHWC", "NCHW"), help="layout of the images in the data (default: inferred)")
    p.add_argument("--scale", type=float, help="model input = data × scale + offset (default: inferred)")
    p.add_argument("--offset", type=float, help="see --scale")


def _train_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", help="id of a sample model")
    where = p.add_mutually_exclusive_group()
    where.add_argument("--to", type=Path, metavar="FOLDER", help="where the weights go (default: LAB_HOME/trained)")
    where.add_argument("--replace", action="store_true", help="write over the weights that come with the lab")
    p.add_argument("--seed", type=int, help="another seed than the recipe's")
    p.add_argument("--bf16", action="store_true", help="compute in bfloat16: quicker where the processor has it")
    p.add_argument("--epochs", type=int, help="fewer epochs than the recipe's, for a quick look")


def _file(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", type=Path, help="FILE.lab")


def _serve_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--port", type=int, default=8501)
    p.add_argument("--headless", action="store_true", help="do not open a browser")
    p.add_argument("--address", default="localhost", help="interface to listen on; 0.0.0.0 for a class room")


_COMMANDS: dict[Callable[..., None], Callable[[argparse.ArgumentParser], None]] = {
    models: _lists, datasets: _dataset_arguments, techniques: _lists, runtimes: _lists, sweep: _sweep_arguments, show: _study_and_json, sensitivity: _sensitivity_arguments, scaling: _scaling_arguments, compare: compare_arguments, profile: profile_arguments, explain: _explain_arguments, studies: lambda p: None,
    resume: _study_and_json, cancel: _of_study, export: _export_arguments, import_: _file, add: _add_arguments, train: _train_arguments, doctor: _doctor_arguments, serve: _serve_arguments,
}  # fmt: skip
