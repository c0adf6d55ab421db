"""One file adds one thing: nothing else is touched, and it is everywhere at once."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import small
from tests.system import toy_format
from tests.system.checkout import ROOT, TAGGED, Checkout

pytestmark = pytest.mark.slow
LEVEL = (
    "Option(id='level', label='L', kind='int', default=1, low=0, high=9, help='H.', sweep={'quick':"
    " (1, 2)}),"
)
ALIAS = '''"""{what}, dropped in by a test."""
from dataclasses import replace
from lab.{folder}.{module} import {constant} as given
{constant} = replace(given, id="dropped", title="Dropped", {changes})
'''
METRIC = '''"""Dropped in by a test."""
import numpy as np
from lab.plugs import Metric
from lab.types import Measurement

def spread(outputs):
    """Standard deviation of the answers."""
    return Measurement("spread", float(np.std(outputs)), "1")

METRIC = Metric(id="spread", title="Spread", help="A number.", unit="1", direction="minimize", needs=("outputs",),
                compute=spread)
'''
DATASET = '''"""Dropped in by a test."""
import numpy as np
from lab.plugs import Dataset, Splits

def load():
    """Items around one point a class."""
    rng = np.random.default_rng(5)
    centres = np.random.default_rng(0).normal(size=(4, 64)).astype("float32")
    made = []
    for n in (40, 80):
        y = rng.integers(0, 4, n)
        made += [(centres[y] + 2 * rng.normal(size=(n, 64))).astype("float32"), y]
    return Splits(*made)

DATASET = Dataset(id="dropped", title="Dropped", task="classification", load=load, digest="{digest}",
                  class_names=tuple("abcd"), provenance="Made up by a test.", licence="MIT")
'''
TASK = '''"""Dropped in by a test."""
from lab.plugs import Task

def misfit(outputs, labels, inputs):
    """As many values as the truth has."""
    return "" if outputs.shape == labels.shape else f"{labels.shape}"

TASK = Task(id="dropped", title="Regression", help="Tells values.", primary="r2", agreement="r2", noun="R²",
            labels="values", predictions=lambda outputs, inputs: outputs, misfit=misfit)
'''
R2 = '''"""Dropped in by a test."""
from lab.plugs import Metric
from lab.types import Measurement

def r2(outputs, labels):
    """Coefficient of determination."""
    left = ((outputs - labels) ** 2).sum() / ((labels - labels.mean(axis=0)) ** 2).sum()
    return Measurement("r2", float(1 - left), "1", len(labels))

METRIC = Metric(id="r2", title="R²", help="Share of variance that is told.", unit="1", direction="maximize",
                needs=("outputs", "labels"), compute=r2, tasks=("dropped",))
'''
VALUES = """
    from tests import small
    w = small.centres()
    x = np.random.default_rng(5).normal(size=(120, 64)).astype("float32")
    y = x @ w.T - (w**2).sum(axis=1) / 2 + np.random.default_rng(6).normal(size=(120, 4))
    return Splits(x[:40], y[:40], x[40:], y[40:])
"""
MODEL = '''"""Dropped in by a test."""
from pathlib import Path
from lab.types import InputSpec, ModelCard

CARD = ModelCard(id="dropped", title="Dropped", task="classification", framework="ONNX", format="onnx",
                 path=str(Path(__file__).parent / "weights" / "dropped.onnx"), input=InputSpec((64,)),
                 dataset="dropped", class_names=tuple("abcd"), licence="MIT", provenance="A test.", description="L.",
                 parameters=260, macs=256)
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def digest(checkout: Checkout) -> str:
    code = "from lab.datasets.dropped import load; print(load().digest())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=checkout.root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def collected(checkout: Checkout) -> str:
    """The contract tests as pytest finds them in the copy."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/contract",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        command, cwd=checkout.root, capture_output=True, text=True, check=False
    ).stdout


def test_technique(checkout: Checkout) -> None:
    checkout.technique("dropped", TAGGED, LEVEL)
    checkout.add_small()
    listed = {t["id"]: t for t in checkout.json("techniques", "--json")}
    assert listed["dropped"]["options"][0]["sweep"] == {"quick": [1, 2]}
    _, result = checkout.sweep({})
    assert {"dropped_1", "dropped_2"} <= {
        t["name"] for t in result["trials"] if t["state"] == "complete"
    }
    assert "dropped" in collected(checkout)


def test_runtime(checkout: Checkout) -> None:
    text = ALIAS.format(
        what="A runtime", folder="runtimes", module="ort", constant="RUNTIME", changes=""
    )
    checkout.drop("lab/runtimes/dropped.py", text)
    checkout.add_small()
    assert "dropped" in {r["id"] for r in checkout.json("runtimes", "--json")}
    _, result = checkout.sweep(
        {"space": {}, "targets": [{"runtime": "dropped"}, {"runtime": "ort"}]}
    )
    assert {t["target"]["runtime"]: t["state"] for t in result["trials"]} == {
        "dropped": "complete",
        "ort": "complete",
    }
    assert "dropped" in collected(checkout)


def test_metric(checkout: Checkout) -> None:
    checkout.drop("lab/metrics/spread.py", METRIC)
    checkout.add_small()
    _, result = checkout.sweep({"space": {}})
    assert result["trials"][0]["measurements"]["spread"]["value"] > 0


def test_data_set_and_sample_model(checkout: Checkout) -> None:
    checkout.drop("lab/datasets/dropped.py", DATASET.format(digest=""))
    checkout.drop("lab/datasets/dropped.py", DATASET.format(digest=digest(checkout)))
    checkout.drop("sample_models/dropped.py", MODEL)
    (checkout.root / "sample_models" / "weights").mkdir(exist_ok=True)
    small.write_onnx(checkout.root / "sample_models" / "weights" / "dropped.onnx")
    assert "dropped" in {m["id"] for m in checkout.json("models", "--json")}
    spec = checkout.spec({"space": {"onnx_fp16": {}}})
    done = checkout.lab("sweep", "dropped", "--spec", spec, check=True)
    assert done.stdout.count("complete") == 3
    assert "[dropped]" in collected(checkout)


def test_task(checkout: Checkout) -> None:
    """Regression: a task, its metric, data whose truth is four values an item, and the model's
    accuracy axis is R².
    """
    checkout.drop("lab/tasks/dropped.py", TASK)
    checkout.drop("lab/metrics/r2.py", R2)
    head, _, rest = DATASET.partition('    """Items around one point a class."""\n')
    values = head + '    """Values."""' + VALUES + "\nDATASET" + rest.partition("\nDATASET")[2]
    values = values.replace('task="classification"', 'task="dropped"')
    checkout.drop("lab/datasets/dropped.py", values.format(digest=""))
    checkout.drop("lab/datasets/dropped.py", values.format(digest=digest(checkout)))
    checkout.drop(
        "sample_models/dropped.py", MODEL.replace('task="classification"', 'task="dropped"')
    )
    (checkout.root / "sample_models" / "weights").mkdir(exist_ok=True)
    small.write_onnx(checkout.root / "sample_models" / "weights" / "dropped.onnx")
    out = checkout.home.parent / "out.json"
    checkout.lab(
        "sweep",
        "dropped",
        "--spec",
        checkout.spec({"space": {"onnx_fp16": {}}}),
        "--json",
        str(out),
        check=True,
    )
    result = json.loads(out.read_text())
    assert result["study"]["spec"]["objectives"][0] == {"metric": "r2", "direction": "maximize"}
    found = [t["measurements"] for t in result["trials"]]
    assert all("top1_accuracy" not in m and 0.9 < m["r2"]["value"] < 1 for m in found)
    # and a model from disk
    values = {
        f"y_{split}": np.random.default_rng(1).normal(size=(200, 4))
        for split in ("calibration", "test")
    }
    data = small.write_data(checkout.home.parent / "values.npz", **values)
    model = str(small.write_onnx(checkout.home.parent / "small.onnx"))
    added = checkout.lab("add", model, "--data", str(data), "--task", "dropped", check=True)
    assert "small" in added.stdout
    assert set(
        next(m for m in checkout.json("models", "--json") if m["id"] == "small")["baseline"]
    ) == {"r2"}


def test_format(checkout: Checkout) -> None:
    """A format, a runtime for it and a conversion to it: three files, and no other is touched."""
    toy_format.drop(checkout)
    checkout.add_small()
    _, result = checkout.sweep({"space": {}, "targets": [{"runtime": "toy"}, {"runtime": "ort"}]})
    toy = next(t for t in result["trials"] if t["target"]["runtime"] == "toy")
    onnx = next(t for t in result["trials"] if t["target"]["runtime"] == "ort")
    assert toy["state"] == onnx["state"] == "complete", (toy["error"], onnx["error"])
    assert toy["artifact"]["format"] == "toy"
    assert toy["artifact"]["path"].endswith(".toy")
    accuracy = [t["measurements"]["top1_accuracy"]["value"] for t in (toy, onnx)]
    assert accuracy[0] == accuracy[1] > 0.5
    its_layers_and_bytes_are_shown(checkout, toy)
    its_export_says_how_it_is_loaded(checkout, toy)
    the_sweep_page_and_the_reference_know_it(checkout)
    a_model_is_added_as_such_a_file(checkout, toy["artifact"]["path"])


def its_layers_and_bytes_are_shown(checkout: Checkout, trial: dict[str, Any]) -> None:
    path = trial["artifact"]["path"]
    done = checkout.python("-m", "lab.formats.layers", path, "toy")
    (row,) = json.loads(done.communicate(timeout=60)[0])
    assert (row["type"], row["macs"]) == ("Linear", 256)
    study = trial["id"].rpartition("-")[0]
    code = (
        f"import lab; a = lab.anatomy({{t.id: t for t in lab.trials({study!r})}}[{trial['id']!r}]);"
        "print(a.parts['weights'], a.size_bytes)"
    )
    done = checkout.python("-c", code)
    assert done.communicate(timeout=60)[0].split() == ["1040", "1052"]


def its_export_says_how_it_is_loaded(checkout: Checkout, trial: dict[str, Any]) -> None:
    target = checkout.home.parent / "toy.zip"
    checkout.lab("export", trial["id"], "--to", str(target), check=True)
    folder = checkout.home.parent / "exported"
    with zipfile.ZipFile(target) as archive:
        archive.extractall(folder)
    readme = (folder / "README.md").read_text()
    lines = readme.partition("```python\n")[2].partition("```")[0]
    assert 'open("' in lines or "open('" in lines
    command = [sys.executable, "-c", lines]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def the_sweep_page_and_the_reference_know_it(checkout: Checkout) -> None:
    out, err = checkout.python("-c", toy_format.PAGE).communicate(timeout=240)
    assert out.splitlines()[-1:] == ["True"], err
    assert checkout.python("-m", "lab.reference").wait(timeout=120) == 0
    pages = checkout.root / "docs" / "reference"
    assert "| `toy` | One linear layer" in (pages / "formats.md").read_text()
    assert "Toy runtime" in (pages / "runtimes.md").read_text()
    assert "onnx_to_toy" in (pages / "techniques.md").read_text()


def a_model_is_added_as_such_a_file(checkout: Checkout, path: str) -> None:
    data = small.write_data(checkout.home.parent / "again.npz")
    done = checkout.lab("add", path, "--data", str(data), "--name", "toy_model", check=True)
    assert "added toy_model" in done.stdout


def test_two_files_of_one_id(checkout: Checkout) -> None:
    text = ALIAS.format(
        what="A runtime", folder="runtimes", module="ort", constant="RUNTIME", changes=""
    )
    checkout.drop("lab/runtimes/dropped.py", text)
    checkout.drop("lab/runtimes/dropped_too.py", text)
    done = checkout.lab("runtimes")
    assert done.returncode == 1
    assert "define the id 'dropped'" in done.stderr


def test_a_missing_package_greys_out(checkout: Checkout) -> None:
    """What needs it is listed with the line that brings it, and left out of every grid."""
    text = ALIAS.format(
        what="A technique",
        folder="techniques",
        module="onnx_fp16",
        constant="TECHNIQUE",
        changes='requires=("not-there",), name=lambda p: "dropped"',
    )
    checkout.drop("lab/techniques/dropped.py", text)
    checkout.add_small()
    assert "pip install not-there" in checkout.lab("techniques").stdout
    assert {t["id"]: t["missing"] for t in checkout.json("techniques", "--json")}[
        "dropped"
    ] == "not-there"
    _, whole = checkout.sweep({"targets": [{"runtime": "ort"}]})
    assert "dropped" not in {t["name"] for t in whole["trials"]}
    done, asked = checkout.sweep({"space": {"dropped": {}}})
    (failed,) = (t for t in asked["trials"] if t["name"] == "dropped")
    assert done.returncode == 0
    assert failed["error"]["type"] == "MissingPackage"
    assert "pip install not-there" in failed["error"]["message"]


def test_the_checkout_is_as_it_was() -> None:
    assert not [
        path
        for folder in ("lab", "sample_models")
        for path in (ROOT / folder).glob("**/dropped*.py")
    ]
