"""A character-level Transformer that tells the language of a name, in PyTorch.

Re-train it with `python -m sample_models.langid_transformer`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from lab.datasets.languages import DATASET, LENGTH, UNKNOWN, characters, decode
from lab.types import InputSpec, ModelCard
from sample_models import _recipe

ID = "langid_transformer"
SEED, EPOCHS, BATCH, PEAK_RATE = 0, 20, 128, 2e-3
UNKNOWN_SHARE = 0.1
"""Share of characters hidden from the model in training, so that it learns to do without any one of them."""
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
    provenance="Trained here by sample_models/langid_transformer.py on the training split of the data set, in minutes.",
    description=(
        "Character embedding, one convolution, three encoder layers, mean over the characters; gives logits. Nearly "
        "all its weights are in matrix products and the embedding. On the same split a logistic regression on "
        f"character n-grams reaches {_recipe.percent(_RECORD.get('ngram_baseline', {}).get('value'))} "
        f"with {_RECORD.get('ngram_parameters', 0):,} weights."
    ),
    parameters=_RECORD.get("parameters"),
    macs=_RECORD.get("macs"),
    baseline=_recipe.baseline(_RECORD),
)


def build() -> Any:
    """The untrained network: (batch, LENGTH) int64 character numbers -> (batch, 24) logits."""
    from lab.datasets.languages import FIRST_CHARACTER
    from sample_models._char_transformer import CharTransformer

    return CharTransformer(characters=FIRST_CHARACTER + len(characters()), length=LENGTH, classes=len(CARD.class_names))


def train(progress: Callable[[str], None] = print) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    import torch

    started, splits = perf_counter(), DATASET.load()
    torch.manual_seed(SEED)
    model = build()
    _fit(model, torch.tensor(splits.x_train).long(), torch.tensor(splits.y_train), progress)
    seconds = round(perf_counter() - started, 1)
    _save(model.eval(), torch.tensor(splits.x_calibration[:2]).long())
    _write_record(model, splits, seconds)
    progress(f"test accuracy {_recipe.baseline(_recipe.read_record(ID))}")


def _fit(model: Any, x: Any, y: Any, progress: Callable[[str], None]) -> None:
    """AdamW with one cycle of the learning rate and smoothed labels."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    steps = -(-len(x) // BATCH) * EPOCHS
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps, pct_start=0.15)
    model.train()
    for epoch in range(EPOCHS):
        losses = []
        for rows in torch.randperm(len(x)).split(BATCH):
            losses.append(_step(model, _hide(x[rows]), y[rows], optimizer))
            schedule.step()
        progress(f"epoch {epoch + 1} of {EPOCHS}: mean loss {sum(losses) / len(losses):.3f}")


def _step(model: Any, x: Any, y: Any, optimizer: Any) -> float:
    import torch

    loss = torch.nn.functional.cross_entropy(model(x), y, label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _hide(ids: Any) -> Any:
    """Make UNKNOWN of some of the characters; padding stays."""
    import torch

    hidden = (torch.rand(ids.shape) < UNKNOWN_SHARE) & (ids != 0)
    return ids.masked_fill(hidden, UNKNOWN)


def _save(model: Any, example: Any) -> None:
    """Write the trained graph, free in the batch axis: it loads without this file or any of its classes."""
    import torch

    program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    FILE.parent.mkdir(exist_ok=True)
    torch.export.save(program, FILE)


def _write_record(model: Any, splits: Any, seconds: float) -> None:
    import torch

    with torch.no_grad():
        logits = model(torch.tensor(splits.x_test).long()).numpy()
    correct = int((logits.argmax(axis=1) == splits.y_test).sum())
    ngram_correct, ngram_parameters = ngram_baseline(splits)
    _recipe.write_record(
        ID,
        packages=("torch", "babel", "scikit-learn", "numpy"),
        parameters=sum(p.numel() for p in model.parameters()),
        macs=_macs(model),
        baseline=[_recipe.accuracy(correct, len(splits.y_test))],
        ngram_baseline=_recipe.accuracy(ngram_correct, len(splits.y_test)).to_json(),
        ngram_parameters=ngram_parameters,
        dataset_digest=splits.digest(),
        seconds=seconds,
    )


def _macs(model: Any) -> int:
    """Multiply-accumulates of one item, in matrix products and convolutions."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.ones(1, LENGTH, dtype=torch.int64))
    return int(counter.get_total_flops()) // 2


def ngram_baseline(splits: Any) -> tuple[int, int]:
    """What the task takes without a neural network: logistic regression on n-grams of 1 to 4 characters.

    Returns:
        how many test items it gets right, and how many weights it has.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    ngrams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    features = ngrams.fit_transform([decode(ids) for ids in splits.x_train])
    linear = LogisticRegression(C=10, max_iter=300).fit(features, splits.y_train)
    answers = linear.predict(ngrams.transform([decode(ids) for ids in splits.x_test]))
    return int((answers == splits.y_test).sum()), int(linear.coef_.size + linear.intercept_.size)


if __name__ == "__main__":
    train()
