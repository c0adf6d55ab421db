"""A character-level Transformer that classifies the language of a name, in PyTorch."""

from __future__ import annotations

from typing import Any

from lab.datasets.languages import DATASET, LENGTH, PADDING, UNKNOWN, characters, decode
from lab.plugs import Training
from lab.statistics import wilson
from lab.types import InputSpec, Measurement, ModelCard
from sample_models import _recipe
from sample_models._recipe import Plan

ID = "langid_transformer"
UNKNOWN_SHARE = 0.1
"""Share of characters hidden in training, so that the model depends on no single character."""


def _hide(ids: Any) -> Any:
    """Replace some characters by UNKNOWN, and cut the padding behind the longest name."""
    import torch

    ids = ids[:, : int((ids != PADDING).sum(1).max()) + 1]
    hidden = (torch.rand(ids.shape) < UNKNOWN_SHARE) & (ids != PADDING)
    return ids.masked_fill(hidden, UNKNOWN)


def _by_length(ids: Any, batch: int) -> list[Any]:
    """Return batches of names of similar length, in random order: half the work of mixed
    lengths.
    """
    import torch

    length = (ids != PADDING).sum(1) + 3 * torch.rand(len(ids))
    batches = length.argsort().split(batch)
    return [batches[i] for i in torch.randperm(len(batches))]


PLAN = Plan(epochs=40, batch=128, rate=2e-3, smoothing=0.1, augment=_hide, deal=_by_length)
FILE = _recipe.weights_path(f"{ID}.pt2")
_RECORD = _recipe.read_record(ID)

CARD = ModelCard(
    id=ID,
    title="Character Transformer, language of a name",
    task="classification",
    framework="PyTorch",
    format="torch_export",
    path=str(FILE),
    input=InputSpec(shape=(LENGTH,), dtype="int64", layout="NT", data_layout="NT"),
    dataset=DATASET.id,
    class_names=DATASET.class_names,
    licence="MIT",
    provenance=(
        "Trained here on the data set's training split, in minutes: `python -m lab train"
        " langid_transformer`."
    ),
    description=(
        "Character embedding, two convolutions, two encoder layers, mean and maximum over the"
        " characters; gives logits. Nearly all its weights are in matrix products and the"
        " embedding. On the same split a logistic regression on character n-grams reaches"
        f" {_recipe.percent(_RECORD.get('ngram_baseline', {}).get('value'))} with"
        f" {_RECORD.get('ngram_parameters', 0):,} weights."
    ),
    parameters=_RECORD.get("parameters"),
    macs=_RECORD.get("macs"),
    baseline=_recipe.baseline(_RECORD),
)


def build() -> Any:
    """Return the untrained network: (batch, LENGTH) int64 character ids -> (batch, 24) logits."""
    from lab.datasets.languages import FIRST_CHARACTER
    from sample_models._char_transformer import CharTransformer

    return CharTransformer(
        characters=FIRST_CHARACTER + len(characters()), length=LENGTH, classes=len(CARD.class_names)
    )


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record with a linear
    model's accuracy.
    """
    from sample_models import _torch_recipe

    value, parameters = ngram_baseline()
    _torch_recipe.train(
        CARD, build, PLAN, training, ngram_baseline=value.to_json(), ngram_parameters=parameters
    )


def ngram_baseline() -> tuple[Measurement, int]:
    """Train a linear baseline: logistic regression on n-grams of 1 to 4 characters.

    Returns:
        its accuracy on the test set, and its number of weights.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    (x, y), splits = _recipe.training_data(CARD)[1:], DATASET.load()
    ngrams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    features = ngrams.fit_transform([decode(ids) for ids in x])
    linear = LogisticRegression(C=10, max_iter=300).fit(features, y)
    answers = linear.predict(ngrams.transform([decode(ids) for ids in splits.x_test]))
    correct, n = int((answers == splits.y_test).sum()), len(answers)
    return Measurement("top1_accuracy", correct / n, "1", n, *wilson(correct, n)), int(
        linear.coef_.size + linear.intercept_.size
    )
