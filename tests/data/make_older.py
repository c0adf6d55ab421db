"""Write the store and the files that tests/unit/store/test_older_versions.py reads.

Run with the code of commit 6b4840c, from its checkout, with LAB_HOME an empty folder:

    PYTHONPATH=. python .../tests/data/make_older.py .../tests/data/older
"""

import gzip
import inspect
import json
import shutil
import sqlite3
import sys
import zipfile
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path

import lab
from lab import registry
from lab.home import home
from lab.types import Recipe, Step

SMALL = {"test_samples": 60, "rounds": 2, "runs": 3, "turn_s": 0.001, "budget_s": 0.2}
MODEL, BOTH = "digits_lenet", ["ort", "litert"]
EVIDENCE = (".json", ".npz")
VIEW = {"goal": ["latency_s"], "view": ["solid"], "limit_top1_accuracy": ["0.9"], "ticked": ["1,3"]}
PRUNED = {"keras_weight_pruning": {"ratio": (0.5,)}}
TUNED = {"keras_fine_tune": {"train_steps": (3,), "batch_size": (16,)}}
QUANTIZED = {"": {}, "tflite_static_wi8_ai8": {"calibration_samples": (20,)}}


def main(to: Path) -> None:
    """Run five studies, then pack the store and what the code says about it."""
    studies = {
        "list": run("A list", recipes=recipes(), targets=BOTH, space={}),
        "search": run("A search", space=grid(), targets=["ort"], search={"trials": 4, "batch": 2}),
        "composition": run(
            "A composition", space={}, chains=[(PRUNED, TUNED, QUANTIZED)], targets=["litert"]
        ),
        "cancelled": cancelled(),
    }
    asked = next(
        t
        for t in lab.trials(studies["list"])
        if t.recipe.steps[-1:] and t.recipe.steps[-1].technique == "onnx_static_int8"
    )
    studies["sensitivity"] = lab.wait(lab.start_sensitivity(asked.id)).id
    studies["scaling"] = lab.wait(lab.start_scaling(asked.id, [1, 2], [1, 4])).id
    lab.set_note(studies["list"], "A note on the study: **bold**, ümlaut")
    lab.set_note(studies["list"], "A note on the trial", asked.id)
    links = [lab.create_link(studies["list"], VIEW), lab.create_link(studies["search"])]
    revoked = lab.create_link(studies["list"])
    lab.revoke_link(revoked.token)
    lab.export(studies["list"], to / "list.lab")
    lab.export(studies["composition"], to / "composition_without_models.lab", artifacts=False)
    value = {
        "studies": studies,
        "asked": asked.id,
        "home": str(home()),
        "links": [asdict(x) for x in links],
        "revoked": revoked.token,
        "notes": lab.notes(studies["list"]),
        "spec_texts": {
            name: lab.spec_to_text(lab.study(id_).spec) for name, id_ in studies.items()
        },
        "shown": {name: lab.result_json(id_) for name, id_ in studies.items()},
        "picks": {
            name: getattr(lab.study(id_).pick().trial, "id", None) for name, id_ in studies.items()
        },
        "read": {name: as_json(read) for name, read in reads(studies, asked.id).items()},
    }
    write(to / "results.json.gz", value)
    write(to / "names.json.gz", names())
    pack(to / "home.zip")


def run(title: str, **spec: object) -> str:
    found = lab.wait(lab.start(lab.make_spec(MODEL, **{**SMALL, **spec}), title))
    print(title, [(t.name, t.state, (t.error or {}).get("message")) for t in lab.trials(found.id)])
    return found.id


def recipes() -> list[Recipe]:
    """Quantizations of both formats; the last one fails, because no layer has this name."""
    few = {"calibration_samples": 20}
    return [
        Recipe((Step("onnx_dynamic_int8"),)),
        Recipe((Step("onnx_static_int8", few),)),
        Recipe((Step("tflite_dynamic_wi8_afp32"),)),
        Recipe((Step("tflite_static_wi8_ai8", {**few, "keep_float": ["no_such_layer"]}),)),
    ]


def grid() -> dict[str, dict[str, tuple[object, ...]]]:
    return {
        "onnx_dynamic_int8": {"per_channel": (False, True), "reduce_range": (False, True)},
        "onnx_fp16": {},
    }


def cancelled() -> str:
    id_ = lab.start(
        lab.make_spec(
            MODEL,
            space={"onnx_weight_only_wi4": {"block_size": (16, 32)}},
            targets=["ort"],
            **SMALL,
        ),
        "Cancelled",
    )
    lab.cancel(id_)
    return lab.wait(id_).id


def reads(studies: dict[str, str], asked: str) -> dict[str, object]:
    """What is read from files beside the database."""
    listed = studies["list"]
    trial = next(t for t in lab.trials(listed) if t.id == asked)
    baseline = next(t.id for t in lab.trials(listed) if t.is_baseline)
    return {
        "flips": lab.flips(asked, baseline), "anatomy": lab.anatomy(trial), "profile": lab.profile(trial),
        "latency_samples": lab.latency_samples(trial), "compare": lab.compare(asked, baseline),
        "per_class": lab.per_class(asked), "curves": lab.training_curves(studies["composition"]),
        "course": lab.search_course(studies["search"]), "spent": lab.search_spent(studies["search"]),
        "sensitivity": lab.sensitivity(studies["sensitivity"]), "scaling": lab.scaling(studies["scaling"]),
        "float_agreement": lab.float_agreement(listed), "jobs": lab.jobs(listed),
    }  # fmt: skip


def names() -> dict[str, object]:
    """Ids, options, public names with their parameters and fields, and the command line."""
    from lab.cli import _parser  # where it was then

    kinds = {
        k: getattr(registry, k)()
        for k in ("techniques", "runtimes", "metrics", "datasets", "tasks", "rules")
    }
    options = {
        f"{kind} {id_}": {o.id: as_json(o.default) for o in plug.options}
        for kind, found in kinds.items()
        for id_, plug in found.items()
        if hasattr(plug, "options")
    }
    public = {name: getattr(lab, name) for name in lab.EXPORTED}
    return {
        "ids": {**{k: sorted(v) for k, v in kinds.items()}, "models": sorted(lab.models())}, "options": options,
        "parameters": {name: [[p.name, p.kind.name] for p in inspect.signature(f).parameters.values()] for name, f in public.items() if not is_dataclass(f)},
        "fields": {name: [f.name for f in fields(c)] for name, c in public.items() if is_dataclass(c)},
        "commands": {name: [flags(a) for a in p._actions] for name, p in _parser()._subparsers._group_actions[0].choices.items()},
    }  # fmt: skip


def flags(action: object) -> list[object]:
    return [
        action.dest,
        list(action.option_strings),
        action.nargs,
        action.choices and list(action.choices),
    ]


def as_json(value: object) -> object:
    """Dataclasses as objects, whatever lies in them."""
    if is_dataclass(value):
        return {f.name: as_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, str | bool | int | float | None):
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    return [as_json(v) for v in value] if hasattr(value, "__iter__") else str(value)


def write(to: Path, value: object) -> None:
    to.write_bytes(gzip.compress(json.dumps(value, separators=(",", ":")).encode(), 9, mtime=0))


def pack(to: Path) -> None:
    """The database in one file, the source model and what is no model, without what list.lab holds."""
    there = {Path(name).name for name in zipfile.ZipFile(to.with_name("list.lab")).namelist()}
    source = Path(lab.card_of(lab.studies()[0].id).path).name
    copy = home() / "copy.db"
    with sqlite3.connect(home() / "lab.db") as database:
        database.execute("VACUUM INTO ?", [str(copy)])
    with zipfile.ZipFile(to, "w", zipfile.ZIP_LZMA) as archive:
        archive.write(copy, "lab.db")
        for file in sorted((home() / "artifacts").iterdir()):
            if file.name == source or (file.suffix in EVIDENCE and file.name not in there):
                archive.write(file, f"artifacts/{file.name}")
    copy.unlink()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    main(folder)
