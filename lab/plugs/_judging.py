"""What judges and explains: metrics, tasks and rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.evidence import Anatomy, Finding, Profile, Roofline
from lab.plugs._packages import Array
from lab.types import Measurement, Trial


@dataclass(frozen=True)
class Case:
    """All that a rule may look at to explain a trial.

    Attributes:
        trial: a complete trial; baseline: the float model on the same target, None where there is
            none.
        trials: all of the study's.
        anatomy, profile: of the trial; baseline_anatomy, baseline_profile: of the baseline. None
            where unknown.
        roofline: of the machine with the target's number of threads, None where unknown.
        environment: the machine, as `lab.measure.environment.fingerprint` tells it.
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
    """One reason why a trial is not faster or not smaller.

    Attributes:
        title: the reason in a few words; help: what it means, for who has never heard of it.
        find: case -> what was found, or None where the rule does not apply or its evidence is
            missing.
    """

    id: str
    title: str
    help: str
    find: Callable[[Case], Finding | None]


EVIDENCE = {
    "outputs": (
        "float array (items, *output): what the variant answered on the test set; (items, classes)"
        " for classification"
    ),
    "labels": (
        "array (items, …): the truth; class numbers for classification, 0 or 1 for anomaly"
        " detection"
    ),
    "inputs": "float array (items, *input): what the model was given",
    "baseline_outputs": (
        "float array (items, *output): what the float baseline answered in the same runtime"
    ),
    "file": "uint8 array: the artifact's bytes",
    "baseline_file": "uint8 array: the bytes of the float baseline in the same format",
    "live_bytes": (
        "1-D int array: bytes of activations alive while each operator runs, planned from the"
        " file's graph for one item"
    ),
    "weight_zeros": "2 ints: weights in the file that are zero, and all of them",
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
        "1-D float array: bytes that the runtime's tensors lie in once it is ready to run, in fresh"
        " processes; LiteRT only"
    ),
    "energy": (
        "1-D float array: joules of one call in each uncontended round, idle cores included; absent"
        " where no counter is readable"
    ),
}


@dataclass(frozen=True)
class Metric:
    """A pure function of arrays.

    Attributes:
        needs: names of the evidence it is computed from, see EVIDENCE; passed by keyword.
        compute: keyword arrays -> Measurement, or None where the number would say nothing.
        tasks: tasks it applies to; empty means all.
        noun: the word for it in a sentence, such as "latency"; the id's words by default.
        best: the word for the best of it, such as "fastest".
        more_less: the words for a larger and a smaller number, such as ("slower", "faster"); the
            unit's by default.
        about_both: True where it compares with the float model already, so that comparing it again
            says nothing.
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
    """What a model is for: how its answers are judged.

    Attributes:
        primary: id of the metric that is the accuracy axis of its studies.
        agreement: id of the metric that says how far a variant answers as the float model does.
        noun: the primary metric in a sentence, such as "accuracy".
        labels: whether the truth is class numbers, one an item, or values of any shape.
        predictions: (outputs, inputs) -> what is compared with the truth: class numbers, scores,
            values; shape (items, …).
        misfit: (outputs, labels, inputs) -> what outputs must be like, where they are not; "" where
            they fit.
        learns: what a model is trained to answer: the labels, or the inputs themselves.
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
