"""Training curves, progress and remaining time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lab.types import Trial

State = Literal["waiting", "running", "done", "ended"]


@dataclass(frozen=True)
class Phase:
    """One training of a step; most steps have one, called "train".

    Attributes:
        steps: maximum number of steps.
        points: {"step", "seconds", "rate", perhaps "loss" (mean since the point before, on training
            items), and "check_loss" and "accuracy" (held-out items)}.
    """

    name: str
    steps: int
    points: tuple[Mapping[str, float], ...] = ()

    @property
    def step(self) -> int:
        """Number of finished steps."""
        return int(self.points[-1]["step"]) if self.points else 0

    @property
    def seconds(self) -> float:
        """Seconds spent training."""
        return float(self.points[-1]["seconds"]) if self.points else 0.0

    def last(self, name: str) -> float | None:
        """Return the newest value of a loss or an accuracy."""
        return next((p[name] for p in reversed(self.points) if name in p), None)

    def first(self, name: str) -> float | None:
        """Return the oldest value of a loss or an accuracy."""
        return next((p[name] for p in self.points if name in p), None)

    def best(self, name: str) -> float | None:
        """Return the highest value of a loss or an accuracy."""
        return max((p[name] for p in self.points if name in p), default=None)


@dataclass(frozen=True)
class Training:
    """One step of a recipe that trains; recipes that begin alike share it.

    Attributes:
        key: of the step in the store.
        name: of what the recipe is so far, such as "channels50_l2+finetune400".
        state: "waiting" before its first step (also in this run of the study, after a break),
            "ended" where the study ended first.
        limit_s: seconds after which it ends in any case, 0 for none.
        steps: how many it takes at most, as asked for; 0 where it is not known before it begins.
    """

    key: str
    name: str
    phases: tuple[Phase, ...] = ()
    state: State = "done"
    limit_s: float = 0.0
    steps: int = 0

    @property
    def now(self) -> Phase | None:
        """Current phase, or the last one."""
        return self.phases[-1] if self.phases else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the phase ends at the pace so far; None before the first step."""
        if self.now is None or not self.now.step:
            return None
        left = self.now.seconds / self.now.step * (self.now.steps - self.now.step)
        return min(left, max(0.0, self.limit_s - self.now.seconds)) if self.limit_s else left


def phases_of(kept: Iterable[Mapping[str, Any]]) -> tuple[Phase, ...]:
    """Read phases as the store keeps them: {"phase", "steps", "points", perhaps "now": progress
    since the last point}.
    """
    return tuple(Phase(str(p["phase"]), int(p["steps"]), _points(p)) for p in kept)


def _points(phase: Mapping[str, Any]) -> tuple[Mapping[str, float], ...]:
    now = phase.get("now")
    return (*phase["points"], *([now] if now else []))


def of_trial(trial: Trial) -> tuple[Training, ...]:
    """Return all trainings of a trial's file, in order."""
    by_key: dict[str, list[Mapping[str, Any]]] = {}
    for curve in trial.details.training or ():
        by_key.setdefault(curve["key"], []).append(curve)
    return tuple(
        Training(key, str(kept[0]["technique"]), phases_of(kept)) for key, kept in by_key.items()
    )


def of_trials(trials: Iterable[Trial]) -> tuple[Training, ...]:
    """Return all trainings of these trials, each once, under the shortest name of a recipe with
    it.
    """
    by_key: dict[str, Training] = {}
    for trial in sorted(trials, key=lambda t: (len(t.name), t.position)):
        for training in of_trial(trial):
            by_key.setdefault(training.key, Training(training.key, trial.name, training.phases))
    return tuple(by_key.values())
