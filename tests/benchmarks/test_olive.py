"""The lab against Olive on the same work: 24 static int8 variants of a ResNet-8, 2 000 test images,
200 timed runs each.

Needs OLIVE_DIR (a folder with Olive's run.py and cfg.json), OLIVE_PYTHON (an environment with
olive-ai), RESNET8_FILE and RESNET8_DATA (the model and its .npz): none of them is part of the
project.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import lab
from tests.benchmarks.form import SMALLEST, TINY

NEEDED = ("OLIVE_DIR", "OLIVE_PYTHON", "RESNET8_FILE", "RESNET8_DATA")
AXES = {
    "method": ("minmax", "entropy", "percentile"),
    "per_channel": (False, True),
    "reduce_range": (False, True),
    "preprocess": (False, True),
}
SPEC = {
    "targets": ["ort"],
    "space": {"onnx_static_int8": AXES},
    "rounds": 10,
    "runs": 20,
    "turn_s": 10.0,
}
FEW = {**TINY, "space": {"onnx_static_int8": {"per_channel": (False, True)}}}


def _olive(model, work):
    shutil.rmtree(work, ignore_errors=True)
    command = [os.environ["OLIVE_PYTHON"], "run.py", str(model)]
    done = subprocess.run(
        command,
        cwd=os.environ["OLIVE_DIR"],
        env={**os.environ, "OLIVE_WORK": str(work)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(re.search(r"wall ([\d.]+) s", done.stdout)[1])


def _lab(model_id):
    spec = lab.make_spec(model_id, **(FEW if SMALLEST else SPEC))
    start = time.perf_counter()
    study = lab.wait(lab.start(spec))
    wall = time.perf_counter() - start
    trials = lab.trials(study.id)
    wanted = 3 if SMALLEST else 25
    assert [t.state for t in trials] == wanted * ["complete"], [t.error for t in trials]
    return wall


@pytest.mark.benchmark
@pytest.mark.skipif(
    any(name not in os.environ for name in NEEDED), reason="needs " + ", ".join(NEEDED)
)
def test_lab_over_olive(tmp_path, monkeypatch):
    lab_s, olive_s = [], []
    for n in range(2):
        monkeypatch.setenv("LAB_HOME", str(tmp_path / f"home{n}"))
        model = _onnx_file(tmp_path, os.environ["RESNET8_FILE"], os.environ["RESNET8_DATA"])
        lab.add_model(model, os.environ["RESNET8_DATA"], name="resnet8")
        lab_s.append(_lab("resnet8"))
        olive_s.append(_olive(model, tmp_path / "work"))
    print(
        f"\n24 static int8 variants: lab {min(lab_s):.1f} s, Olive {min(olive_s):.1f} s, ratio"
        f" {min(lab_s) / min(olive_s):.2f} (best of 2 each)"
    )
    assert SMALLEST or min(lab_s) <= min(olive_s)


@pytest.mark.benchmark
@pytest.mark.skipif(not SMALLEST, reason="only in the smallest form: needs no Olive")
def test_the_half_of_the_lab_runs(small_card):
    print(f"\n2 static int8 variants: lab {_lab(small_card.id):.1f} s")


def _onnx_file(folder, file, data):
    made = folder / "resnet8.onnx"
    if not made.exists():
        card = lab.add_model(file, data, name="resnet8_keras")
        spec = lab.make_spec(card.id, targets=["ort"], space={}, rounds=2, runs=3)
        study = lab.wait(lab.start(spec))
        shutil.copy(Path(lab.trials(study.id)[0].artifact.path), made)
    return made
