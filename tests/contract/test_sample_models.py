"""Every sample model that is shipped is what its card says, and goes through the lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab import registry
from lab.formats.feeding import as_input, run_all
from lab.plugs import Array, Dataset
from lab.spec.plan import plan
from lab.types import ModelCard
from tests import loaded
from tests.sweeping import Sweeps, reachable

HEAVY = ("torch", "tensorflow", "keras", "sklearn", "babel")
ROOM = {"top1_accuracy": (0.78, 0.975), "auc": (0.85, 0.98)}
"""Where a baseline must lie to leave room to fall, and to be worth keeping."""
MIN_TEST, ALL_OF_IT = 1500, {"digits": 597}
MAX_WEIGHTS_BYTES = 25_000_000
FAITHFUL, BATCH = 0.999, 100
PRUNED = 0.8


@pytest.fixture(params=sorted(registry.sample_cards()), scope="module")
def card(request: pytest.FixtureRequest) -> ModelCard:
    return registry.sample_cards()[request.param]


@pytest.fixture(scope="module")
def dataset(card: ModelCard) -> Dataset:
    return registry.dataset(card.dataset)


@pytest.fixture(scope="module")
def record(card: ModelCard) -> dict[str, Any]:
    return dict(json.loads(Path(card.path).with_suffix(".json").read_text(encoding="utf-8")))


def source(card: ModelCard) -> Callable[[Array], Array]:
    """The model in the framework that made it."""
    return {"keras": keras_answers, "torch_export": torch_answers}[card.format](card.path)


def keras_answers(path: str) -> Callable[[Array], Array]:
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras

    model = keras.models.load_model(path)
    return lambda x: np.concatenate([np.asarray(model(part, training=False)) for part in parts(x)])


def torch_answers(path: str) -> Callable[[Array], Array]:
    import torch

    module = torch.export.load(path).module()

    def answer(x: Array) -> Array:
        with torch.no_grad():
            return np.concatenate([module(torch.from_numpy(part)).numpy() for part in parts(x)])

    return answer


def parts(x: Array) -> list[Array]:
    return [x[start : start + 256] for start in range(0, len(x), 256)]


# --- the gallery as a whole -----------------------------------------------------------------------


def test_the_gallery_is_worth_exploring() -> None:
    cards = registry.sample_cards().values()
    assert len(cards) >= 10
    assert len({c.dataset for c in cards}) >= 5
    assert {c.framework.split()[0] for c in cards} == {"Keras", "PyTorch"}
    assert {c.task for c in cards} == set(registry.tasks())
    assert len([c for c in cards if c.dataset == "signs"]) >= 4


def test_all_weights_together_are_small() -> None:
    files = {Path(c.path) for c in registry.sample_cards().values()}
    assert sum(f.stat().st_size for f in files) < MAX_WEIGHTS_BYTES


def test_importing_the_cards_loads_no_framework() -> None:
    code = (
        f"import sys, lab.registry; lab.registry.sample_cards(); print(*set({HEAVY}) &"
        " set(sys.modules))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "\n"
    )


# --- each card ------------------------------------------------------------------------------------


def test_file_is_there_and_named_as_the_model(card: ModelCard) -> None:
    assert Path(card.path).is_absolute()
    assert Path(card.path).is_file()
    assert Path(card.path).stem == card.id
    assert card == registry.training_recipe(card.id).CARD


def test_weights_name_no_folder_of_the_machine_that_trained_them(card: ModelCard) -> None:
    assert b"stack_trace" not in Path(card.path).read_bytes()


def test_data_set_fits(card: ModelCard, dataset: Dataset) -> None:
    assert card.class_names == dataset.class_names
    assert card.task == dataset.task


def test_card_is_complete_and_survives_json(card: ModelCard) -> None:
    assert all(
        (card.title, card.licence, card.provenance, card.description, card.parameters, card.macs)
    )
    assert ModelCard.from_json(json.loads(json.dumps(card.to_json()))) == card


def test_weights_came_from_the_declared_data(
    card: ModelCard, dataset: Dataset, record: dict[str, Any]
) -> None:
    """The record is written by the training alone: it names the file that it made and the data that
    it saw.
    """
    assert record["weights_sha256"] == sha256(Path(card.path).read_bytes()).hexdigest()
    assert record["training_digest"] == dataset.training_digest
    assert record["dataset_digest"] == dataset.digest


def test_layers_of_the_record_add_up_to_the_card(card: ModelCard, record: dict[str, Any]) -> None:
    assert (
        sum(layer["parameters"] for layer in record["layers"])
        == card.parameters
        == record["parameters"]
    )
    assert sum(layer["macs"] for layer in record["layers"]) == card.macs == record["macs"]


def test_baseline_leaves_room_and_states_its_interval(
    card: ModelCard, record: dict[str, Any]
) -> None:
    found = lab.primary(card)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    low, high = ROOM[found.metric]
    assert low <= found.value <= high
    assert found.low < found.value < found.high < 1
    assert found.n >= ALL_OF_IT.get(card.dataset, MIN_TEST)
    assert not record["plan"]["bf16"]


# --- each model, run ------------------------------------------------------------------------------


@pytest.mark.slow
def test_shipped_weights_reach_every_figure_of_the_card(card: ModelCard, dataset: Dataset) -> None:
    """Exactly, but for items so near to a tie that another processor's rounding may decide them."""
    splits = loaded.splits(dataset.id)
    inputs = as_input(splits.x_test, card.input)
    outputs, given = source(card)(inputs), card.baseline
    evidence = {"outputs": outputs, "labels": splits.y_test, "inputs": inputs}
    fitting = {
        m.id: m
        for m in registry.metrics().values()
        if card.task in m.tasks and set(m.needs) <= set(evidence)
    }
    found = {
        id_: m.compute(**{name: evidence[name] for name in m.needs}) for id_, m in fitting.items()
    }
    assert {id_ for id_, m in found.items() if m is not None} == set(given)
    for id_, measurement in given.items():
        again = found[id_]
        assert again is not None
        assert again.n == measurement.n
        shares = ("top1_accuracy", "top5_accuracy", "per_class_accuracy")  # of n items each
        tolerance = near_ties(card, outputs) / measurement.n if id_ in shares else 2e-3
        assert abs(again.value - measurement.value) <= tolerance + 1e-12, id_


def near_ties(card: ModelCard, outputs: Array) -> int:
    if card.task != "classification":
        return 0
    ordered = np.sort(outputs, axis=1)
    return int((ordered[:, -1] - ordered[:, -2] < 1e-3).sum())


@pytest.mark.slow
def test_batch_axis_is_free(card: ModelCard, dataset: Dataset) -> None:
    answer, x = source(card), as_input(loaded.splits(dataset.id).x_test[:5], card.input)
    one_by_one = np.concatenate([answer(x[i : i + 1]) for i in range(2)])
    np.testing.assert_allclose(answer(x)[:2], one_by_one, atol=1e-4)


def test_names_tell_the_trials_of_a_full_sweep_apart(card: ModelCard) -> None:
    planned = plan(lab.make_spec(card.id, "full"), card).trials
    seen = Counter((trial.name, str(trial.target.to_json())) for trial in planned)
    assert len(planned) > 200
    assert [name for name, times in seen.items() if times > 1] == []


@pytest.fixture(scope="module")
def sweeps(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sweeps]:
    """Of all models that are tested now."""
    chosen = {
        item.callspec.params["card"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.module is request.module
        and "swept" in item.fixturenames
    }
    made = Sweeps(tmp_path_factory.mktemp("sweeps"), sorted(chosen))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def swept(card: ModelCard, sweeps: Sweeps) -> dict[str, Any]:
    """The quick preset on every runtime that the model can reach."""
    return sweeps.result(card.id)


@pytest.mark.slow
def test_the_quick_preset_completes(card: ModelCard, swept: dict[str, Any]) -> None:
    assert (
        {t["target"]["runtime"] for t in swept["trials"]}
        == set(reachable(card.id))
        >= {"ort", "litert", "openvino"}
    )
    assert len(swept["trials"]) >= 10
    assert {t["name"]: t["error"] for t in swept["trials"] if t["state"] != "complete"} == {}
    assert swept["front"]


@pytest.mark.slow
def test_float_answers_are_the_source_s_and_each_other_s_in_every_runtime(
    card: ModelCard, dataset: Dataset, swept: dict[str, Any]
) -> None:
    splits = loaded.splits(dataset.id)
    inputs = as_input(splits.x_test, card.input)
    answers = {
        "source": source(card)(inputs),
        **{t["target"]["runtime"]: outputs_of(t, inputs) for t in swept["trials"] if t["baseline"]},
    }
    metric = registry.metric(registry.task(card.task).agreement)
    for (one, a), (other, b) in combinations(answers.items(), 2):
        evidence = {"outputs": b, "baseline_outputs": a, "labels": splits.y_test, "inputs": inputs}
        found = metric.compute(**{name: evidence[name] for name in metric.needs})
        assert found is not None
        assert found.value >= FAITHFUL, f"{one} and {other}"


def outputs_of(trial: dict[str, Any], inputs: Array) -> Array:
    """Outputs of a trial's file on inputs, in its runtime: the sweep itself predicts fewer items."""
    target = dict(trial["target"])
    runtime = registry.runtime(target.pop("runtime"))
    return run_all(runtime.load(trial["artifact"]["path"], target), inputs, BATCH)


@pytest.mark.slow
def test_rough_handling_costs_something_that_can_be_seen(
    card: ModelCard, dataset: Dataset, swept: dict[str, Any]
) -> None:
    """4-bit weights, or else taking the smallest 80 % of weights away, leave the baseline's
    interval.
    """
    baseline = lab.primary(card)
    assert baseline is not None
    assert baseline.low is not None
    splits = loaded.splits(dataset.id)
    inputs = as_input(splits.x_test, card.input)
    coarse = [
        primary_value(card, outputs_of(t, inputs), splits.y_test, inputs)
        for t in swept["trials"]
        if "wi4" in t["name"]
    ]
    assert coarse
    if min(coarse) >= baseline.low:
        assert pruned_value(card, dataset, swept) < baseline.low


def pruned_value(card: ModelCard, dataset: Dataset, swept: dict[str, Any]) -> float:
    import onnx
    import onnxruntime

    (file,) = [
        t["artifact"]["path"]
        for t in swept["trials"]
        if t["baseline"] and t["target"]["runtime"] == "ort"
    ]
    model = onnx.load(file)
    prune(model, PRUNED)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    splits = loaded.splits(dataset.id)
    inputs = as_input(splits.x_test, card.input)
    (name,) = [i.name for i in session.get_inputs()]
    outputs = session.run(None, {name: inputs})[0]
    return primary_value(card, outputs, splits.y_test, inputs)


def primary_value(card: ModelCard, outputs: Array, labels: Array, inputs: Array) -> float:
    """The task's own metric."""
    evidence = {"outputs": outputs, "labels": labels, "inputs": inputs}
    metric = registry.metric(registry.task(card.task).primary)
    measurement = metric.compute(**{need: evidence[need] for need in metric.needs})
    assert measurement is not None
    return measurement.value


def prune(model: Any, share: float) -> None:
    """Zero the smallest of all weights of matrices and kernels, over the whole network (global
    magnitude pruning).
    """
    from onnx import numpy_helper

    large = [i for i in model.graph.initializer if len(i.dims) > 1 and i.data_type == 1]
    weights = [numpy_helper.to_array(i) for i in large]
    threshold = np.quantile(np.abs(np.concatenate([w.ravel() for w in weights])), share)
    for initializer, w in zip(large, weights, strict=True):
        initializer.CopyFrom(
            numpy_helper.from_array(
                np.where(np.abs(w) < threshold, 0, w).astype(w.dtype), initializer.name
            )
        )
