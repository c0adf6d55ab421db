"""What may import what, what `import lab` costs, and which names users rely on."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lab

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch", "tensorflow", "keras", "onnx", "onnxruntime", "openvino", "nncf", "ai_edge_litert",
    "distributed", "dask", "pandas", "plotly", "streamlit", "sklearn", "babel",
)  # fmt: skip
# the promise to users: a name is added here on purpose, and never goes
PUBLIC = [
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
]  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """Heavy packages in a fresh process after some lines."""
    report = f"import sys; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_imports_go_one_way() -> None:
    """The contracts are in pyproject.toml."""
    linter = str(Path(sys.executable).with_name("lint-imports"))
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import lab",
        "import lab; [getattr(lab, name) for name in lab.EXPORTED]",
        "import lab.cli, lab.cli.serving, lab.cards.adding",
    ],
)
def test_importing_loads_nothing_heavy(code: str) -> None:
    assert loaded_by(code) == set()


def test_looking_at_every_plug_loads_nothing_heavy() -> None:
    found = (
        "lab.models(), lab.available_techniques(), lab.available_runtimes(),"
        " lab.available_metrics()"
    )
    assert loaded_by(f"import lab; {found}, lab.available_datasets()") == set()


def test_an_engine_that_waits_loads_nothing_heavy(lab_home: Path) -> None:
    assert loaded_by("import lab; lab.ensure_engine(); lab.studies()") == set()


def test_public_names() -> None:
    """All else is derived from the stub, `lab/__init__.pyi`."""
    assert list(lab.EXPORTED) == PUBLIC
    assert dir(lab) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_exist_and_are_explained(name: str) -> None:
    assert getattr(lab, name).__doc__


def test_a_public_name_is_taken_from_the_module_that_defines_it() -> None:
    stub = ast.parse(Path(lab.__file__).with_suffix(".pyi").read_text())
    listed = {
        alias.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name: getattr(lab, name).__module__ for name in PUBLIC} == listed


def test_other_names_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="no attribute 'records'"):
        lab.records  # noqa: B018
