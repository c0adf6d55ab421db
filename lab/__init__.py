"""The compression lab: how small, how fast and how accurate a model can be on the device that it
must run on.

`import lab` loads nothing heavy; each name below is taken from `lab.api` when it is first used.
(`lab.techniques`, `lab.runtimes`, `lab.metrics` and `lab.datasets` are packages of plugs: what is
in them is listed by `lab.available_techniques()` and so on.)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.api import *  # noqa: F403

EXPORTED = (
    "Estimate", "Progress", "Spent", "across", "add_model", "anatomy", "answered",
    "applicable_techniques", "available_datasets", "available_metrics", "available_rules",
    "available_runtimes", "available_tasks", "available_techniques", "can_choose_layers",
    "can_prune", "can_reorder", "cancel", "card_of", "compare", "create_link", "dataset_of",
    "doctor", "ensure_engine", "environment", "estimate", "example_study", "examples",
    "execution_providers", "explain", "explanations", "export", "export_model", "extend", "flips",
    "float_agreement", "front", "import_study", "items", "jobs", "known_checks", "last_self_test",
    "latency_samples", "layers", "layers_beside", "link", "links", "make_spec",
    "measuring_conditions", "measuring_seconds", "mixed_precision", "model", "models",
    "names_across", "notes", "order_spec", "orders", "parse_target", "per_class", "preset_chains",
    "preset_recipes", "preset_space", "preset_targets", "primary", "profile", "progress", "pruning",
    "pruning_spec", "raise_layers", "recipe_diff", "reorder", "reproduce", "result_json", "resume",
    "revoke_link", "same_items", "scaling", "scaling_study", "search_course", "search_on",
    "search_spent", "self_test_failure", "self_test_progress", "sensitivity", "sensitivity_study",
    "set_note", "spec_from_text", "spec_to_text", "spread", "start", "start_scaling",
    "start_self_test", "start_sensitivity", "studies", "study", "sweep", "train", "training_curves",
    "trials", "twins", "wait",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in EXPORTED:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    return getattr(importlib.import_module("lab.api"), name)


def __dir__() -> list[str]:
    return sorted(EXPORTED)
