"""Random search without replacement, the control for other samplers."""

from __future__ import annotations

import numpy as np

from lab.search.space import Task


def propose(task: Task, count: int) -> list[str]:
    """Return the keys of the candidates to try next."""
    random = np.random.default_rng(task.randomness)
    return [task.left[n].key for n in random.permutation(len(task.left))[:count]]
