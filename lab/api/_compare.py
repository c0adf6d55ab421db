"""Trials and studies side by side: flipped test items, recipes, layers, and fronts across studies.

A trial may be named by its id, or given itself where it is at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab import registry
from lab.analysis.across import Across, Member, Twins
from lab.analysis.across import across as across_of
from lab.analysis.across import twins as twins_of
from lab.analysis.flips import ClassChange, Flips, class_changes
from lab.analysis.front import nearest_baseline
from lab.analysis.layer_comparison import Evidence, LayerComparison, compare_layers
from lab.analysis.recipe_diff import RecipeDiff
from lab.analysis.recipe_diff import recipe_diff as diff_of
from lab.api._models import models
from lab.api._studies import card_of
from lab.errors import LabError, UnknownId, UsageError
from lab.spec.recipes import identity
from lab.store import records
from lab.store.blobs import sha256_of
from lab.store.data import data_digest
from lab.store.layers import layers_of
from lab.types import Layer, ModelCard, Study, Trial, digest_of

if TYPE_CHECKING:
    from lab.engine.paired_predictions import PairedPredictions
    from lab.plots.across_words import Named
    from lab.store.examples import Examples


def answered(trial: str | Trial, other: str | Trial | None = None) -> PairedPredictions:
    """Predictions of a trial and of another one, by default its float baseline, on the test items
    that both predicted.

    Raises:
        UnknownId: there is no such trial.
        UsageError: they were asked other items.
        LabError: the store has none of their predictions.
    """
    from lab.engine.paired_predictions import answered as paired_predictions

    this = _trial(trial)
    return paired_predictions(this, _other(this, other))


def _trial(of: str | Trial) -> Trial:
    return records.trial(of) if isinstance(of, str) else of


def _other(trial: Trial, other: str | Trial | None) -> Trial:
    if other is not None:
        return _trial(other)
    if (base := nearest_baseline(trial, records.trials(trial.study))) is None:
        raise UsageError(
            "There is no float baseline to compare with",
            given=trial.id,
            remedy="Name another trial",
        )
    return base


def flips(trial: str | Trial, other: str | Trial | None = None) -> Flips:
    """Test items whose predictions differ between a trial and another one, by default its float
    baseline: those that became right ("fixed"), wrong ("broken") or wrong in another way
    ("changed"), with both predictions and how sure each is.

    Raises:
        UnknownId: there is no such trial.
        UsageError: they were evaluated on other items, or their task has no predictions that flip.
        LabError: the store has none of their predictions.
    """
    return answered(trial, other).flips


def per_class(trial: str | Trial, other: str | Trial | None = None) -> tuple[ClassChange, ...]:
    """Accuracy of each class in a trial and in another one, with items won and lost; () where the
    true classes of the test items are not in this lab.

    Raises:
        UnknownId, UsageError, LabError: as `flips`.
    """
    paired = answered(trial, other)
    return (
        ()
        if paired.labels is None
        else class_changes(paired.labels, paired.correct_before, paired.correct_after)
    )


def items(study_id: str, rows: Sequence[int]) -> Examples | None:
    """Items of a study's test set by row, as stored: (items, labels, texts); None where the data
    are not in this lab.

    Raises:
        UnknownId: there is no such study.
    """
    from lab.engine.paired_predictions import items_of

    return items_of(card_of(study_id), rows)


def same_items(trials: Sequence[str | Trial]) -> bool:
    """True if all of these trials were evaluated on the same test items, so that their predictions
    may be compared item by item.

    Raises:
        UnknownId: there is no such trial.
    """
    from lab.engine.paired_predictions import same_data

    studies = {id_: records.study(id_) for id_ in dict.fromkeys(_trial(t).study for t in trials)}
    cards = [card_of(id_) for id_ in studies]
    return len({s.spec.test_samples for s in studies.values()}) <= 1 and all(
        same_data(cards[0], c) for c in cards[1:]
    )


def recipe_diff(trials: Sequence[str | Trial]) -> RecipeDiff:
    """In what the recipes and targets of trials differ, and what is the same.

    Raises:
        UnknownId: there is no such trial.
        UsageError: fewer than two were named.
    """
    if len(trials) < 2:
        raise UsageError(
            "It takes two trials to compare",
            given=[t if isinstance(t, str) else t.id for t in trials],
        )
    return diff_of([_trial(t) for t in trials], registry.techniques(), registry.runtimes())


def layers_beside(trials: Sequence[str | Trial]) -> LayerComparison:
    """Precision, time and bytes of trials layer by layer, under the names of the source model's
    layers.

    Raises:
        UnknownId: there is no such trial.
    """
    from lab.questions.reasons import anatomy_of, profile_of

    these = [_trial(t) for t in trials]
    source = source_layers(these[0].study) if these else []
    return compare_layers([Evidence(anatomy_of(t), profile_of(t)) for t in these], source)


def source_layers(study_id: str) -> list[Layer]:
    """The layers of the model that a study compresses; [] where its file is not here or cannot be
    read.
    """
    card, known = card_of(study_id), models().get(records.study(study_id).model)
    source, path = _digest(card), Path(known.path) if known else None
    recorded = known and path and path.is_file() and source in ("", sha256_of(path))
    try:
        return layers_of(known if known and recorded else card)
    except LabError:
        return []


def _digest(card: ModelCard) -> str:
    """Digest of the source model, which the store names by it; "" where a study was imported
    without it.
    """
    return Path(card.path).name.partition(".")[0]


def across(study_ids: Sequence[str], keep: Callable[[Trial], bool] = lambda trial: True) -> Across:
    """Several studies at once: one joint front where their numbers may be compared, one a group
    where they may not.

    Args:
        keep: whether a trial may be on a front, such as one that meets limits.

    Raises:
        UnknownId: there is no such study.
        UsageError: none was named.
    """
    if not study_ids:
        raise UsageError(
            "Name the studies to look at", remedy="List them with: python -m lab studies"
        )
    return across_of([member(records.study(id_)) for id_ in dict.fromkeys(study_ids)], keep)


def member(study: Study) -> Member:
    """A study as `lab.analysis.across` compares it."""
    card = card_of(study.id)
    try:
        data = data_digest(card)
    except UnknownId:  # of a data set that this lab does not have
        data = card.dataset
    return Member(
        study,
        tuple(records.trials(study.id)),
        card.task,
        data,
        study.spec.test_samples,
        _digest(card),
    )


def names_across(found: Across) -> Named:
    """Names of studies, models, machines and data, where several stand beside each other."""
    from lab.plots.across_words import Named, distinct_names, machine_names, member_title

    cards = {m.study.id: card_of(m.study.id) for m in found.members}
    titles = {m.study.id: member_title(m, cards[m.study.id].title) for m in found.members}
    data, known = {m.data: cards[m.study.id].dataset for m in found.members}, registry.datasets()
    used = {t.environment for t in found.trials if t.environment}
    machines = machine_names({id_: records.environment(id_) for id_ in sorted(used)})
    return Named(
        distinct_names(titles),
        {id_: card.title for id_, card in cards.items()},
        machines,
        {d: known[name].title if name in known else name for d, name in data.items()},
    )


def twins(study_id: str, other_id: str) -> Twins:
    """The trials that two studies have in common, by recipe and target, and those that only one
    has.

    Raises:
        UnknownId: there is no such study.
    """
    first, second = (records.trials(records.study(id_).id) for id_ in (study_id, other_id))
    return twins_of(first, second, _identity)


def _identity(trial: Trial) -> str:
    """Techniques and options that this lab does not know are taken as they are written."""
    try:
        return identity(trial.recipe, trial.target)
    except UsageError:
        return digest_of([trial.recipe.to_json(), trial.target.to_json()])
