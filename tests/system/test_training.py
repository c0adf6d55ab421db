"""`python -m lab train`: the recipes run again, from the command line, and leave what is shipped
alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lab import registry

pytestmark = pytest.mark.slow


def train(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab", "train", *arguments]
    return subprocess.run(
        command,
        env={**os.environ, "LAB_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def record(folder: Path, model: str) -> dict[str, Any]:
    return dict(json.loads((folder / f"{model}.json").read_text(encoding="utf-8")))


def test_another_seed_lands_in_the_cards_interval(tmp_path: Path) -> None:
    card = registry.sample_cards()["digits_lenet"]
    before = Path(card.path).read_bytes()
    done = train(tmp_path, "digits_lenet", "--seed", "4")
    assert done.returncode == 0, done.stderr
    assert "inside its 95 % interval" in done.stdout
    assert "epoch 30/30" in done.stderr
    made = record(tmp_path / "trained", "digits_lenet")
    assert made["plan"]["seed"] == 4
    assert (
        made["weights_sha256"]
        == sha256((tmp_path / "trained" / "digits_lenet.keras").read_bytes()).hexdigest()
    )
    assert made["training_digest"] == registry.dataset("digits").training_digest
    assert Path(card.path).read_bytes() == before


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    """On one machine, to the last figure."""
    model, found = "motion_transformer", []
    for folder in (tmp_path / "a", tmp_path / "b"):
        done = train(tmp_path, model, "--epochs", "1", "--to", str(folder))
        assert done.returncode == 0, done.stderr
        found.append(record(folder, model)["baseline"])
    assert found[0] == found[1]


def test_bfloat16_computes_otherwise_and_stores_float32(tmp_path: Path) -> None:
    model = "digits_lenet"
    done = train(tmp_path, model, "--epochs", "1", "--bf16", "--to", str(tmp_path))
    assert done.returncode == 0, done.stderr
    made = record(tmp_path, model)
    assert made["plan"]["bf16"]
    shipped = Path(registry.sample_cards()[model].path)
    assert (tmp_path / shipped.name).stat().st_size == pytest.approx(
        shipped.stat().st_size, rel=0.05
    )


def test_what_cannot_be_trained_is_said(tmp_path: Path) -> None:
    unknown = train(tmp_path, "no_such_model")
    assert unknown.returncode == 2
    assert "no_such_model" in unknown.stderr
    none = train(tmp_path, "digits_lenet", "--epochs", "0")
    assert none.returncode == 2
    assert "at least one epoch" in none.stderr
