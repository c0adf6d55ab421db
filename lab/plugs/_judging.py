"""Metrics, tasks and rules, which judge and explain trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.evidence import Anatomy, Finding, Profile, Roofline
from lab.plugs._packages import Array
from lab.types import Measurement, Trial


@dataclass(frozen=True)
class Case:
    """Data from which a rule explains a trial.

    Attributes:
        trial: a complete trial.
        baseline: the float model on the same target, None if there is none.
        trials: all trials of the study.
        anatomy, profile: those of the trial; None if unknown.
        baseline_anatomy, baseline_profile: those of the baseline; None if unknown.
        roofline: roofline of the machine with the target's number of threads, None if unknown.
        environment: the machine, from `lab.measure.environment.fingerprint`.
    """

    trial: Trial
    baseline: Trial | None = None
    trials: Sequence[Trial] = ()
    anatomy: Anatomy | None = None
    baseline_anatomy: Anatomy | None = None
    profile: Profile | None = None
    baseline_profile: Profile | None = None
    roofline: Roofline | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """Rule that finds one reason why a trial is not faster or not smaller.

    Attributes:
        title: the reason in a few words.
        help: explanation for readers without prior knowledge.
        find: case -> finding, or None if the rule does not apply or its evidence is missing.
    """

    id: str
    title: str
    help: str
    find: Callable[[Case], Finding | None]


EVIDENCE = {
    "outputs": (
        "float array (items, *output): outputs of the variant on the test set; (items, classes) for"
        " classification"
    ),
    "labels": (
        "array (items, …): true values; class indices for classification, 0 or 1 for anomaly"
        " detection"
    ),
    "inputs": "float array (items, *input): inputs of the model",
    "baseline_outputs": (
        "float array (items, *output): outputs of the float baseline in the same runtime"
    ),
    "file": "uint8 array: the artifact's bytes",
    "baseline_file": "uint8 array: the bytes of the float baseline in the same format",
    "live_bytes": (
        "1-D int array: bytes of activations alive while each operator runs, planned from the"
        " file's graph for one item"
    ),
    "weight_zeros": "2 ints: number of zero weights in the file, and number of all weights",
    "latency": (
        "list of 1-D float arrays: seconds of each timed run, one array per uncontended round"
    ),
    "batch": "int: items in each timed run",
    "cold_load": (
        "1-D float array: seconds from opening the file to the end of the first run, in fresh"
        " processes"
    ),
    "peak_rss": "1-D float array: bytes above the bare runtime, in fresh processes",
    "arena": (
        "1-D float array: bytes of the runtime's tensor arena once it is ready to run, in fresh"
        " processes; LiteRT only"
    ),
    "energy": (
        "1-D float array: joules of one call in each uncontended round, idle cores included; absent"
        " if no counter is readable"
    ),
}


@dataclass(frozen=True)
class Metric:
    """Metric: a pure function of arrays.

    Attributes:
        needs: names of the evidence it is computed from, see EVIDENCE; passed by keyword.
        compute: keyword arrays -> Measurement, or None if the value would be meaningless.
        tasks: tasks it applies to; empty means all.
        noun: its name in a sentence, such as "latency"; derived from the id by default.
        best: the word for its best value, such as "fastest".
        more_less: the words for a larger and a smaller value, such as ("slower", "faster"); derived
            from the unit by default.
        about_both: True if it already compares with the float model, so that its change against the
            float model is meaningless.
    """

    id: str
    title: str
    help: str
    unit: str
    direction: Literal["maximize", "minimize"]
    needs: tuple[str, ...]
    compute: Callable[..., Measurement | None]
    tasks: tuple[str, ...] = ()
    noun: str = ""
    best: str = ""
    more_less: tuple[str, str] | None = None
    about_both: bool = False


@dataclass(frozen=True)
class Task:
    """Task of a model: defines how its predictions are judged.

    Attributes:
        primary: id of the metric that is the accuracy axis of its studies.
        agreement: id of the metric for the agreement of a variant with the float model.
        noun: name of the primary metric in a sentence, such as "accuracy".
        predictions: (outputs, inputs) -> predictions that are compared with the labels: class
            indices, scores or values; shape (items, …).
        labels: kind of the labels: class indices, one per item, or values of any shape.
        misfit: (outputs, labels, inputs) -> description of the expected outputs if they do not fit,
            else "".
        learns: training target: the labels, or the inputs themselves.
    """

    id: str
    title: str
    help: str
    primary: str
    agreement: str
    noun: str
    predictions: Callable[[Array, Array], Array]
    labels: Literal["classes", "values"] = "classes"
    misfit: Callable[[Array, Array, Array], str] = lambda outputs, labels, inputs: ""
    learns: Literal["labels", "inputs"] = "labels"
