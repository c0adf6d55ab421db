"""Limits on the use of a machine, and durations that are assumed before any is measured."""

from __future__ import annotations

import os

GUESS_S = {"evaluate": 1.0, "measure": 0.7}
START_S = {
    "light": 0.0,
    "nncf": 2.0,
    "torch": 5.0,
    "tensorflow": 9.0,
    "torch_training": 5.0,
    "tensorflow_training": 9.0,
}
"""Seconds that a toolchain takes to import."""
TRAINING_LIMIT_S = 24 * 3600.0
"""Seconds after which a training is stopped."""


def slots() -> int:
    """Number of jobs that this machine runs at once: LAB_SLOTS, or its cores."""
    return int(os.environ.get("LAB_SLOTS") or os.cpu_count() or 1)


def threads_of_a_job() -> int:
    """OpenMP threads of each job, so that all jobs together have as many as there are cores."""
    return max(1, (os.cpu_count() or 1) // slots())


def memory_limit_bytes() -> int:
    """Resident memory a job may use: LAB_JOB_MEMORY_BYTES, or half of the machine's."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(os.environ.get("LAB_JOB_MEMORY_BYTES") or physical // 2)


HEAVY = ("nncf", "torch", "tensorflow")
"""Toolchains whose processes are counted, since each takes hundreds of megabytes."""


def workers_of(toolchain: str) -> int:
    """Warm processes of a toolchain: one for each slot; of torch and tensorflow only one where
    nothing trains, since a second
    import costs more than it brings.
    """
    return 1 if toolchain in ("torch", "tensorflow") else slots()
