"""Trainings of a study: how they go."""

from __future__ import annotations

from lab.analysis.training import Training


def training_curves(study_id: str) -> tuple[Training, ...]:
    """How far the trainings of a study are, with their curves so far, while they run and afterwards; () where no recipe trains.

    Raises:
        UnknownId: there is no such study.
    """
    from lab.engine.trainings import trainings

    return trainings(study_id)
