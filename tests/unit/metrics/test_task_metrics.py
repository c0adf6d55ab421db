"""The metrics of the tasks against scikit-learn and closed formulas, on made-up answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    recall_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from lab import registry
from lab.metrics.calibration_error import probabilities
from lab.types import Measurement

RNG = np.random.default_rng(7)
N, CLASSES = 400, 8
LABELS = RNG.integers(0, CLASSES, N)
OUTPUTS = (RNG.normal(size=(N, CLASSES)) + 1.5 * np.eye(CLASSES)[LABELS]).astype("float32")


def compute(id_: str, **evidence: Any) -> Measurement:
    found = registry.metric(id_).compute(**evidence)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.metric == id_
    return found


def scored(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Evidence whose reconstruction error is the given score."""
    inputs = np.zeros((len(scores), 4))
    return {"outputs": np.sqrt(scores)[:, None] * np.ones(4), "labels": labels, "inputs": inputs}


def test_top5() -> None:
    found = compute("top5_accuracy", outputs=OUTPUTS, labels=LABELS)
    assert found.value == pytest.approx(
        top_k_accuracy_score(LABELS, OUTPUTS, k=5, labels=range(CLASSES))
    )
    expected = binomtest(round(found.value * N), N).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_top5_says_nothing_about_five_classes() -> None:
    assert (
        registry.metric("top5_accuracy").compute(outputs=OUTPUTS[:, :5], labels=LABELS % 5) is None
    )


def test_macro_f1() -> None:
    found = compute("macro_f1", outputs=OUTPUTS, labels=LABELS)
    assert found.value == pytest.approx(f1_score(LABELS, OUTPUTS.argmax(1), average="macro"))


@settings(max_examples=40, deadline=None)
@given(arrays(int, 30, elements=st.integers(0, 3)), arrays(int, 30, elements=st.integers(0, 3)))
def test_macro_f1_where_classes_are_missing(truth: np.ndarray, answers: np.ndarray) -> None:
    found = compute("macro_f1", outputs=np.eye(4)[answers], labels=truth)
    assert found.value == pytest.approx(f1_score(truth, answers, average="macro"))


def test_macro_f1_interval_is_that_of_resampled_items() -> None:
    rng = np.random.default_rng(1)
    picks = [rng.integers(0, N, N) for _ in range(800)]
    drawn = [f1_score(LABELS[p], OUTPUTS[p].argmax(1), average="macro") for p in picks]
    found = compute("macro_f1", outputs=OUTPUTS, labels=LABELS)
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.01)


def test_per_class_accuracy_is_recall_by_class() -> None:
    found = compute("per_class_accuracy", outputs=OUTPUTS, labels=LABELS)
    expected = recall_score(LABELS, OUTPUTS.argmax(1), average=None)
    assert [p.value for p in found.parts] == pytest.approx(list(expected))
    assert found.value == pytest.approx(expected.min())
    assert [p.n for p in found.parts] == list(
        confusion_matrix(LABELS, OUTPUTS.argmax(1)).sum(axis=1)
    )
    assert Measurement.from_json(found.metric, found.to_json()) == found


def test_calibration_error_of_a_model_that_knows_itself_is_small() -> None:
    rng = np.random.default_rng(3)
    p = softmax(rng.normal(size=(20_000, 5)) * 2, axis=1)
    labels = np.array([rng.choice(5, p=row) for row in p[:5000]])
    assert compute("calibration_error", outputs=p[:5000], labels=labels).value < 0.025
    assert compute("calibration_error", outputs=np.log(p[:5000]) * 3, labels=labels).value > 0.1


def test_calibration_error_by_hand() -> None:
    outputs = np.array([[0.95, 0.05], [0.95, 0.05], [0.7, 0.3], [0.3, 0.7]])  # bins 14, 14, 10, 10
    found = registry.metric("calibration_error").compute(
        outputs=outputs, labels=np.array([0, 1, 0, 0])
    )
    assert found is not None
    assert found.value == pytest.approx(0.5 * abs(0.5 - 0.95) + 0.5 * abs(0.5 - 0.7))


def test_logits_become_probabilities_and_probabilities_stay() -> None:
    p = softmax(OUTPUTS.astype(float), axis=1)
    np.testing.assert_allclose(probabilities(OUTPUTS), p)
    np.testing.assert_allclose(probabilities(p), p)
    np.testing.assert_allclose(probabilities(np.round(p * 255) / 255), p, atol=0.02)


@settings(max_examples=40, deadline=None)
@given(arrays(int, 60, elements=st.integers(0, 12)))
def test_auc_and_pauc_with_ties(values: np.ndarray) -> None:
    labels = np.arange(60) % 2
    evidence = scored(values.astype(float), labels)
    assert compute("auc", **evidence).value == pytest.approx(
        roc_auc_score(labels, values), abs=1e-9
    )
    expected = roc_auc_score(labels, values, max_fpr=0.1)
    assert compute("pauc", **evidence).value == pytest.approx(expected, abs=1e-9)


def test_auc_interval_is_that_of_resampled_items() -> None:
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1], 300)
    scores = np.square(rng.normal(size=600)) + labels * rng.exponential(1.0, 600)
    found = compute("auc", **scored(scores, labels))
    drawn = []
    for _ in range(1000):
        picks = np.concatenate([rng.integers(0, 300, 300), rng.integers(300, 600, 300)])
        drawn.append(roc_auc_score(labels, scores[picks]))
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.006)


def test_alarm_agreement_holds_the_float_models_threshold() -> None:
    scores, labels = np.arange(100.0), np.repeat([0, 1], 50)
    evidence = scored(scores, labels)
    threshold = np.quantile(scores[:50], 0.9)
    moved = scored(scores + 10, labels)["outputs"]
    found = compute(
        "alarm_agreement", **{**evidence, "outputs": moved, "baseline_outputs": evidence["outputs"]}
    )
    assert found.value == np.mean((scores + 10 > threshold) == (scores > threshold)) == 0.9


@pytest.mark.parametrize("id_", sorted(registry.tasks()))
def test_every_task_names_metrics_that_fit_it(id_: str) -> None:
    task = registry.task(id_)
    assert task.title
    assert task.help.endswith(".")
    for metric in map(registry.metric, (task.primary, task.agreement)):
        assert id_ in metric.tasks
        assert metric.direction == "maximize"


def test_answers_and_what_does_not_fit() -> None:
    classify, detect = registry.task("classification"), registry.task("anomaly_detection")
    assert list(classify.predictions(OUTPUTS, OUTPUTS)) == list(OUTPUTS.argmax(1))
    assert classify.misfit(OUTPUTS, LABELS, OUTPUTS) == ""
    assert (
        classify.misfit(OUTPUTS[:, :3], LABELS, OUTPUTS)
        == f"({N}, at least {LABELS.max() + 1} classes)"
    )
    x = RNG.normal(size=(6, 2, 3))
    np.testing.assert_allclose(detect.predictions(x + 2, x), 4.0)
    assert detect.misfit(x, np.zeros(6), x) == ""
    assert "as the inputs" in detect.misfit(x[:, :1], np.zeros(6), x)
