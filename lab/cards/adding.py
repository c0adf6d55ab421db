"""A model from disk: a trusted file becomes a card like any other, with arrays of its own or a data
set that is here already.

Layout, scale and offset that turn stored data into model input are given, or found by trying the
usual ones on labelled items.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from lab import registry
from lab.cards.inputs import PROBED_ITEMS, Hints, candidates, describe
from lab.engine import keys
from lab.engine.in_pool_process import build_in_pool, probe_in_pool
from lab.engine.messages import Built, Failure, PoolBuildRequest, ProbeRequest
from lab.engine.on_dask_worker.build import known_step
from lab.engine.pools import POOLS, discard
from lab.errors import InvalidFile, NoPath, UsageError
from lab.formats.inspect import can_inspect, detect_format, inspect
from lab.lazy import np
from lab.plugs import ARRAYS, Array, Dataset, Runtime, Technique, arrays_digest
from lab.spec.recipes import complete, conversion_path
from lab.store import records
from lab.store.blobs import keep
from lab.store.data import FROM_DISK, dataset_folder, load_array, save_arrays
from lab.store.npz import read_data
from lab.types import Artifact, InputSpec, Measurement, ModelCard, Recipe, Step, Target

PROBE_LIMIT_S = 3600.0
Request = TypeVar("Request")
T = TypeVar("T")


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
    ready = _make_ready(card, artifact, str(given.where))
    takes, returns = ready.inspection["inputs"][0], ready.inspection["outputs"][0]
    say(f"{file.name}: {format_}, takes {takes}, answers {returns}")
    spec, baseline = _infer_input(card, given, ready, Hints(layout, scale, offset), say)
    card = replace(
        card,
        input=spec,
        parameters=ready.inspection.get("parameters"),
        macs=ready.inspection.get("macs"),
        baseline={baseline.metric: baseline},
    )
    card = replace(card, description=_describe(card, baseline, ready.runtime))
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


@dataclass(frozen=True)
class _Ready:
    """The model as the runtime that judges it takes it.

    Attributes:
        path: of the file; inspection: its contents, see `lab.formats.inspect.inspect`.
    """

    runtime: Runtime
    path: str
    inspection: Mapping[str, Any]


def _make_ready(card: ModelCard, artifact: Artifact, data: str) -> _Ready:
    """Convert to the nearest runtime's format: that proves the file whole, and the first sweep
    finds the step done.
    """
    runtime = nearest_runtime(card.format)
    path, inspection = artifact.path, {}
    steps = complete(card.format, Recipe(), Target(runtime.id)).steps
    for n, step in enumerate(steps, 1):
        built = _convert(card, artifact, steps[:n], path, data, registry.technique(step.technique))
        path, inspection = built.artifact.path, dict(built.inspection)
    return _Ready(runtime, path, inspection or _inspect(runtime, path, card.format))


def nearest_runtime(format_: str) -> Runtime:
    """Return the runtime that the fewest conversions lead to, among those whose files can be
    inspected; of equally near ones, the first by id.

    Raises:
        NoPath: no installed runtime can be reached.
    """
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


def inspect_in_process(request: tuple[str, str], workdir: Path) -> dict[str, Any]:
    """Inspect a file in a worker process: reading some formats loads a framework.

    Args:
        request: path and format.
    """
    return dict(inspect(*request))


def _inspect(runtime: Runtime, path: str, format_: str) -> dict[str, Any]:
    inspection: dict[str, Any] = _run(runtime, inspect_in_process, (path, format_))
    return inspection


def _convert(
    card: ModelCard,
    source: Artifact,
    steps: tuple[Step, ...],
    path: str,
    data: str,
    technique: Technique,
) -> Built:
    key = keys.step_key(source.sha256, steps, card, Path(data).name)
    if isinstance(known := known_step(key), Built):
        return known
    request = PoolBuildRequest(steps[-1], path, card, data)
    finished = POOLS.run(technique.pool, build_in_pool, request, technique.timeout_s, lambda: False)
    try:
        made = finished.result
        if isinstance(made, Failure):
            raise InvalidFile(
                "The model could not be converted", given=Path(path).name, remedy=made.message
            )
        built = Built(keep(Path(made.file), made.format), made.notes, made.inspection)
    finally:
        discard(finished)
    records.remember_step(key, technique.id, built.to_json(), technique.typical_s)
    return built


# --- how the data become its input ----------------------------------------------------------------


def _infer_input(
    card: ModelCard, given: _Given, ready: _Ready, hints: Hints, say: Callable[[str], None]
) -> tuple[InputSpec, Measurement]:
    """Return the way from data to input, and the task's own metric on the whole test set."""
    takes = ready.inspection["inputs"][0]
    hints = hints if card.task == "classification" else hints.as_given()
    shape = tuple(takes["shape"])[1:]
    specs = candidates(given.arrays["x_test"], shape, takes["dtype"], hints)
    request = ProbeRequest(ready.runtime.id, ready.path, str(given.where), card.task, candidates=())
    items = min(PROBED_ITEMS, len(given.arrays["x_calibration"]))
    best = specs[0] if len(specs) == 1 else _best(specs, ready.runtime, request, items, say)
    say(f"taken: {describe(best)} (override with --layout, --scale, --offset)")
    return best, _judge(ready.runtime, [best], request, None)[0]


def _best(
    specs: Sequence[InputSpec],
    runtime: Runtime,
    request: ProbeRequest,
    items: int,
    say: Callable[[str], None],
) -> InputSpec:
    """Return the way under which most calibration items are predicted rightly."""
    accuracies = [m.value for m in _judge(runtime, specs, request, items)]
    for spec, accuracy in zip(specs, accuracies, strict=True):
        say(f"  {describe(spec)}: {accuracy:.1%} of {items} calibration items right")
    return specs[int(np.argmax(accuracies))]


def _judge(
    runtime: Runtime, specs: Sequence[InputSpec], request: ProbeRequest, n: int | None
) -> list[Measurement]:
    """Measure the task's own metric under each way, on n calibration items or, where n is None, on
    the whole test set.
    """
    whole = replace(request, candidates=tuple(specs), items=n)
    return list(_run(runtime, probe_in_pool, whole).measurements)


def _run(runtime: Runtime, body: Callable[[Request, Path], T], request: Request) -> T:
    """Run a body in a process that has the runtime's toolchain."""
    finished = POOLS.run(runtime.toolchain, body, request, PROBE_LIMIT_S, lambda: False)
    discard(finished)
    if isinstance(finished.result, Failure):
        raise InvalidFile("The model does not answer the data", remedy=finished.result.message)
    return finished.result


def _describe(card: ModelCard, baseline: Measurement, runtime: Runtime) -> str:
    how = (
        f"data × {card.input.scale:.5g} {card.input.offset:+.5g}, {card.input.data_layout} →"
        f" {card.input.layout}"
    )
    return (
        f"{registry.task(card.task).noun} {baseline.value:.2%} in {runtime.title}; input is {how}."
    )
