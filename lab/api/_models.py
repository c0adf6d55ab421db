"""Models, data and what can be done to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import registry
from lab.cards.training import Trained
from lab.errors import UnknownId
from lab.home import folder as home_folder
from lab.plugs import Dataset, Metric, Provider, Rule, Runtime, Task, Technique, Training
from lab.spec.recipes import applicable
from lab.store import records
from lab.store.data import FROM_DISK
from lab.store.examples import Examples, examples_of
from lab.store.layers import layers_of
from lab.types import Layer, Measurement, ModelCard


def models() -> dict[str, ModelCard]:
    """Every model that can be picked: the samples and those added from disk."""
    return {**registry.sample_cards(), **records.added_models()}


def model(id_: str) -> ModelCard:
    """One model's card.

    Raises:
        UnknownId: there is none with that id.
    """
    known = models()
    if id_ not in known:
        raise UnknownId.of("model", id_, known, "List them with: python -m lab models")
    return known[id_]


def available_techniques() -> dict[str, Technique]:
    """Every technique by id."""
    return registry.techniques()


def available_runtimes() -> dict[str, Runtime]:
    """Every runtime by id."""
    return registry.runtimes()


def execution_providers(runtime_id: str) -> tuple[Provider, ...]:
    """Execution providers of a runtime, each with the reason why it can or cannot be used here."""
    from lab.engine.providers import providers

    return providers(runtime_id)


def available_metrics() -> dict[str, Metric]:
    """Every metric by id."""
    return registry.metrics()


def available_tasks() -> dict[str, Task]:
    """Every task by id."""
    return registry.tasks()


def available_rules() -> dict[str, Rule]:
    """Every rule that explains trials by id."""
    return registry.rules()


def primary(card: ModelCard) -> Measurement | None:
    """Published baseline of a card in its task's own metric, such as accuracy or AUC; None where
    nobody measured it.
    """
    return card.baseline.get(registry.task(card.task).primary)


def available_datasets() -> dict[str, Dataset]:
    """Every data set by id."""
    return registry.datasets()


def applicable_techniques(model_id: str, runtime_ids: Sequence[str]) -> list[Technique]:
    """The techniques, other than conversions, that lead from this model to one of these
    runtimes.
    """
    return applicable(model(model_id), runtime_ids)


def examples(model_id: str, n: int = 8) -> Examples:
    """Some test items of a model's data, to be looked at: (items, labels, texts), one of each class
    as far as they go.
    """
    return examples_of(model(model_id), n)


def layers(model_id: str) -> list[Layer]:
    """The layers of a model in the order in which they run; read from its file the first time it is
    asked for.

    Raises:
        LabError: the file cannot be read.
    """
    return layers_of(model(model_id))


def dataset_of(card: ModelCard) -> Dataset | None:
    """The registered data set of a card; None for data from disk."""
    return None if card.dataset.startswith(FROM_DISK) else registry.dataset(card.dataset)


def train(model_id: str, folder: str | Path | None = None, **settings: Any) -> Trained:
    """Run a sample model's training recipe again, in this process.

    Args:
        folder: where weights and record are written, by default `LAB_HOME/trained`.
        settings: further fields of `lab.plugs.Training`: seed, bf16, epochs, progress.
    """
    from lab.cards.training import train as run

    return run(model_id, Training(Path(folder) if folder else home_folder("trained"), **settings))


def add_model(
    file: str | Path, data: str | Path, task: str = "classification", **more: Any
) -> ModelCard:
    """Register a trusted model file with its data; see `lab.cards.adding.add_model`."""
    from lab.cards.adding import add_model as add

    return add(Path(file), Path(data), task, **more)
