"""Whether a measured latency can be trusted: false alarms, known slow-downs, a burner beside it,
and other people's tools.

Each figure is printed. Run on a machine that does nothing else, and stays at it: `pytest -m
benchmark -s tests/benchmarks/test_trust.py`.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab.engine import keys
from lab.engine.measuring import measure
from lab.engine.pools import discard
from lab.measure.messages import MeasuredVariants, MeasureVariantsRequest, VariantTimings
from lab.measure.quality import clean_rounds, flags_of, timing_of
from lab.measure.rounds import Protocol
from lab.spec.recipes import complete_target
from lab.statistics import paired_ratio
from lab.types import Target
from tests.benchmarks.form import SMALLEST, TINY

pytestmark = pytest.mark.benchmark

REPETITIONS = int(os.environ.get("TRUST_REPETITIONS", "2" if SMALLEST else "40"))
NODES = 100
KNOWN = {"same": 0, "slower3": 3, "slower5": 5, "slower10": 10}
"""Variant -> nodes added to NODES equal ones: that many percent of the arithmetic."""
SHORT = {"rounds": 2, "runs": 5, "budget_s": 0.1} if SMALLEST else {}
POWER = {"slower3": 0.80, "slower5": 0.95, "slower10": 0.99}
BURNER = "while True: pass"


def chain(path: Path, nodes: int) -> Path:
    """An ONNX file of so many equal products: a vector times a matrix that keeps its length."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng, width = np.random.default_rng(0), 128
    weights = [
        np.linalg.qr(rng.normal(size=(width, width)))[0].astype(np.float32) for _ in range(nodes)
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(nodes)],
        "chain",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, [1, width])],
        [helper.make_tensor_value_info(f"x{nodes}", TensorProto.FLOAT, [1, width])],
        [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path
    )
    return path


def session(
    runtime: str, files: Mapping[str, Path], item: Path, seed: int, **options: Any
) -> dict[str, Any]:
    """Everything the measuring process tells of some files, at the default budget."""
    target, spec = complete_target(Target(runtime, options)), lab.make_spec("digits_lenet", **SHORT)
    protocol = {
        **{name: getattr(spec, name) for name in keys.PROTOCOL},
        "threads": target.options["threads"],
        "seed": seed,
    }
    request = MeasureVariantsRequest(
        runtime,
        dict(target.options),
        str(item),
        {n: str(p) for n, p in files.items()},
        Protocol(**protocol),
        cold_repeats=1,
    )
    finished = measure(request, 600.0, lambda: False)
    discard(finished)
    assert isinstance(finished.result, MeasuredVariants), finished.result
    return dict(finished.result.variants)


def ratio(variants: Mapping[str, VariantTimings], name: str, base: str) -> Any:
    """Paired as the lab pairs two trials."""
    mine, theirs = (timing_of(variants[n].turns, "s") for n in (name, base))
    both = dict(zip(theirs["rounds"], theirs["medians_s"], strict=True))
    pairs = [
        (both[r], m) for r, m in zip(mine["rounds"], mine["medians_s"], strict=True) if r in both
    ]
    return paired_ratio([a for a, _ in pairs], [b for _, b in pairs])


def median_of(variant: VariantTimings) -> float:
    return float(np.median(np.concatenate(list(clean_rounds(variant.turns).values()))))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    before = os.environ.get("LAB_HOME")
    os.environ["LAB_HOME"] = str(folder)
    yield folder
    if before is None:
        os.environ.pop("LAB_HOME")
    else:
        os.environ["LAB_HOME"] = before


@pytest.fixture(scope="module")
def files(home: Path) -> dict[str, Path]:
    return {"base": chain(home / "base.onnx", NODES)} | {
        n: chain(home / f"{n}.onnx", NODES + k) for n, k in KNOWN.items()
    }


@pytest.fixture(scope="module")
def item(home: Path) -> Path:
    np.save(home / "item.npy", np.random.default_rng(1).normal(size=(1, 128)).astype(np.float32))
    return home / "item.npy"


@pytest.fixture(scope="module")
def real(home: Path) -> dict[str, Path]:
    """A float file of a real network for each runtime, and one item."""
    study = lab.sweep(
        "signs_resnet8", space={}, targets=["ort", "litert", "openvino"], rounds=2, test_samples=8
    )
    found = {
        t.target.runtime: Path(str(t.artifact and t.artifact.path)) for t in lab.trials(study.id)
    }
    return {**found, "item": next((home / "data").glob("*/item-*.npy"))}


def test_the_same_file_twice_and_known_slow_downs(files: dict[str, Path], item: Path) -> None:
    """One session in which five variants take turns is one repetition of A/A and of three A/B
    tests.
    """
    alarms, found, start = dict.fromkeys(KNOWN, 0), {n: [] for n in KNOWN}, time.monotonic()
    for seed in range(REPETITIONS):
        variants = session("ort", files, item, seed)
        for name in KNOWN:
            paired = ratio(variants, name, "base")
            alarms[name] += paired.differs
            found[name].append(paired.value)
    print(
        f"\nA/B over {REPETITIONS} repetitions, {(time.monotonic() - start) / REPETITIONS:.1f} s"
        " for five variants"
    )
    for name, extra in KNOWN.items():
        print(
            f"  {extra:2d} % slower: distinguished in {alarms[name]} of {REPETITIONS}; median ratio"
            f" {statistics.median(found[name]):.4f}"
        )
    if SMALLEST:
        return
    assert alarms["same"] <= max(2, 0.05 * REPETITIONS)
    assert all(alarms[name] >= power * REPETITIONS for name, power in POWER.items())


@pytest.mark.parametrize("runtime", ["litert", "openvino", "ort"])
def test_the_same_real_file_twice(runtime: str, real: dict[str, Path], tmp_path: Path) -> None:
    copies = {}
    for name in ("base", "same"):
        copies[name] = tmp_path / f"{name}{real[runtime].suffix}"
        copies[name].write_bytes(real[runtime].read_bytes())
    alarms = sum(
        ratio(session(runtime, copies, real["item"], seed), "same", "base").differs
        for seed in range(REPETITIONS)
    )
    print(
        f"\nA/A of signs_resnet8 in {runtime}: {alarms} of {REPETITIONS} repetitions call a"
        " difference"
    )
    # 40 fair coins of 5 % show more than 4 in one case of twenty
    assert SMALLEST or alarms <= max(4, 0.05 * REPETITIONS)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("burners", [1, 2])
def test_a_burner_is_flagged_or_repaired(threads: int, burners: int, real: dict[str, Path]) -> None:
    """Contended measurements are within 10 % of the idle value, or say that they are not to be
    trusted.
    """
    calm = statistics.median(
        median_of(session("ort", {"a": real["ort"]}, real["item"], s, threads=threads)["a"])
        for s in range(1 if SMALLEST else 5)
    )
    good, repetitions = 0, REPETITIONS // 2
    for seed in range(repetitions):
        processes = [subprocess.Popen([sys.executable, "-c", BURNER]) for _ in range(burners)]
        try:
            variant = session("ort", {"a": real["ort"]}, real["item"], seed, threads=threads)["a"]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        near = abs(median_of(variant) / calm - 1) <= 0.1
        good += near or "contended" in flags_of(variant.turns, 0.02)
    print(
        f"\n{threads} threads beside {burners} burners: {good} of {repetitions} flagged or within"
        f" 10 % of {1e3 * calm:.3f} ms"
    )
    assert SMALLEST or good >= 0.95 * repetitions


BARE = {
    "ort": (
        """
import onnxruntime as ort
o = ort.SessionOptions(); o.intra_op_num_threads = o.inter_op_num_threads = 1
s = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
feed = {s.get_inputs()[0].name: x}
call = lambda: s.run(None, feed)
"""
    ),
    "litert": (
        """
from ai_edge_litert.interpreter import Interpreter
i = Interpreter(model_path=path, num_threads=1); i.allocate_tensors()
a, b = i.get_input_details()[0]["index"], i.get_output_details()[0]["index"]
x = x.reshape(i.get_input_details()[0]["shape"])
def call():
    i.set_tensor(a, x); i.invoke(); return i.get_tensor(b)
"""
    ),
}
LOOP = """
import sys, time, numpy as np
path, x = sys.argv[1], np.load(sys.argv[2])
{open}
for _ in range(20): call()
times, end = [], time.perf_counter() + 1.5
while time.perf_counter() < end:
    start = time.perf_counter(); call(); times.append(time.perf_counter() - start)
print(np.median(times))
"""


def bare_s(runtime: str, path: Path, item: Path) -> float:
    command = [sys.executable, "-c", LOOP.format(open=BARE[runtime]), str(path), str(item)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return float(done.stdout.split()[-1])


def benchmark_app_s(path: Path, folder: Path) -> float:
    """Median latency as OpenVINO's own tool tells it, at the lab's settings."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    command = [
        str(Path(sys.executable).with_name("benchmark_app")),
        "-m",
        str(folder / "model.xml"),
        "-d",
        "CPU",
        "-api",
        "sync",
        "-hint",
        "none",
        "-nstreams",
        "1",
        "-nthreads",
        "1",
        "-t",
        "2",
        "-infer_precision",
        "f32",
        "-shape",
        "[1,3,32,32]",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    number, unit = re.search(r"Median:\s+([\d.]+) (us|ms)", done.stdout).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1e-6, "ms": 1e-3}[unit]


@pytest.mark.parametrize("runtime", ["ort", "litert", "openvino"])
def test_the_lab_measures_what_others_measure(
    runtime: str, real: dict[str, Path], tmp_path: Path
) -> None:
    """In turns, since the machine's speed drifts: the median of the ratios."""
    ratios = []
    for seed in range(1 if SMALLEST else 9):
        others = (
            benchmark_app_s(real[runtime], tmp_path)
            if runtime == "openvino"
            else bare_s(runtime, real[runtime], real["item"])
        )
        mine = median_of(session(runtime, {"a": real[runtime]}, real["item"], seed)["a"])
        ratios.append(mine / others)
    tool = "benchmark_app" if runtime == "openvino" else "a bare loop"
    print(
        f"\n{runtime}: lab over {tool} {statistics.median(ratios):.3f} ({min(ratios):.3f} to"
        f" {max(ratios):.3f})"
    )
    assert SMALLEST or abs(statistics.median(ratios) - 1) <= 0.05


def test_thirty_variants_on_two_targets_take_less_than_four_minutes(home: Path) -> None:
    if SMALLEST:
        study = lab.sweep("signs_resnet8", **TINY)
    else:
        study = lab.sweep("signs_resnet8", "full", targets=["ort", "litert"], test_samples=64)
    counts: dict[str, int] = {}
    for trial in lab.trials(study.id):
        if trial.state == "complete":
            counts[trial.target.runtime] = counts.get(trial.target.runtime, 0) + 1
    seconds, n = lab.measuring_seconds(study.id), sum(counts.values())
    print(
        f"\nmeasuring {json.dumps(counts)}: {seconds:.0f} s, {60 * seconds / n:.0f} s for 30"
        " variants on 2 targets"
    )
    assert SMALLEST or 60 * seconds / n < 240
