"""Remedies name techniques that fit the trial's own format."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab import registry
from lab.plugs import PURPOSES
from lab.rules._words import static_technique, technique_for, weights_technique
from lab.types import Artifact, Trial
from tests import fakes


def trial_of(format_: str) -> Trial:
    return replace(fakes.trials()[0], artifact=Artifact("x", format_, "0" * 64, 1))


@pytest.mark.parametrize("format_", registry.formats())
def test_a_remedy_names_techniques_of_the_trials_format_only(format_: str) -> None:
    """Those that write it or, where none does, those that read it."""
    for purpose in PURPOSES:
        for id_ in registry.serving(purpose, format_):
            technique = registry.technique(id_)
            assert format_ in (*technique.accepts, technique.produces)


def test_the_usual_ones() -> None:
    assert static_technique(trial_of("onnx")) == "onnx_static_int8"
    assert static_technique(trial_of("tflite")) == "tflite_static_wi8_ai8"
    assert weights_technique(trial_of("onnx")) == "onnx_weight_only_wi4"
    assert technique_for("embeddings", trial_of("onnx")).endswith("with embeddings on")


def test_a_pytorch_program_is_not_sent_to_onnx_techniques() -> None:
    named = static_technique(trial_of("torch_export"))
    assert "onnx" not in named
    assert "torch_fx_static_int8" in named


def test_a_format_without_techniques_is_told_what_to_look_for() -> None:
    assert static_technique(trial_of("new")).startswith("a technique that makes weights and")
    assert "onnx" not in weights_technique(trial_of("new"))
