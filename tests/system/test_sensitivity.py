"""Layer by layer on a real model: the layers that are named are the ones that matter."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import lab
from lab.analysis.sensitivity import REST
from lab.errors import UnknownId, UsageError
from lab.types import ModelCard, Recipe, Step, Trial
from tests import tiny

COARSE = Recipe((Step("tflite_static_wi4_ai8", {"per_channel": False}),))
TOP = 5


def only_trial(study: str, name: str) -> Trial:
    return next(t for t in lab.trials(study) if t.name == name)


@pytest.mark.slow
def test_the_layers_that_it_names_win_back_half_of_what_was_lost(lab_home: Path) -> None:
    """MobileNetV2 with 4-bit weights and one scale a tensor: several points are lost, few layers
    are to blame.
    """
    study = lab.sweep("signs_mobilenetv2", space={}, recipes=[COARSE], targets=["litert"])
    coarse = only_trial(study.id, "static_wi4_ai8_per_tensor")
    lost = -coarse.measurements["accuracy_change"].value
    assert lost >= 0.01
    start = time.monotonic()
    about = lab.start_sensitivity(coarse.id)
    lab.wait(about)
    print(f"sensitivity of {len(lab.trials(about))} variants took {time.monotonic() - start:.0f} s")
    found = lab.sensitivity(about)
    assert all(
        x.noise is not None and x.recovered is not None and x.size_bytes is not None
        for x in found.layers
    )
    assert (
        sum(x.group.label.startswith("features.") for x in found.layers) >= 18
    )  # named as the source model does
    assert lab.start_sensitivity(coarse.id) == about
    (added,) = lab.raise_layers(about, [x.group.name for x in found.layers[:TOP]])
    lab.wait(study.id)
    mended = next(t for t in lab.trials(study.id) if t.id == added)
    left = -mended.measurements["accuracy_change"].value
    assert left <= lost / 2
    assert (
        mended.measurements["size_bytes"].value
        < 0.5 * lab.trials(study.id)[0].measurements["size_bytes"].value
    )


def test_every_layer_is_asked_and_named_on_a_tiny_model(lab_home: Path, tmp_path: Path) -> None:
    file, x = tiny.write_onnx(tmp_path / "tiny.onnx"), tiny.items(200)
    y = tiny.answers("ort", file, x).argmax(axis=1)
    np.savez(tmp_path / "tiny.npz", x_calibration=x, y_calibration=y, x_test=x, y_test=y)
    card = lab.add_model(file, tmp_path / "tiny.npz", layout="NHWC")
    study = lab.sweep(
        card.id, space={}, recipes=[Recipe((Step("onnx_static_int8"),))], targets=["ort"]
    )
    about = lab.start_sensitivity(only_trial(study.id, "static_wi8_ai8").id)
    lab.wait(about)
    found = lab.sensitivity(about)
    multiplying = [x for x in found.layers if x.group.name != REST]
    assert {x.group.type for x in multiplying} == {"Conv", "Gemm"}
    assert all(x.noise and x.recovered and x.recovered > 0 for x in multiplying)
    added = lab.mixed_precision(about, budget=2)
    lab.wait(study.id)
    mixed = [t for t in lab.trials(study.id) if t.id in added]
    assert mixed
    whole = only_trial(study.id, "static_wi8_ai8").measurements["sqnr_db"].value
    assert all(t.measurements["sqnr_db"].value > whole for t in mixed if t.state == "complete")
    with pytest.raises(UnknownId, match="layer"):
        lab.raise_layers(about, ["no such layer"])


def test_a_recipe_without_layers_to_choose_is_refused_with_those_that_have(
    small_card: ModelCard,
) -> None:
    study = lab.sweep(
        small_card.id, space={}, recipes=[Recipe((Step("onnx_fp16"),))], targets=["ort"]
    )
    with pytest.raises(UsageError, match="onnx_static_int8"):
        lab.start_sensitivity(only_trial(study.id, "fp16").id)
    with pytest.raises(UsageError, match="does not ask"):
        lab.sensitivity(study.id)
