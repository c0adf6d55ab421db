"""Scaling studies: the latency of a trial over the number of threads, and over the batch size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lab import registry
from lab.analysis.scaling import KIND
from lab.formats.batching import BATCH, batch_size
from lab.options import Option
from lab.spec.recipes import complete_target
from lab.store import records
from lab.types import Study, StudySpec, Target, Trial

BATCHES = (1, 2, 4, 8, 16, 32)


def scaling_spec(
    trial: Trial,
    spec: StudySpec,
    cores: int,
    threads: Sequence[int] | None,
    batches: Sequence[int] | None,
) -> StudySpec:
    """Make the spec of a trial's scaling study: its recipe and the float baseline, on targets that
    differ in one option each.

    Args:
        cores: of the machine that the trial ran on.
        threads, batches: what is tried; None takes powers of two up to the cores, and up to 32
            items. 1 is always among them.

    Raises:
        InvalidOption: a number that the runtime does not accept.
    """
    options = {o.id: o for o in registry.runtime(trial.target.runtime).options}
    every = _numbers(options["threads"], powers(cores) if threads is None else threads)
    sizes = _numbers(options[BATCH.id], BATCHES if batches is None else batches)
    own = int(trial.target.options.get("threads", 1))
    pairs = dict.fromkeys([*((n, 1) for n in every), *((own, size) for size in sizes)])
    about = {"kind": KIND, "study": trial.study, "trial": trial.id, "threads": own}
    return replace(
        spec,
        space={},
        recipes=(trial.recipe,),
        targets=tuple(_target(trial.target, *pair) for pair in pairs),
        further_targets=(),
        preset=None,
        about=about,
        search={},
    )


def cores_of(trial: Trial) -> int:
    """Cores of the machine that the trial ran on; of this machine where it has not run."""
    return int(
        records.environment(trial.environment)["cores"]
        if trial.environment
        else os.cpu_count() or 1
    )


def studies_about(trial_id: str) -> list[Study]:
    """Scaling studies of a trial, the newest first, without failed and cancelled ones."""
    about = (KIND, trial_id)
    alike = (
        s
        for s in records.studies()
        if (s.spec.about.get("kind"), s.spec.about.get("trial")) == about
    )
    return [s for s in alike if s.state not in ("failed", "cancelled")]


def powers(cores: int) -> tuple[int, ...]:
    """Powers of two below the number of cores, and that number: 6 -> 1, 2, 4, 6."""
    return (*(2**n for n in range(max(cores - 1, 0).bit_length()) if 2**n < cores), max(cores, 1))


def _numbers(option: Option, given: Iterable[int]) -> list[int]:
    return sorted({1, *(int(option.validate(number)) for number in given)})


def _target(target: Target, threads: int, batch: int) -> Target:
    return complete_target(
        Target(target.runtime, {**target.options, "threads": threads, BATCH.id: batch})
    )


def same_targets(a: StudySpec, b: StudySpec) -> bool:
    """True if two scaling studies have the same targets."""
    wanted, other = (sorted((t.to_json() for t in spec.targets), key=_order) for spec in (a, b))
    return a.about == b.about and wanted == other


def _order(target: dict[str, object]) -> tuple[int, int]:
    return int(str(target["threads"])), batch_size(target)
