"""Optuna's multi-objective samplers over the grid: TPE and NSGA-II.

Both choose values of parameters, of which only some combinations are candidates: techniques, the
settings that vary for these techniques, and the target. Each request is mapped to the nearest
candidate that was not tried. Their studies live in memory and are rebuilt from the outcomes for
each question, so that nothing else has to be stored.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from lab.plugs import require
from lab.search.space import Candidate, Outcome, Task

POPULATION = 24
"""Population size of NSGA-II; its default of 50 leaves too few generations for some dozens of
trials.
"""
WORST = -1.0
"""Gains of failed candidates."""
TECHNIQUES, TARGET = "techniques", "target"


def tpe(task: Task, count: int) -> list[str]:
    """Return the keys of the candidates that the tree-structured Parzen estimator chooses (Ozaki et
    al., GECCO 2020).
    """
    return _propose("tpe", task, count)


def nsga2(task: Task, count: int) -> list[str]:
    """Return the keys of the candidates that NSGA-II chooses (Deb et al., IEEE Trans. Evol. Comput.
    6(2), 2002).
    """
    return _propose("nsga2", task, count)


def _propose(name: str, task: Task, count: int) -> list[str]:
    require(f"The sampler {name!r}", ("optuna",))
    grid, random = _Grid(task), np.random.default_rng(task.randomness)
    study, chosen, left = (
        _study(name, task, grid),
        list[str](),
        dict.fromkeys(c.key for c in task.left),
    )
    while left and len(chosen) < count:
        wanted = grid.ask(study.ask())
        key = grid.nearest(wanted, list(left), random)
        chosen.append(key)
        del left[key]
    return chosen


class _Grid:
    """Candidates described by parameters."""

    def __init__(self, task: Task) -> None:
        self.candidates = {c.key: c for c in task.candidates}

    @cached_property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """Values of each parameter; settings with only one value are no parameters."""
        found: dict[str, dict[str, None]] = {TECHNIQUES: {}, TARGET: {}}
        for c in self.candidates.values():
            for name, value in _parameters(c).items():
                found.setdefault(name, {})[value] = None
        return {
            name: tuple(values)
            for name, values in found.items()
            if len(values) > 1 or name in (TECHNIQUES, TARGET)
        }

    def parameters(self, c: Candidate) -> dict[str, str]:
        return {name: value for name, value in _parameters(c).items() if name in self.choices}

    def ask(self, trial: Any) -> dict[str, str]:
        """Let an Optuna trial choose the techniques, the target, and then the settings."""
        wanted = {
            name: trial.suggest_categorical(name, self.choices[name])
            for name in (TECHNIQUES, TARGET)
        }
        own = [name for name in self.choices if name.startswith(f"{wanted[TECHNIQUES]}:")]
        return wanted | {name: trial.suggest_categorical(name, self.choices[name]) for name in own}

    def nearest(
        self, wanted: Mapping[str, str], left: list[str], random: np.random.Generator
    ) -> str:
        """Return the candidate with most of these values, techniques before targets before
        settings; ties are broken at random.
        """
        weights = {TECHNIQUES: 10_000.0, TARGET: 100.0}
        scores = [
            sum(
                weights.get(name, 1.0)
                for name, value in _parameters(self.candidates[key]).items()
                if wanted.get(name) == value
            )
            for key in left
        ]
        best = [key for key, score in zip(left, scores, strict=True) if score == max(scores)]
        return best[int(random.integers(len(best)))]


def _parameters(c: Candidate) -> dict[str, str]:
    return {
        TECHNIQUES: c.techniques,
        TARGET: c.target,
        **{f"{c.techniques}:{name}": repr(v) for name, v in c.settings.items()},
    }


def _study(name: str, task: Task, grid: _Grid) -> Any:
    """Return an Optuna study that contains all outcomes."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about experimental arguments
        study = optuna.create_study(
            sampler=_sampler(name, task), directions=["minimize"] * task.objectives
        )
        known = [
            (key, o)
            for key, o in task.outcomes.items()
            if key in grid.candidates and (o.failed or o.gains)
        ]
        study.add_trials(
            [_finished(grid, grid.candidates[key], o, task, n) for n, (key, o) in enumerate(known)]
        )
    return study


def _sampler(name: str, task: Task) -> Any:
    from optuna.samplers import NSGAIISampler, TPESampler

    seed = int(np.random.default_rng(task.randomness).integers(2**31))
    if name == "nsga2":
        return NSGAIISampler(population_size=POPULATION, seed=seed)
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


def _finished(grid: _Grid, c: Candidate, o: Outcome, task: Task, number: int) -> Any:
    """Return a finished Optuna trial; failures violate a constraint."""
    from optuna.distributions import CategoricalDistribution
    from optuna.samplers import NSGAIISampler
    from optuna.trial import TrialState, create_trial

    parameters = grid.parameters(c)
    return create_trial(
        state=TrialState.COMPLETE,
        values=[-gain for gain in o.gains or (WORST,) * task.objectives],
        params=parameters,
        distributions={name: CategoricalDistribution(grid.choices[name]) for name in parameters},
        constraints={
            str(n): excess for n, excess in enumerate((1.0,) if o.failed else o.excess or ())
        },
        system_attrs={
            NSGAIISampler._get_generation_key(): number // POPULATION
        },  # written only by running studies
    )
