"""A model from disk: a trusted file becomes a card like any other, with arrays of its own or a data
set that is here already.

How stored data become model input (layout, scale, offset) is given, or found by trying the usual
ways on labelled items.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from lab import registry
from lab.engine import in_pool_process as jobs
from lab.engine import keys
from lab.engine.pools import POOLS, discard
from lab.errors import InvalidFile, NoPath, UsageError
from lab.formats.inspect import can_inspect, detect_format, inspect
from lab.plugs import ARRAYS, Array, Dataset, Runtime, Technique, arrays_digest
from lab.spec.recipes import complete, conversion_path
from lab.store import records
from lab.store.blobs import keep
from lab.store.data import FROM_DISK, dataset_folder, load_array, save_arrays
from lab.store.npz import read_data
from lab.types import Artifact, InputSpec, Measurement, ModelCard, Recipe, Step, Target

PROBED_ITEMS = 300
SCALES = ((1.0, 0.0), (1 / 255, 0.0), (1 / 127.5, -1.0), (255.0, 0.0), (2.0, -1.0))


def add_model(
    file: Path,
    data: Path,
    task: str = "classification",
    *,
    name: str | None = None,
    layout: str | None = None,
    scale: float | None = None,
    offset: float | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> ModelCard:
    """Register a model file and its data.

    Args:
        file: .onnx, .tflite, .keras, .h5 or .pt2; it is trusted.
        data: .npz with x_calibration, y_calibration, x_test, y_test, perhaps x_train with y_train
            for techniques that train,
            and class_names (no pickled objects), or the id of a data set.
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
    card = ModelCard(
        id_,
        id_,
        task,
        format_,
        format_,
        artifact.path,
        InputSpec(given.arrays["x_test"].shape[1:]),
        given.dataset,
        given.class_names,
        licence="its owner's",
        provenance=f"added from {file.name}",
    )
    runtime, ready, found = _make_ready(card, artifact, str(given.where))
    say(f"{file.name}: {format_}, takes {found['inputs'][0]}, answers {found['outputs'][0]}")
    spec, baseline = _infer_input(
        card, given.arrays, found, layout, scale, offset, runtime, ready, given.where, say
    )
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
        raise UsageError(
            "A model cannot be registered under this name",
            allowed="letters, digits and _, not the name of a sample model",
            given=name,
            remedy="Give another one with --name",
        )
    return id_


# --- the data -------------------------------------------------------------------------------------


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
    where = save_arrays(arrays, arrays_digest(arrays))
    return _Given(arrays, class_names, where, FROM_DISK + where.name)


def _registered(dataset: Dataset, task: str) -> _Given:
    if dataset.task != task:
        raise UsageError(
            "The data set is for another task",
            allowed=dataset.task,
            given=task,
            remedy=f"Add --task {dataset.task}",
        )
    where = dataset_folder(dataset.id)
    return _Given(
        {name: load_array(where, name) for name in ARRAYS}, dataset.class_names, where, dataset.id
    )


# --- the file -------------------------------------------------------------------------------------


def _make_ready(
    card: ModelCard, artifact: Artifact, data: str
) -> tuple[Runtime, str, dict[str, Any]]:
    """Convert to what the nearest runtime takes: proves that the file is whole, and the first sweep
    finds the step done.
    """
    runtime = _nearest_runtime(card.format)
    path, found = artifact.path, {}
    steps = complete(card.format, Recipe(), Target(runtime.id)).steps
    for n, step in enumerate(steps, 1):
        outcome = _convert(
            card, artifact, steps[:n], path, data, registry.technique(step.technique)
        )
        path, found = outcome["artifact"]["path"], outcome["inspection"]
    return runtime, path, found or inspect(Path(path), card.format)


def _nearest_runtime(format_: str) -> Runtime:
    """The one that the fewest conversions lead to, among those whose files can be looked into."""
    paths = {
        r.id: p
        for r in registry.runtimes().values()
        if r.missing is None
        and (p := conversion_path(format_, r.formats)) is not None
        and can_inspect(p[-1].produces if p else format_)
    }
    if not paths:
        raise NoPath("No installed runtime can be reached from this format", given=format_)
    return registry.runtime(min(paths, key=lambda id_: len(paths[id_])))


def _convert(
    card: ModelCard,
    source: Artifact,
    steps: tuple[Step, ...],
    path: str,
    data: str,
    technique: Technique,
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
    answer = POOLS.run(technique.pool, jobs.build, request, technique.timeout_s, lambda: False)
    try:
        if "error" in answer:
            raise InvalidFile(
                "The model could not be converted",
                given=Path(path).name,
                remedy=answer["error"]["message"],
            )
        kept = keep(Path(answer["file"]), answer["format"])
    finally:
        discard(answer)
    outcome = {
        "artifact": kept.to_json(),
        "notes": answer["notes"],
        "inspection": answer["inspection"],
    }
    records.remember_step(key, technique.id, outcome, technique.typical_s)
    return outcome


# --- how the data become its input ----------------------------------------------------------------


def _infer_input(
    card: ModelCard,
    arrays: Mapping[str, Array],
    found: Mapping[str, Any],
    layout: str | None,
    scale: float | None,
    offset: float | None,
    runtime: Runtime,
    path: str,
    where: Path,
    say: Callable[[str], None],
) -> tuple[InputSpec, Measurement]:
    takes = found["inputs"][0]
    given = (scale, offset) if card.task == "classification" else (scale or 1.0, offset or 0.0)
    specs = _candidates(arrays["x_test"], tuple(takes["shape"])[1:], takes["dtype"], layout, *given)
    request = {"runtime": runtime.id, "path": path, "data": str(where), "task": card.task}
    best = specs[0] if len(specs) == 1 else _best(specs, request, say)
    say(f"taken: {_way(best)} (override with --layout, --scale, --offset)")
    return best, _judged([best], request, None)[0]


def _best(
    specs: Sequence[InputSpec], request: Mapping[str, Any], say: Callable[[str], None]
) -> InputSpec:
    """The way under which most calibration items are answered rightly."""
    accuracies = [m.value for m in _judged(specs, request, PROBED_ITEMS)]
    for spec, accuracy in zip(specs, accuracies, strict=True):
        say(f"  {_way(spec)}: {accuracy:.1%} of {PROBED_ITEMS} calibration items right")
    return specs[int(np.argmax(accuracies))]


def _way(spec: InputSpec) -> str:
    return f"layout {spec.data_layout} → {spec.layout}, × {spec.scale:.5g} {spec.offset:+.5g}"


def _judged(
    specs: Sequence[InputSpec], request: Mapping[str, Any], n: int | None
) -> list[Measurement]:
    """The task's own metric under each way; n calibration items, or None for the whole test set."""
    found = _ask(jobs.probe, {**request, "candidates": [asdict(s) for s in specs], "n": n})["found"]
    metric = registry.task(request["task"]).primary
    return [Measurement.from_json(metric, value) for value in found]


def _ask(
    body: Callable[[Mapping[str, Any]], dict[str, Any]], request: Mapping[str, Any]
) -> dict[str, Any]:
    answer = POOLS.run("light", body, request, 3600.0, lambda: False)
    discard(answer)
    if "error" in answer:
        raise InvalidFile("The model does not answer the data", remedy=answer["error"]["message"])
    return answer


def _candidates(
    x: Array,
    shape: tuple[int | None, ...],
    dtype: str,
    layout: str | None,
    scale: float | None,
    offset: float | None,
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
        b is None or not isinstance(b, int) or b < 0 or a == b
        for a, b in zip(item, shape, strict=True)
    )


def _scales(x: Array) -> list[tuple[float, float]]:
    highest = float(np.max(x[:PROBED_ITEMS]))
    return list(SCALES[:3]) if highest > 1.5 else [SCALES[0], *SCALES[3:]]


def _describe(card: ModelCard, baseline: Measurement, runtime: Runtime) -> str:
    how = (
        f"data × {card.input.scale:.5g} {card.input.offset:+.5g}, {card.input.data_layout} →"
        f" {card.input.layout}"
    )
    return (
        f"{registry.task(card.task).noun} {baseline.value:.2%} in {runtime.title}; input is {how}."
    )
