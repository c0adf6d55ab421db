"""Accuracy-controlled static int8: NNCF returns layers to float until the task's metric drops by no
more than allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from lab.compress.calibrating import CALIBRATION, SAMPLES
from lab.compress.choosing import LAYERS
from lab.compress.naming import speaking_name
from lab.compress.nncf.models import OpenVinoSource
from lab.compress.nncf.options import (
    ALPHA,
    BIAS,
    MODEL_TYPE,
    OVERFLOW,
    PRESET,
    advanced,
    quantizing_suffix,
    settings,
)
from lab.compress.nncf.quantizing import attempt, dataset, ignored_layers, nncf
from lab.errors import InvalidFile
from lab.formats.feeding import check_finite
from lab.lazy import np
from lab.options import Option
from lab.plugs import Array, Context
from lab.registry import metric, task

MAX_DROP = Option(
    id="max_drop",
    label="Drop allowed",
    kind="float",
    default=0.01,
    low=0,
    high=1,
    sweep={"full": (0.01, 0.002)},
    help=(
        "Largest drop of the task's metric on the validation items: 0.01 is one point of accuracy."
    ),
)

VALIDATION = Option(
    id="validation_samples",
    label="Validation items",
    kind="int",
    default=512,
    low=8,
    high=100_000,
    help=(
        "Number of labelled calibration items on which the metric is computed; none is in the"
        " test set."
    ),
)

CONTROLLED = (
    MAX_DROP,
    VALIDATION,
    PRESET,
    BIAS,
    MODEL_TYPE,
    ALPHA,
    OVERFLOW,
    *CALIBRATION,
    *LAYERS,
)
UNDEFINED = (ValueError, ZeroDivisionError, IndexError, FloatingPointError)


def controlled_suffix(params: Mapping[str, Any]) -> str:
    """Return `accuracy`, `drop…` and `validated…` where they differ from the defaults, and the
    suffix of the quantization options.
    """
    drop, items = params[MAX_DROP.id], params[VALIDATION.id]
    return speaking_name(
        "accuracy",
        f"drop{drop:g}" if drop != MAX_DROP.default else "",
        f"validated{items}" if items != VALIDATION.default else "",
        quantizing_suffix(params),
    )


def controlled_int8(
    path: Path, source: OpenVinoSource, params: Mapping[str, Any], context: Context
) -> Path:
    """Write the static int8 variant of a model with as many float layers as the allowed drop needs.

    Args:
        path: the file of `source`.
        params: the options CONTROLLED.

    Raises:
        InvalidFile: NNCF fails, or the metric is undefined on the validation items.
    """
    feeds = source.feeds(check_finite(context.calibration(params[SAMPLES.id])))
    judged = _Judge(source, context, params[VALIDATION.id])
    ignored, package = ignored_layers(path, source.format, params), nncf()
    quantized = attempt(
        lambda: package.quantize_with_accuracy_control(
            source.model,
            dataset(package, feeds),
            dataset(package, judged.feeds),
            judged,
            max_drop=params[MAX_DROP.id],
            subset_size=len(feeds),
            **settings(package, params, ignored),
            advanced_quantization_parameters=advanced(package, params),
            advanced_accuracy_restorer_parameters=package.AdvancedAccuracyRestorerParameters(
                num_ranking_workers=1
            ),
        ),
        params,
    )
    if not source.quantizers(quantized):
        raise InvalidFile(
            "NNCF returned every layer to float to keep within this drop",
            given=params[MAX_DROP.id],
            remedy="Allow a larger max_drop, or choose another preset or bias_correction",
        )
    judged.note(context, params[MAX_DROP.id])
    context.note("kept_in_float", source.in_float(quantized))
    return source.write(quantized, context.workdir)


class _Judge:
    """Validation function of NNCF: returns the task's primary metric, larger being better, and the
    outputs for each item.
    """

    def __init__(self, source: OpenVinoSource, context: Context, items: int) -> None:
        x, self._labels = context.labelled(items)
        self._source, self._inputs, self._task = source, x, task(context.card.task)
        self._metric = metric(self._task.primary)
        self.feeds = source.feeds(check_finite(x))
        self._scores: list[float] = []

    def __call__(self, model: Any, items: Iterable[Any]) -> tuple[float, list[list[Array]]]:
        """Return (metric, outputs for each item), for all items or for the first ones when NNCF
        inspects the results.
        """
        feeds = list(islice(items, len(self.feeds)))
        answers = self._source.outputs(model, feeds)
        score = self._score(np.concatenate(answers).astype(np.float32))
        if len(feeds) == len(self.feeds):
            self._scores.append(score)
        return (score if self._metric.direction == "maximize" else -score), [
            [answer] for answer in answers
        ]

    def _score(self, outputs: Array) -> float:
        evidence = {
            "outputs": outputs,
            "labels": self._labels[: len(outputs)],
            "inputs": self._inputs[: len(outputs)],
        }
        try:
            with np.errstate(all="ignore"):
                measurement = self._metric.compute(
                    **{name: evidence[name] for name in self._metric.needs}
                )
        except UNDEFINED:
            measurement = None
        if measurement is None or not np.isfinite(measurement.value):
            raise InvalidFile(
                f"{self._metric.title} is undefined on the validation items",
                given=_kinds(self._labels),
                allowed="items of every class",
                remedy="Choose nncf_openvino_static_int8, which needs no labels",
            )
        return float(measurement.value)

    def note(self, context: Context, allowed: float) -> None:
        """Note the metric of the float model, of the fully quantized model, and of the written
        model.
        """
        first, quantized, last = self._scores[0], self._scores[1], self._scores[-1]
        context.note(
            "validated",
            {
                "metric": self._metric.id,
                "items": len(self._inputs),
                "float": first,
                "int8": quantized,
                "kept": last,
            },
        )
        lost = (first - last) * (1 if self._metric.direction == "maximize" else -1)
        if lost > allowed:
            context.note(
                "max_drop",
                f"not reached: the loss is {lost:.4f} with every possible layer in float",
            )


def _kinds(labels: Array) -> str:
    values, counts = np.unique(labels, return_counts=True)
    return ", ".join(
        f"{count} items of class {value}"
        for value, count in list(zip(values, counts, strict=True))[:5]
    )
