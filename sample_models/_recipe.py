"""Shared parts of training recipes: settings, paths of the weights, and the record of a
training.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from lab import registry
from lab.errors import InvalidFile
from lab.formats.feeding import as_input
from lab.plugs import Array, Dataset, Training, arrays_digest
from lab.types import Measurement, ModelCard

WEIGHTS = Path(__file__).resolve().parent / "weights"
SUFFIX = {"keras": ".keras", "torch_export": ".pt2"}


@dataclass(frozen=True)
class Plan:
    """Settings of a recipe.

    Attributes:
        rate: highest learning rate; the rate rises to it and falls to zero along half a cosine.
        smoothing: share of the label that is spread over all classes.
        augment: function of a batch of items that returns a batch of items, as the framework's
            tensors.
        deal: function (items, batch) -> rows of each batch of one epoch, for items that should not
            be mixed; PyTorch only.
        restore: True for a model that reconstructs its input: the input is the target.
    """

    epochs: int
    batch: int
    rate: float
    seed: int = 0
    weight_decay: float = 0.05
    smoothing: float = 0.0
    augment: Callable[[Any], Any] | None = None
    deal: Callable[[Any, int], Sequence[Any]] | None = None
    restore: bool = False

    def facts(self) -> dict[str, Any]:
        """Return the settings that the record keeps."""
        return {k: v for k, v in asdict(self).items() if k not in ("augment", "deal", "restore")}


def weights_path(name: str) -> Path:
    """Return the path of a weights file of this name."""
    return WEIGHTS / name


def read_record(model_id: str, folder: Path = WEIGHTS) -> dict[str, Any]:
    """Return the record of the last training; empty before the first."""
    file = folder / f"{model_id}.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def baseline(record: Mapping[str, Any]) -> dict[str, Measurement]:
    """Return metric id -> measurement, from a record."""
    return {
        metric: Measurement.from_json(metric, value)
        for metric, value in record.get("baseline", {}).items()
    }


def percent(share: float | None) -> str:
    """Format a share as percent, or a dash where it is not measured yet."""
    return "–" if share is None else f"{100 * share:.1f} %"


def training_data(card: ModelCard) -> tuple[Dataset, Array, Array]:
    """Return the declared training set, in the form of the model's input.

    Raises:
        InvalidFile: it is not the training set that the dataset's file declares.
    """
    dataset = registry.dataset(card.dataset)
    if dataset.training is None:
        raise InvalidFile(
            f"The data set {dataset.id!r} has no training set", remedy="Train on another one"
        )
    x, y = dataset.training()
    if (
        not dataset.sources
        and (digest := arrays_digest({"x": x, "y": y})) != dataset.training_digest
    ):
        raise InvalidFile(
            f"The training set of {dataset.id!r} is not the declared one",
            allowed=dataset.training_digest,
            given=digest,
            remedy="Install the versions in requirements.txt",
        )
    return dataset, as_input(x, card.input), y


def judge(card: ModelCard, outputs: Array, labels: Array, inputs: Array) -> dict[str, Measurement]:
    """Return every metric of the card's task that can be computed from outputs and labels."""
    evidence = {"outputs": outputs, "labels": labels, "inputs": inputs}
    fitting = [
        m
        for m in registry.metrics().values()
        if card.task in m.tasks and set(m.needs) <= set(evidence)
    ]
    measurements = {m.id: m.compute(**{name: evidence[name] for name in m.needs}) for m in fitting}
    return {
        id_: measurement for id_, measurement in measurements.items() if measurement is not None
    }


@dataclass(frozen=True)
class Trained:
    """Result of a recipe: the file, its outputs on the test set, and its size."""

    file: Path
    answer: Callable[[Array], Array]
    parameters: int
    macs: int


def write_record(
    card: ModelCard,
    plan: Plan,
    training: Training,
    trained: Trained,
    started: float,
    packages: Sequence[str],
    **facts: Any,
) -> None:
    """Evaluate the trained model, and write the record beside its weights.

    Args:
        started: `time.perf_counter()` when the recipe began.
        packages: packages whose versions are recorded.
        facts: additional entries.
    """
    seconds = perf_counter() - started
    dataset = registry.dataset(card.dataset)
    splits = dataset.load()
    inputs = as_input(splits.x_test, card.input)
    measurements = judge(card, trained.answer(inputs), splits.y_test, inputs)
    used = {
        **plan.facts(),
        **({"seed": training.seed} if training.seed is not None else {}),
        **({"epochs": training.epochs} if training.epochs else {}),
        "bf16": training.bf16,
    }
    record = {
        "parameters": trained.parameters,
        "macs": trained.macs,
        "seconds": round(seconds, 1),
        "cpu": _cpu(),
        "threads": os.environ.get("OMP_NUM_THREADS") or os.cpu_count(),
        "plan": used,
        "baseline": {id_: m.to_json() for id_, m in measurements.items()},
        "dataset_digest": splits.digest(),
        "training_digest": dataset.training_digest,
        "weights_sha256": sha256(trained.file.read_bytes()).hexdigest(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in (*packages, "numpy")},
        },
        **facts,
        "layers": [],
    }
    rows = ",\n  ".join(map(json.dumps, _layers(trained.file, card.format)))  # one line per layer
    text = json.dumps(record, indent=1, ensure_ascii=False).replace(
        '"layers": []', f'"layers": [\n  {rows}\n ]'
    )
    (training.folder / f"{card.id}.json").write_text(text + "\n", encoding="utf-8")
    best = measurements[registry.task(card.task).primary]
    training.progress(
        used["epochs"],
        used["epochs"],
        f"test {best.metric} {best.value:.4f} ({best.low:.4f}–{best.high:.4f})",
    )


def _layers(file: Path, format_: str) -> list[dict[str, Any]]:
    from lab.formats.layers import layer_table

    return [asdict(layer) for layer in layer_table(file, format_)]


def _cpu() -> str:
    """Return the processor's name, where Linux provides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
