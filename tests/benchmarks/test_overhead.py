"""What the lab adds to bare library calls: wall(lab) / wall(flat script) of the same quick sweep,
both cold, in one run.
"""

import json
import os
import subprocess
import sys
import time

import pytest

import lab
from lab.store.data import data_folder

LIMIT = 1.5


def _wall(command, home):
    start = time.perf_counter()
    subprocess.run(
        command, check=True, env={**os.environ, "LAB_HOME": str(home)}, capture_output=True
    )
    return time.perf_counter() - start


@pytest.mark.benchmark
@pytest.mark.parametrize("model", ["digits_lenet", "langid_transformer"])
def test_lab_over_flat(model, tmp_path, monkeypatch):
    lab_s, flat_s = [], []
    for n in range(2):
        home, flat = tmp_path / f"lab{n}", tmp_path / f"flat{n}"
        monkeypatch.setenv("LAB_HOME", str(flat))
        data_folder(lab.model(model))
        flat_s.append(
            _wall(
                [
                    sys.executable,
                    "-m",
                    "tests.benchmarks.flat_sweep",
                    model,
                    str(tmp_path / "flat.json"),
                ],
                flat,
            )
        )
        lab_s.append(
            _wall(
                [sys.executable, "-m", "lab", "sweep", model, "--json", str(tmp_path / "lab.json")],
                home,
            )
        )
    ratio = min(lab_s) / min(flat_s)
    monkeypatch.setenv("LAB_HOME", str(home))
    _print_parts(
        model, min(lab_s), min(flat_s), ratio, json.loads((tmp_path / "flat.json").read_text())
    )
    assert ratio <= LIMIT


def _print_parts(model, lab_s, flat_s, ratio, flat):
    study = lab.studies()[0]
    jobs = lab.jobs(study.id)
    first, last = min(j["started_at"] for j in jobs), max(j["finished_at"] for j in jobs)
    sums = {
        kind: sum(j["finished_at"] - j["started_at"] for j in jobs if j["kind"] == kind)
        for kind in ("build", "evaluate", "measure")
    }
    busy = _union([(j["started_at"], j["finished_at"]) for j in jobs])
    print(f"\n{model}: lab {lab_s:.1f} s / flat {flat_s:.1f} s = {ratio:.2f}")
    print(
        f"  flat: {', '.join(f'{k} {v:.1f} s' for k, v in flat['parts_s'].items())}, the rest"
        f" (imports) {flat_s - sum(flat['parts_s'].values()):.1f} s"
    )
    print(
        f"  lab: {', '.join(f'{k} {v:.1f} s' for k, v in sums.items())} (overlapping); {busy:.1f} s"
        " with a job running,"
    )
    print(
        f"       {last - first - busy:.1f} s between jobs, {lab_s - (last - first):.1f} s before"
        " the first and after the last (start, data, report)"
    )


def _union(spans):
    total, end = 0.0, float("-inf")
    for a, b in sorted(spans):
        total += max(0.0, b - max(a, end))
        end = max(end, b)
    return total


@pytest.mark.benchmark
def test_cached_sweep(tmp_path):
    command = [
        sys.executable,
        "-m",
        "lab",
        "sweep",
        "digits_lenet",
        "--json",
        str(tmp_path / "o.json"),
    ]
    cold, again = _wall(command, tmp_path), min(_wall(command, tmp_path) for _ in range(3))
    print(f"\ncold {cold:.2f} s, again {again:.2f} s: {cold / again:.1f} times quicker")
    assert cold / again >= 20
