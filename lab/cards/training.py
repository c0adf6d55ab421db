"""Training of a sample model from its recipe, and a comparison with the weights that come with the
lab.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lab import registry
from lab.errors import UsageError
from lab.home import folder as home_folder
from lab.plugs import Training
from lab.types import Measurement, ModelCard


@dataclass(frozen=True)
class Trained:
    """Result of a training.

    Attributes:
        file: the weights; the record lies beside it as ID.json.
        found: the task's own metric on the test set.
        shipped: the same of the weights that come with the lab; None before the first training.
        within: whether what was found lies in the shipped weights' 95 % interval.
        seconds: of wall time.
    """

    file: Path
    found: Measurement
    shipped: Measurement | None
    within: bool
    seconds: float


def train(model_id: str, training: Training | None = None) -> Trained:
    """Train from scratch, from the data set's declared training set.

    Args:
        model_id: id of a sample model.
        training: by default the recipe as it is, written to `LAB_HOME/trained`.

    Raises:
        UnknownId: no sample model with that id.
        UsageError: fewer than one epoch.
        LabError: the training data are not the declared ones, or cannot be made here.
    """
    recipe, card = registry.training_recipe(model_id), registry.sample_cards()[model_id]
    given = training or Training(home_folder("trained"))
    if given.epochs is not None and given.epochs < 1:
        raise UsageError(
            "A training takes at least one epoch", allowed="1 or more", given=given.epochs
        )
    given.folder.mkdir(parents=True, exist_ok=True)
    recipe.train(given)
    return _compare(card, given.folder)


def _compare(card: ModelCard, folder: Path) -> Trained:
    record = json.loads((folder / f"{card.id}.json").read_text(encoding="utf-8"))
    metric = registry.task(card.task).primary
    found, shipped = (
        Measurement.from_json(metric, record["baseline"][metric]),
        card.baseline.get(metric),
    )
    within = shipped is not None and (shipped.low or 0.0) <= found.value <= (shipped.high or 1.0)
    return Trained(folder / Path(card.path).name, found, shipped, within, record["seconds"])
