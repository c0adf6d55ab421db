"""A model from disk: a trusted file becomes a card like any other, with arrays of its own or a data set that is here already.

How stored data become model input (layout, scale, offset) is given, or found by trying the usual ways on labelled items.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from lab import registry
from lab.engine import jobs, keys
from lab.engine.pools import POOLS, discard
from lab.errors import InvalidFile, NoPath, UsageError
from lab.formats.inspect import detect_format, inspect
from lab.plugs import ARRAYS, Array, Dataset, Runtime, Technique, arrays_digest
from lab.recipe import complete, conversion_path
from lab.store import records
from lab.store.blobs import keep
from lab.store.data import FROM_DISK, dataset_folder, load_array, save_arrays
from lab.types import Artifact, InputSpec, Measurement, ModelCard, Recipe, Step, Target

PROBED_ITEMS = 300
SCALES = ((1.0, 0.0), (1 / 255, 0.0), (1 / 127.5, -1.0), (255.0, 0.0), (2.0, -1.0))


def add_model(file: Path, data: Path, task: str = "classification", *, name: str | None = None, layout: str | None = None,
              scale: float | None = None, offset: float | None = None, say: Callable[[str], None] = lambda _: None) -> ModelCard:  # fmt: skip
    """Register a model file and its data.

    Args:
        file: .onnx, .tflite, .keras, .h5 or .pt2; it is trusted.
        data: .npz with x_calibration, y_calibration, x_test, y_test and perhaps class_names (no pickled objects), or the
            id of a data set.
        task: id of a task. How data become input is found by trying for classification only.
        name: the id; by default the file's name.
        layout: "NHWC" or "NCHW", of the images in the data.
        scale, offset: model input = data × scale + offset.
        say: told what was found.

    Raises:
        UsageError: something does not fit; nothing is registered.
    """
    registry.task(task)
    id_ = _id(name or file.stem)
    format_ = detect_format(file)
    given = _given(data, task)
    artifact = keep(file, format_)
    card = ModelCard(id_, id_, task, format_, format_, artifact.path, InputSpec(given.arrays["x_test"].shape[1:]), given.dataset,
                     given.class_names, licence="its owner's", provenance=f"added from {file.name}")  # fmt: skip
    runtime, ready, found = _make_ready(card, artifact, str(given.where))
    say(f"{file.name}: {format_}, takes {found['inputs'][0]}, answers {found['outputs'][0]}")
    spec, baseline = _infer_input(card, given.arrays, found, layout, scale, offset, runtime, ready, given.where, say)
    card = replace(card, input=spec, parameters=found.get("parameters"), macs=found.get("macs"))
    card = replace(
        card,
        baseline={baseline.metric: baseline},
        description=_describe(card, baseline, runtime),
    )
    records.add_model(card)
    return card


def _id(name: str) -> str:
    id_ = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:100]
    if not id_ or id_ in registry.sample_cards():
        raise UsageError("A model cannot be registered under this name", allowed="letters, digits and _, not the name of a sample model",
                         given=name, remedy="Give another one with --name")  # fmt: skip
    return id_


# --- the data --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Given:
    """The data that came with a model.

    Attributes:
        arrays: those of `lab.plugs.ARRAYS`.
        where: the folder of the store that holds them.
        dataset: what the card calls them.
    """

    arrays: Mapping[str, Array]
    class_names: tuple[str, ...]
    where: Path
    dataset: str


def _given(data: Path, task: str) -> _Given:
    if str(data) in registry.datasets() and not data.exists():
        return _registered(registry.dataset(str(data)), task)
    arrays, class_names = read_data(data, registry.task(task).labels)
    where = save_arrays(arrays, arrays_digest({name: arrays[name] for name in ARRAYS}))
    return _Given(arrays, class_names, where, FROM_DISK + where.name)


def _registered(dataset: Dataset, task: str) -> _Given:
    if dataset.task != task:
        raise UsageError("The data set is for another task", allowed=dataset.task, given=task, remedy=f"Add --task {dataset.task}")  # fmt: skip
    where = dataset_folder(dataset.id)
    return _Given({name: load_array(where, name) for name in ARRAYS}, dataset.class_names, where, dataset.id)


def read_data(path: Path, labels: str = "classes") -> tuple[dict[str, Array], tuple[str, ...]]:
    """Read and check an .npz.

    Args:
        labels: "classes": y arrays hold class numbers; "values": anything that is finite.

    Returns:
        the four arrays of `lab.plugs.ARRAYS`, and the class names.

    Raises:
        InvalidFile: not an .npz, pickled objects, a missing array, or arrays that do not fit each other.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in (*ARRAYS, "class_names") if name in file.files}
    except (ValueError, TypeError) as error:
        remedy = "Save plain arrays: np.savez(file, x_test=np.asarray(images, dtype='uint8'), …)"
        raise InvalidFile(
            "The data file holds pickled objects, which could run code, or is no .npz", given=str(path), remedy=remedy
        ) from error
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise InvalidFile(
            "The data file could not be read",
            allowed=f"an .npz written by numpy.savez, or one of the data sets {', '.join(registry.datasets())}",
            given=str(path),
            remedy=str(error),
        ) from error
    names = arrays.pop("class_names", None)
    _check_present(arrays)
    for split in ("calibration", "test"):
        _check_split(arrays[f"x_{split}"], arrays[f"y_{split}"], split)
    if labels == "values":
        return arrays, () if names is None else tuple(map(str, names))
    for split in ("calibration", "test"):
        _check_classes(arrays[f"y_{split}"], split)
    return {k: _labels(v) if k.startswith("y_") else v for k, v in arrays.items()}, _class_names(names, arrays)


def _check_present(arrays: Mapping[str, Array]) -> None:
    if absent := [name for name in ARRAYS if name not in arrays]:
        raise InvalidFile(
            f"The data file lacks {', '.join(absent)}",
            allowed=", ".join(ARRAYS) + ", and perhaps class_names",
            given=sorted(arrays),
        )
    if arrays["x_test"].shape[1:] != arrays["x_calibration"].shape[1:]:
        raise InvalidFile(
            "Calibration and test items differ in shape",
            given=[arrays[f"x_{s}"].shape for s in ("calibration", "test")],
        )


def _check_split(x: Array, y: Array, split: str) -> None:
    if x.dtype.kind not in "fiu" or y.dtype.kind not in "iuf":
        raise InvalidFile(
            f"x_{split} and y_{split} must be numbers",
            allowed="uint8 or float items, integer labels",
            given=(str(x.dtype), str(y.dtype)),
        )
    if len(x) != len(y) or not len(y):
        raise InvalidFile(f"The labels do not fit the items of the {split} split", allowed=f"y_{split} of shape ({len(x)},) with at least one item",
                          given=y.shape)  # fmt: skip
    for name, array in ((f"x_{split}", x), (f"y_{split}", y)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InvalidFile(f"{name} holds NaN or infinity", given=f"{int((~np.isfinite(array)).sum())} values")


def _check_classes(y: Array, split: str) -> None:
    if y.ndim != 1:
        raise InvalidFile(f"The labels do not fit the items of the {split} split", allowed=f"y_{split} of shape ({len(y)},)", given=y.shape)  # fmt: skip
    if (y < 0).any() or (y != np.floor(y)).any():
        raise InvalidFile(f"y_{split} must hold class numbers 0, 1, 2 …", given=np.unique(y)[:10].tolist())


def _labels(y: Array) -> Array:
    return y.astype("int64")


def _class_names(names: Array | None, arrays: Mapping[str, Array]) -> tuple[str, ...]:
    highest = int(max(arrays["y_test"].max(), arrays["y_calibration"].max()))
    if names is None:
        return ()
    if names.ndim != 1 or len(names) <= highest:
        raise InvalidFile(
            "There are fewer class names than classes", allowed=f"at least {highest + 1}", given=names.tolist()
        )
    return tuple(str(n) for n in names)


# --- the file ----------------------------------------------------------------------------------------------------------------


def _make_ready(card: ModelCard, artifact: Artifact, data: str) -> tuple[Runtime, str, dict[str, Any]]:
    """Convert to what the nearest runtime takes: proves that the file is whole, and the first sweep finds the step done."""
    runtime = _nearest_runtime(card.format)
    path, found = artifact.path, {}
    steps = complete(card.format, Recipe(), Target(runtime.id)).steps
    for n, step in enumerate(steps, 1):
        outcome = _convert(card, artifact, steps[:n], path, data, registry.technique(step.technique))
        path, found = outcome["artifact"]["path"], outcome["inspection"]
    return runtime, path, found or inspect(Path(path), card.format)


def _nearest_runtime(format_: str) -> Runtime:
    paths = {
        r.id: p
        for r in registry.runtimes().values()
        if r.missing is None and (p := conversion_path(format_, r.formats)) is not None
    }
    if not paths:
        raise NoPath("No installed runtime can be reached from this format", given=format_)
    return registry.runtime(min(paths, key=lambda id_: len(paths[id_])))


def _convert(
    card: ModelCard, source: Artifact, steps: tuple[Step, ...], path: str, data: str, technique: Technique
) -> dict[str, Any]:
    key = keys.step_key(source.sha256, steps, card, Path(data).name)
    if (known := records.known_step(key)) is not None and "error" not in known:
        return known
    request = {
        "technique": technique.id,
        "params": dict(steps[-1].params),
        "source": path,
        "card": card.to_json(),
        "data": data,
    }
    answer = POOLS.run(technique.toolchain, jobs.build, request, technique.timeout_s, lambda: False)
    try:
        if "error" in answer:
            raise InvalidFile(
                "The model could not be converted", given=Path(path).name, remedy=answer["error"]["message"]
            )
        kept = keep(Path(answer["file"]), answer["format"])
    finally:
        discard(answer)
    outcome = {"artifact": kept.to_json(), "notes": answer["notes"], "inspection": answer["inspection"]}
    records.remember_step(key, technique.id, outcome, technique.typical_s)
    return outcome


# --- how the data become its input ---------------------------------------------------------------------------------------------


def _infer_input(card: ModelCard, arrays: Mapping[str, Array], found: Mapping[str, Any], layout: str | None, scale: float | None,
                 offset: float | None, runtime: Runtime, path: str, where: Path, say: Callable[[str], None]) -> tuple[InputSpec, Measurement]:  # fmt: skip
    takes = found["inputs"][0]
    given = (scale, offset) if card.task == "classification" else (scale or 1.0, offset or 0.0)
    specs = _candidates(arrays["x_test"], tuple(takes["shape"])[1:], takes["dtype"], layout, *given)
    request = {"runtime": runtime.id, "path": path, "data": str(where), "task": card.task}
    best = specs[0] if len(specs) == 1 else _best(specs, request, say)
    say(f"taken: {_way(best)} (override with --layout, --scale, --offset)")
    return best, _judged([best], request, None)[0]


def _best(specs: Sequence[InputSpec], request: Mapping[str, Any], say: Callable[[str], None]) -> InputSpec:
    """The way under which most calibration items are answered rightly."""
    accuracies = [m.value for m in _judged(specs, request, PROBED_ITEMS)]
    for spec, accuracy in zip(specs, accuracies, strict=True):
        say(f"  {_way(spec)}: {accuracy:.1%} of {PROBED_ITEMS} calibration items right")
    return specs[int(np.argmax(accuracies))]


def _way(spec: InputSpec) -> str:
    return f"layout {spec.data_layout} → {spec.layout}, × {spec.scale:.5g} {spec.offset:+.5g}"


def _judged(specs: Sequence[InputSpec], request: Mapping[str, Any], n: int | None) -> list[Measurement]:
    """The task's own metric under each way; n calibration items, or None for the whole test set."""
    found = _ask(jobs.probe, {**request, "candidates": [asdict(s) for s in specs], "n": n})["found"]
    metric = registry.task(request["task"]).primary
    return [Measurement.from_json(metric, value) for value in found]


def _ask(body: Callable[[Mapping[str, Any]], dict[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    answer = POOLS.run("light", body, request, 3600.0, lambda: False)
    discard(answer)
    if "error" in answer:
        raise InvalidFile("The model does not answer the data", remedy=answer["error"]["message"])
    return answer


def _candidates(
    x: Array, shape: tuple[int | None, ...], dtype: str, layout: str | None, scale: float | None, offset: float | None
) -> list[InputSpec]:
    layouts = [pair for pair in _layouts(x.shape[1:], shape) if layout in (None, pair[0])]
    if not layouts:
        raise InvalidFile(
            "The data do not fit the model's input",
            allowed=f"items of shape {shape}",
            given=f"items of shape {x.shape[1:]}, layout {layout or 'inferred'}",
        )
    integer = np.dtype(dtype).kind in "iu" and x.dtype.kind in "iu" and x.ndim == 2
    scales = (
        [(scale if scale is not None else 1.0, offset or 0.0)]
        if scale is not None or offset is not None or integer
        else _scales(x)
    )
    takes = dtype if integer else "float32"
    return [
        InputSpec(_item_shape(x.shape[1:], stored, takes_), takes, takes_, s, o, stored)
        for (stored, takes_), (s, o) in product(layouts, scales)
    ]


def _layouts(item: tuple[int, ...], shape: tuple[int | None, ...]) -> list[tuple[str, str]]:
    """(layout of the data, layout of the model) pairs under which the item fits the input."""
    if len(item) != 3:
        return [("N", "N")] if _fits(item, shape) else []
    ways = [("NHWC", "NHWC"), ("NHWC", "NCHW"), ("NCHW", "NHWC")]
    return [way for way in ways if _fits(_item_shape(item, *way), shape)]


def _item_shape(item: tuple[int, ...], stored: str, taken: str) -> tuple[int, ...]:
    if stored == taken:
        return tuple(item)
    return (item[2], item[0], item[1]) if taken == "NCHW" else (item[1], item[2], item[0])


def _fits(item: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(item) == len(shape) and all(
        b is None or not isinstance(b, int) or b < 0 or a == b for a, b in zip(item, shape, strict=True)
    )


def _scales(x: Array) -> list[tuple[float, float]]:
    highest = float(np.max(x[:PROBED_ITEMS]))
    return list(SCALES[:3]) if highest > 1.5 else [SCALES[0], *SCALES[3:]]


def _describe(card: ModelCard, baseline: Measurement, runtime: Runtime) -> str:
    how = f"data × {card.input.scale:.5g} {card.input.offset:+.5g}, {card.input.data_layout} → {card.input.layout}"
    return f"{registry.task(card.task).noun} {baseline.value:.2%} in {runtime.title}; input is {how}."
