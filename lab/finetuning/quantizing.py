"""What quantization-aware training techniques share: a gentler learning rate, their names, and the
gap between what was trained and what is deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.finetuning.options import TRAINING, training_suffix
from lab.formats.feeding import run_all
from lab.lazy import np
from lab.plugs import Array, Context
from lab.registry import metric, runtime, task

RATE = "learning_rate"
GENTLE = 5e-4
"""Of 0.0005, 0.001 and 0.003 the best for 4-bit weights of one Transformer, by one seed: the model
is trained already.
"""
QAT_TRAINING = tuple(
    replace(option, default=GENTLE) if option.id == RATE else option for option in TRAINING
)
STEPS = next(option for option in TRAINING if option.id == "train_steps")
JUDGED = 512
"""Calibration items on which the gap is told."""
Answer = Callable[[Array], Array]


def qat_suffix(params: Mapping[str, Any]) -> str:
    """What of the training differs from the defaults, for a speaking name."""
    steps, rate = params[STEPS.id], params[RATE]
    others = training_suffix({key: value for key, value in params.items() if key != RATE})
    return "".join(
        [
            f"_steps{steps}" if steps != STEPS.default else "",
            others,
            f"_lr{rate:g}" if rate != GENTLE else "",
        ]
    )


class Gap:
    """How far what is deployed answers worse than what was trained, on the same calibration
    items.
    """

    def __init__(self, context: Context, fake: Answer) -> None:
        """Judge the model as it was trained.

        Args:
            fake: items, shape (n, *card.input.shape) -> answers.
        """
        self._context, self._metric = context, metric(task(context.card.task).primary)
        self._x, self._labels = context.labelled(JUDGED)
        self._trained = self._value(fake)

    def note(self, deployed: Answer) -> None:
        """Judge the file that came of it, and keep the task's own metric of both."""
        told = {
            "metric": self._metric.id,
            "n": len(self._x),
            "value": self._trained,
            "deployed": self._value(deployed),
        }
        self._context.note("fake_quantized", told)

    def _value(self, answer: Answer) -> float | None:
        """None where the metric says nothing, as of items that are all of one class."""
        outputs = np.asarray(answer(self._x), np.float32)
        evidence = {"outputs": outputs, "labels": self._labels, "inputs": self._x}
        found = self._metric.compute(**{need: evidence[need] for need in self._metric.needs})
        return None if found is None or not np.isfinite(found.value) else found.value


def torch_answer(model: Any, program: Any) -> Answer:
    """How a PyTorch model answers.

    Args:
        program: whose input the items must fit.
    """
    import torch

    from lab.formats.torch_export.feeding import calibration_batches

    def answer(x: Array) -> Array:
        with torch.no_grad():
            return np.concatenate(
                [model(batch).numpy() for batch in calibration_batches(x, program)]
            )

    return answer


def file_answer(runtime_id: str, file: Path) -> Answer:
    """How a file answers in a runtime with its usual options."""
    plug = runtime(runtime_id)
    return lambda x: run_all(
        plug.load(str(file), {option.id: option.default for option in plug.options}), x, JUDGED
    )


def note_gap(context: Context, fake: Answer, deployed: Answer) -> None:
    """`Gap` where both can be asked at the same moment."""
    Gap(context, fake).note(deployed)
