"""Types of plugs, each added by one file: technique, runtime, processor, metric, rule, task,
dataset and sample model.

A plug is a value, not a class to inherit from: its file defines one module-level constant
(TECHNIQUE, RUNTIME, PROCESSOR, METRIC, RULE, TASK, DATASET or CARD), and the registry finds it.
Importing a plug's file loads no framework: heavy imports live in its functions.
"""

from __future__ import annotations

from lab.plugs._data import (
    ARRAYS,
    Dataset,
    SourceFile,
    Splits,
    Training,
    arrays_digest,
    sources_digest,
)
from lab.plugs._formats import FACES, Format, Loading
from lab.plugs._judging import EVIDENCE, Case, Metric, Rule, Task
from lab.plugs._packages import Array, Toolchain, missing_package, module_of, require
from lab.plugs._runtimes import Fact, Processor, Provider, Runtime, Session, Setting, TensorInfo
from lab.plugs._techniques import PURPOSES, Context, Technique, TrainingSet, no_training

__all__ = [
    "ARRAYS",
    "EVIDENCE",
    "FACES",
    "PURPOSES",
    "Array",
    "Case",
    "Context",
    "Dataset",
    "Fact",
    "Format",
    "Loading",
    "Metric",
    "Processor",
    "Provider",
    "Rule",
    "Runtime",
    "Session",
    "Setting",
    "SourceFile",
    "Splits",
    "Task",
    "Technique",
    "TensorInfo",
    "Toolchain",
    "Training",
    "TrainingSet",
    "arrays_digest",
    "missing_package",
    "module_of",
    "no_training",
    "require",
    "sources_digest",
]
