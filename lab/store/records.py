"""Door of the store's database: rows in, values out. Each module behind it holds one subject."""

from lab.store.jobs import (
    add_job,
    environment,
    jobs,
    keep_environment,
    measuring_seconds,
)
from lab.store.models import (
    add_model,
    added_models,
)
from lab.store.results import (
    curves,
    keep_curve,
    known_result,
    known_results,
    known_step,
    known_steps,
    remember_result,
    remember_step,
    result_seconds,
    step_seconds,
)
from lab.store.rows import (
    now,
)
from lab.store.studies import (
    add_study,
    add_trials,
    card_of,
    extend_study,
    finish_study,
    studies,
    study,
    study_row,
    update_study,
)
from lab.store.trials import (
    KEPT_STUDIES,
    cancel_queued,
    counts,
    reset_unfinished,
    trial,
    trials,
    trials_as,
    update_trials,
)

__all__ = [
    "KEPT_STUDIES",
    "add_job",
    "add_model",
    "add_study",
    "add_trials",
    "added_models",
    "cancel_queued",
    "card_of",
    "counts",
    "curves",
    "environment",
    "extend_study",
    "finish_study",
    "jobs",
    "keep_curve",
    "keep_environment",
    "known_result",
    "known_results",
    "known_step",
    "known_steps",
    "measuring_seconds",
    "now",
    "remember_result",
    "remember_step",
    "reset_unfinished",
    "result_seconds",
    "step_seconds",
    "studies",
    "study",
    "study_row",
    "trial",
    "trials",
    "trials_as",
    "update_study",
    "update_trials",
]
