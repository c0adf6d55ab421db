"""The training loop, the same for every framework: order of the items, learning rate, evaluations,
early stopping and checkpoints.

Every step is drawn from the seed and its own number, so that a training resumed from a checkpoint
gives the same result as one without interruption. Checkpoints lie in `Context.checkpoint`, which
outlives the process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from math import cos, pi
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from lab.lazy import np
from lab.plugs import Array, Context, TrainingSet

CHECKPOINT_S, REPORTED_S = 5.0, 1.0
POINTS, LOOKS = 60, 12
"""Numbers of points of a training's curve, and of evaluations on held-out items."""
WARM_UP = 0.05
OF_FIRST, UNKNOWN_RATE = 0.8, 1e-3
"""Default learning rate: as a share of that of the model's first training, and where that is not
known.
"""
AfterStep = Callable[[int, int], None]


class Learner(Protocol):
    """A model in training, of any framework."""

    def step(self, rows: Array, rate: float, seed: int) -> float:
        """Train on these items at this rate; return the loss."""
        ...

    def look(self) -> dict[str, float]:
        """Return loss, and accuracy where there are classes, on the held-out items in inference
        mode.
        """
        ...

    def save(self, file: Path) -> None:
        """Write the state that a later process needs to resume."""
        ...

    def load(self, file: Path) -> None:
        """Load a written state."""
        ...

    def keep(self) -> None:
        """Remember the current weights."""
        ...

    def back(self) -> None:
        """Return to the weights that were remembered last."""
        ...


@dataclass
class Progress:
    """State of a training beside the model's.

    Attributes:
        step: number of steps done.
        seconds: training time over all processes.
        best: lowest loss on held-out items.
        waited: number of evaluations since then.
        points: points of the curve: {"step", "seconds", "loss", "rate", optional "check_loss",
            "accuracy"}.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    waited: int = 0
    done: bool = False
    points: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Course:
    """One training from its first step, or its last checkpoint, to its end.

    Attributes:
        items: number of training items.
        params: the options of `lab.finetuning.options.TRAINING`, with a definite learning rate, see
            `course`.
        phase: name of the checkpoint, where a technique trains several times.
        after_step: function (steps done, total steps), called after each step.
    """

    learner: Learner
    context: Context
    items: int
    params: Mapping[str, Any]
    phase: str
    total: int
    after_step: AfterStep

    def run(self) -> Progress:
        """Train; at the end the model has the requested weights (the last or the best ones)."""
        progress = self._taken_up()
        if not progress.done:
            self._train(progress)
        self._report(progress)
        return progress

    def _train(self, progress: Progress) -> None:
        if not progress.points:
            self._look(progress, {"step": 0, "seconds": 0.0})
        saved = reported = started = perf_counter()
        before, losses = progress.seconds, list[float]()
        while (
            progress.step < self.total and not self._spent(progress) and not self._tired(progress)
        ):
            rows = self._rows(progress.step)
            losses.append(self.learner.step(rows, self.rate(progress), self._seed(progress.step)))
            progress.step += 1
            self.after_step(progress.step, self.total)
            progress.seconds = before + perf_counter() - started
            if self._due(progress.step, POINTS):
                self._point(progress, losses)
                losses, reported = [], perf_counter()
            elif perf_counter() - reported > REPORTED_S:
                self._report(
                    progress,
                    {
                        "step": progress.step,
                        "seconds": round(progress.seconds, 2),
                        "loss": _mean(losses),
                    },
                )
                reported = perf_counter()
            if perf_counter() - saved > CHECKPOINT_S:
                self._save(progress)
                saved = perf_counter()
        self._end(progress, losses)

    def _end(self, progress: Progress, losses: list[float]) -> None:
        if progress.points[-1]["step"] != progress.step:
            self._point(progress, losses)
        if self.params["patience"]:
            self.learner.back()
        progress.done = True
        self._save(progress)

    def rate(self, progress: Progress) -> float:
        """Return the learning rate of the next step."""
        limit = self.params["train_seconds"]
        done = max(progress.step / self.total, progress.seconds / limit if limit else 0.0)
        if done < WARM_UP:
            return (
                float(self.params["learning_rate"])
                * (progress.step + 1)
                / (WARM_UP * self.total + 1)
            )
        left = 1 - (done - WARM_UP) / (1 - WARM_UP)
        shapes = {"cosine": (1 - cos(pi * left)) / 2, "linear": left, "constant": 1.0}
        return float(self.params["learning_rate"]) * max(0.0, shapes[self.params["schedule"]])

    def _rows(self, step: int) -> Array:
        """Return the indices of a step's training items: each item once per epoch, in an order
        drawn for each epoch.
        """
        size = min(self.params["batch_size"], self.items)
        per_epoch = self.items // size
        order = np.random.default_rng([self.params["train_seed"], step // per_epoch]).permutation(
            self.items
        )
        at = step % per_epoch * size
        return np.asarray(order[at : at + size])

    def _seed(self, step: int) -> int:
        return int(np.random.default_rng([self.params["train_seed"], step, 1]).integers(2**31))

    def _spent(self, progress: Progress) -> bool:
        return (
            bool(self.params["train_seconds"]) and progress.seconds >= self.params["train_seconds"]
        )

    def _tired(self, progress: Progress) -> bool:
        return bool(self.params["patience"]) and progress.waited >= self.params["patience"]

    def _due(self, step: int, times: int) -> bool:
        return step * times // self.total != (step - 1) * times // self.total

    # --- reports ----------------------------------------------------------------------------------

    def _point(self, progress: Progress, losses: list[float]) -> None:
        point = {
            "step": progress.step,
            "seconds": round(progress.seconds, 2),
            "rate": float(f"{self.rate(progress):.3g}"),
        }
        if losses:
            point["loss"] = _mean(losses)
        if self._due(progress.step, LOOKS) or progress.step == self.total:
            self._look(progress, point)
        else:
            progress.points.append(point)
        self._report(progress)

    def _look(self, progress: Progress, point: dict[str, float]) -> None:
        metrics = self.learner.look()
        progress.points.append({**point, **{k: float(f"{v:.4g}") for k, v in metrics.items()}})
        if metrics["check_loss"] < progress.best:
            progress.best, progress.waited = metrics["check_loss"], 0
            if self.params["patience"]:
                self.learner.keep()
        else:
            progress.waited += 1

    def _report(self, progress: Progress, now: Mapping[str, float] | None = None) -> None:
        """Report the curve; between two of its points also the current position."""
        self.context.tell(
            {
                "phase": self.phase,
                "steps": self.total,
                "points": progress.points,
                **({"now": now} if now else {}),
            }
        )

    # --- checkpoints ------------------------------------------------------------------------------

    def _taken_up(self) -> Progress:
        state = self._file(".json")
        if state is None or not state.exists():
            return Progress()
        self.learner.load(self._file(f"-{(value := json.loads(state.read_text()))['step']}.state"))  # type: ignore[arg-type]
        return Progress(**value)

    def _save(self, progress: Progress) -> None:
        """Write the model first, then the line that names it: if the process is killed between, the
        earlier checkpoint counts.
        """
        state = self._file(".json")
        if state is None:
            return
        model = self._file(f"-{progress.step}.state")
        assert model is not None
        part = model.with_suffix(".part")
        self.learner.save(part)
        os.replace(part, model)
        temporary = state.with_suffix(".part-json")
        temporary.write_text(json.dumps(asdict(progress)))
        os.replace(temporary, state)
        for old in state.parent.glob(f"{self.phase}-*.state"):
            if old != model:
                old.unlink()

    def _file(self, ending: str) -> Path | None:
        return (
            None
            if self.context.checkpoint is None
            else self.context.checkpoint / f"{self.phase}{ending}"
        )


def course(
    learner: Learner,
    context: Context,
    data: TrainingSet,
    params: Mapping[str, Any],
    phase: str,
    steps: int | None,
    after_step: AfterStep | None,
) -> Progress:
    """Run a training; note its result and its training data.

    Args:
        steps: number of steps, instead of the option `train_steps`.
    """
    total, then = steps or params["train_steps"], after_step or (lambda *_: None)
    running = Course(learner, context, len(data.x), _with_rate(params, data), phase, total, then)
    progress = running.run()
    context.note(
        "training" if phase == "train" else f"training, {phase}", _summary(progress, running)
    )
    context.note("learnt from", f"{len(data.x):,} items: {data.source}")
    return progress


def _with_rate(params: Mapping[str, Any], data: TrainingSet) -> dict[str, Any]:
    """Return the options with a definite learning rate; by default it follows the model's first
    training.
    """
    usual = OF_FIRST * data.rate if data.rate else UNKNOWN_RATE
    return {**params, "learning_rate": params["learning_rate"] or usual}


def _mean(losses: list[float]) -> float:
    return float(f"{sum(losses) / len(losses):.4g}")


def gives_shares(outputs: Array) -> bool:
    """Return whether outputs are probabilities, as after a softmax, instead of logits.

    Args:
        outputs: (items, classes).
    """
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(-1), 1, atol=1e-3))


def _summary(progress: Progress, course: Course) -> str:
    first, last = progress.points[0], [p for p in progress.points if "check_loss" in p][-1]
    name, unit = ("accuracy", "{:.1%}") if "accuracy" in first else ("check_loss", "{:.4g}")
    words = {"accuracy": "accuracy on held-out items", "check_loss": "loss on held-out items"}[name]
    early = (
        " (ended early, the best weights were taken)"
        if progress.step < course.total and course.params["patience"]
        else ""
    )
    return (
        f"{progress.step} steps of {min(course.params['batch_size'], course.items)} items in"
        f" {progress.seconds:.0f} s; {words} {unit.format(first[name])} →"
        f" {unit.format(last[name])}{early}"
    )
