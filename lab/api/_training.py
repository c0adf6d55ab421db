"""Trainings of a study, and what orders of steps and seeds of trainings change."""

from __future__ import annotations

from lab import registry
from lab.analysis.orders import OrderPair
from lab.analysis.spread import Spread
from lab.analysis.training import Training
from lab.store import records


def training_curves(study_id: str) -> tuple[Training, ...]:
    """Trainings of a study with their progress and curves, while they run and afterwards; () where
    no recipe trains.

    Raises:
        UnknownId: there is no such study.
    """
    from lab.engine.training_progress import trainings

    return trainings(study_id)


def orders(study_id: str) -> tuple[OrderPair, ...]:
    """Trials of a study that do the same in another order, in pairs, with what the order changes;
    see `lab.analysis.orders`.

    Raises:
        UnknownId: there is no such study.
    """
    from lab.analysis.orders import orders as order_pairs

    objectives = records.study(study_id).spec.objectives
    return order_pairs(records.trials(study_id), [o.metric for o in objectives], _conversions())


def _conversions() -> set[str]:
    return {t.id for t in registry.techniques().values() if t.conversion}


def spread(study_id: str) -> tuple[Spread, ...]:
    """Mean, lowest and highest of each objective over trials that differ in nothing but the
    training's seed.

    Raises:
        UnknownId: there is no such study.
    """
    from lab.analysis.spread import spread as spread_of

    return spread_of(
        records.trials(study_id), [o.metric for o in records.study(study_id).spec.objectives]
    )
