"""Messages between processes: every one survives its JSON, and rows of older versions can be read."""

from __future__ import annotations

import importlib
import json
import pickle
from typing import Any

import pytest

from lab.engine import messages as m
from lab.engine import searching
from lab.engine.in_pool_process import build_in_pool, evaluate_in_pool, probe_in_pool
from lab.engine.on_dask_worker import build_on_worker, evaluate_on_worker, measure_on_worker
from lab.errors import InvalidFile, JobCrashed
from lab.measure.messages import MeasuredVariants, MeasureVariantsRequest, VariantTimings
from lab.measure.rounds import Protocol
from lab.types import (
    Artifact,
    InputSpec,
    Measurement,
    ModelCard,
    Objective,
    Recipe,
    Step,
    StudySpec,
    Target,
    TrialDetails,
)

FILE = Artifact("/a/b.onnx", "onnx", "b" * 64, 12)
OUTPUTS = Artifact("/a/c.npz", "npz", "c" * 64, 34)
RAW = Artifact("/a/d.json", "json", "d" * 64, 56)
CARD = ModelCard(
    "m", "M", "classification", "onnx", "onnx", "/a/b.onnx", InputSpec((8, 8, 3)), "npz-d", ("x",)
)
SPEC = StudySpec(
    "m",
    {"onnx_fp16": {"keep": (1, 2)}},
    (Recipe((Step("onnx_fp16", {"keep": 1}),)),),
    (Target("ort", {"threads": 1}),),
    (Objective("top1_accuracy", "maximize"),),
    ("top1_accuracy", "latency_s"),
)
TARGET = Target("ort", {"threads": 2})
ACCURACY = Measurement("top1_accuracy", 0.9, "1", 200, 0.85, 0.94, flags=("x",))
LATENCY = Measurement("latency_s", 0.1, "s", 15, 0.09, 0.11, parts=(Measurement("p", 1.0, "s"),))
STEP = Step("onnx_fp16", {"keep": 1})
CORRECT = {"metric": "top1_accuracy", "n": 8, "bits": "/w=="}
TIMING = {"session": "s", "rounds": [1], "medians_s": [0.1], "disturbed": {}, "turns": 2}
PROTOCOL = Protocol(5, 20, 0.015, threads=2, seed=3)

MESSAGES: list[Any] = [
    m.Failure("JobCrashed", "It crashed.", "Try another.", "Traceback …", "build", "k", "e"),
    m.Failure("JobError", "It was never run."),
    m.Built(FILE, {"a": "note"}, {"float_operators": {"Add": 1}}, ({"key": "k", "phase": "p"},)),
    m.Built(FILE),
    m.Evaluated(OUTPUTS, {"top1_accuracy": ACCURACY}, CORRECT, {"arm": {"facts": []}}, "e", RAW),
    m.Evaluated(OUTPUTS, {}, None, {}, "e", None),
    m.Measured({"latency_s": LATENCY}, RAW, RAW, TIMING, {"mapped_bytes": 3}, "e"),
    m.BuildRequest("s", "k", STEP, CARD, "/data"),
    m.EvaluateRequest("s", TARGET, CARD, "/data", SPEC, "e", "fp16 on ort", True),
    m.MeasureRequest("s", TARGET, CARD, "/data", SPEC, "e", True),
    m.PoolBuildRequest(STEP, "/a/b.onnx", CARD, "/data", "/checkpoint"),
    m.PoolBuilt("/made/x.onnx", "onnx", {"n": 1}, {"inputs": []}, ({"phase": "p"},)),
    m.PoolEvaluateRequest(
        "ort", {"threads": 1}, "/a", "onnx", CARD, "/data", ("top1_accuracy",), 50, emulate=True
    ),
    m.PoolEvaluated("/made/o.npz", {"top1_accuracy": ACCURACY}, CORRECT, {"arm": {}}, "/made/a"),
    m.ProbeRequest("ort", "/a", "/data", "classification", (CARD.input, InputSpec((3,))), 100),
    m.Probed((ACCURACY, LATENCY)),
    MeasureVariantsRequest("ort", {"threads": 2}, "/i.npy", {"a": "/a"}, PROTOCOL, 3, 20),
    MeasuredVariants(
        {
            "a": VariantTimings(({"cold_load_s": 0.1},), ({"round": 1},), {"operators": []}),
            "b": VariantTimings(error={"type": "JobCrashed", "message": "It crashed."}),
        },
        {"before": {}, "after": {}},
    ),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives_its_json(message: Any) -> None:
    text = json.dumps(message.to_json())
    assert type(message).from_json(json.loads(text)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives_pickling(message: Any) -> None:
    assert pickle.loads(pickle.dumps(message)) == message


STEP_ROW = {
    "artifact": FILE.to_json(),
    "notes": {"a": "note"},
    "inspection": {"float_operators": {}},
    "training": [{"key": "k"}],
}
EVALUATE_ROW = {
    "outputs": OUTPUTS.to_json(),
    "measurements": {"top1_accuracy": ACCURACY.to_json()},
    "right": CORRECT,
    "elsewhere": {"arm": {"facts": []}},
    "environment": "e",
    "anatomy": RAW.to_json(),
}
MEASURE_ROW = {
    "measurements": {"latency_s": LATENCY.to_json()},
    "samples": RAW.to_json(),
    "profile": None,
    "timing": TIMING,
    "memory": {"mapped_bytes": 3},
    "environment": "e",
}


@pytest.mark.parametrize(
    ("kind", "row"),
    [(m.Built, STEP_ROW), (m.Evaluated, EVALUATE_ROW), (m.Measured, MEASURE_ROW)],
)
def test_stored_keys_stay_as_they_were(kind: Any, row: dict[str, Any]) -> None:
    assert m.outcome_from_json(kind, row).to_json() == row


@pytest.mark.parametrize(
    ("kind", "row", "missing"),
    [
        (m.Built, STEP_ROW, ("notes", "inspection", "training")),
        (m.Evaluated, EVALUATE_ROW, ("right", "elsewhere", "anatomy", "environment")),
        (m.Measured, MEASURE_ROW, ("samples", "profile", "timing", "memory", "environment")),
    ],
)
def test_rows_of_older_versions_can_be_read(
    kind: Any, row: dict[str, Any], missing: tuple[str, ...]
) -> None:
    """Each key came at some time; a newer version may add one that this one does not know."""
    for names in [(name,) for name in missing] + [missing]:
        older = {k: v for k, v in row.items() if k not in names} | {"newer": 1}
        found = m.outcome_from_json(kind, older, cached=True)
        assert isinstance(found, kind)
        assert found.cached


def test_a_stored_failure_is_a_failure() -> None:
    error = {"type": "InvalidFile", "message": "No.", "job": "evaluate", "key": "k"}
    found = m.outcome_from_json(m.Evaluated, {"error": error, "environment": "e"}, cached=True)
    assert isinstance(found, m.Failure)
    assert found.cached
    assert found.error_json() == error
    assert found.to_json() == {"error": error, "environment": "e"}


def test_an_exception_becomes_a_failure() -> None:
    failure = m.Failure.of(InvalidFile("It is no model", remedy="Choose another"))
    assert (failure.type, failure.remedy) == ("InvalidFile", "Choose another")
    assert set(failure.error_json()) == {"type", "message", "remedy", "traceback"}
    assert m.Failure.of(JobCrashed("x" * 9000)).message == "x" * 4000
    assert m.Failure.of(ValueError()).message == "ValueError"


DETAILS = {
    **m.Built(FILE, {"a": "b"}, training=({"key": "k"},), seconds=1.5).details_json(),
    **m.Evaluated(OUTPUTS, {}, CORRECT, {}, "e", None).details_json(),
    **m.Measured({}, RAW, None, TIMING, {"mapped_bytes": 0}).details_json(),
    "ended_at": 1795997683.8,
}


def test_details_of_a_trial_keep_their_stored_keys() -> None:
    details = TrialDetails.from_json(DETAILS)
    assert details.correct == CORRECT
    assert details.outputs == OUTPUTS
    assert details.emulated == {}
    assert details.build_s == 1.5
    assert details.training == ({"key": "k"},)
    assert details.anatomy is None
    assert details.to_json() == DETAILS
    assert details["right"] == details.get("right") == DETAILS["right"]
    assert details.get("nothing", 1) == 1
    assert set(DETAILS) >= {"right", "elsewhere", "outputs", "samples", "timing", "evaluate_s"}


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"newer": {"a": 1}},
        {"right": None, "anatomy": None, "build_s": None},
        {"outputs": {"no": "path"}, "timing": 5, "training": "x", "notes": []},
    ],
)
def test_entries_that_are_not_read_are_written_back(stored: dict[str, Any]) -> None:
    details = TrialDetails.from_json(stored)
    assert details.to_json() == stored
    assert details == TrialDetails(other=stored)


def test_a_known_entry_replaces_a_stored_null() -> None:
    details = TrialDetails.from_json({"right": None}).with_json({"right": CORRECT, "new": 1})
    assert details.correct == CORRECT
    assert details.to_json() == {"right": CORRECT, "new": 1}


@pytest.mark.parametrize(
    "function",
    [
        build_on_worker,
        evaluate_on_worker,
        measure_on_worker,
        searching.choose_on_worker,
        build_in_pool,
        evaluate_in_pool,
        probe_in_pool,
    ],
    ids=lambda function: function.__name__,
)
def test_what_other_processes_run_is_found_by_its_path(function: Any) -> None:
    """Dask and Pebble pickle a function as the path of its module and its name."""
    found = getattr(importlib.import_module(function.__module__), function.__qualname__)
    assert found is function
    assert pickle.loads(pickle.dumps(function)) is function
