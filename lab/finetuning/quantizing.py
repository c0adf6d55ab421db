"""Shared parts of quantization-aware training: a lower learning rate, name suffixes, and the gap
between the trained and the deployed model.
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
"""Default learning rate: of 0.0005, 0.001 and 0.003 the best for 4-bit weights of one Transformer,
with one seed; it is low because the model is trained already.
"""
QAT_TRAINING = tuple(
    replace(option, default=GENTLE) if option.id == RATE else option for option in TRAINING
)
STEPS = next(option for option in TRAINING if option.id == "train_steps")
JUDGED = 512
"""Number of calibration items on which the gap is measured."""
Predictor = Callable[[Array], Array]


def qat_suffix(params: Mapping[str, Any]) -> str:
    """Return training settings that differ from the defaults, for a variant's name."""
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
    """Difference of the metric between the trained model and the deployed file, on the same
    calibration items.
    """

    def __init__(self, context: Context, fake: Predictor) -> None:
        """Evaluate the trained model.

        Args:
            fake: function of items, shape (n, *card.input.shape), that returns the trained model's
                outputs.
        """
        self._context, self._metric = context, metric(task(context.card.task).primary)
        self._x, self._labels = context.labelled(JUDGED)
        self._trained = self._value(fake)

    def note(self, deployed: Predictor) -> None:
        """Evaluate the deployed file, and note the task's metric of both."""
        metric_values = {
            "metric": self._metric.id,
            "n": len(self._x),
            "value": self._trained,
            "deployed": self._value(deployed),
        }
        self._context.note("fake_quantized", metric_values)

    def _value(self, predict: Predictor) -> float | None:
        """Return the metric; None where it is undefined, for example for items of one class."""
        outputs = np.asarray(predict(self._x), np.float32)
        evidence = {"outputs": outputs, "labels": self._labels, "inputs": self._x}
        measurement = self._metric.compute(**{need: evidence[need] for need in self._metric.needs})
        return (
            None if measurement is None or not np.isfinite(measurement.value) else measurement.value
        )


def torch_predictor(model: Any, program: Any) -> Predictor:
    """Return a function that computes the outputs of a PyTorch model.

    Args:
        program: program whose input shape the items must fit.
    """
    import torch

    from lab.formats.torch_export.feeding import calibration_batches

    def predict(x: Array) -> Array:
        with torch.no_grad():
            return np.concatenate(
                [model(batch).numpy() for batch in calibration_batches(x, program)]
            )

    return predict


def file_predictor(runtime_id: str, file: Path) -> Predictor:
    """Return a function that computes the outputs of a file in a runtime with its default
    options.
    """
    plug = runtime(runtime_id)
    return lambda x: run_all(
        plug.load(str(file), {option.id: option.default for option in plug.options}), x, JUDGED
    )


def note_gap(context: Context, fake: Predictor, deployed: Predictor) -> None:
    """Note the gap where both models can be evaluated at the same time; see `Gap`."""
    Gap(context, fake).note(deployed)
