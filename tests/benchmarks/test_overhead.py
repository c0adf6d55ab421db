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
from tests.benchmarks.form import SMALLEST, TINY, spec_arguments

LIMIT = 1.5


def _wall(command, home):
    start = time.perf_counter()
    environment = {**os.environ, "LAB_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - start


def _flat(model, to, spec):
    return [sys.executable, "-m", "tests.benchmarks.flat_sweep", model, str(to), *spec]


def _sweep(model, to, spec=()):
    return [sys.executable, "-m", "lab", "sweep", model, "--json", str(to), *spec]


@pytest.mark.benchmark
@pytest.mark.parametrize("model", ["digits_lenet", "langid_transformer"])
def test_lab_over_flat(model, tmp_path, monkeypatch):
    lab_s, flat_s = [], []
    spec = spec_arguments(tmp_path, TINY if SMALLEST else {})
    for n in range(1 if SMALLEST else 2):
        home, flat = tmp_path / f"lab{n}", tmp_path / f"flat{n}"
        monkeypatch.setenv("LAB_HOME", str(flat))
        data_folder(lab.model(model))
        flat_s.append(_wall(_flat(model, tmp_path / "flat.json", spec[1:]), flat))
        lab_s.append(_wall(_sweep(model, tmp_path / "lab.json", spec), home))
    ratio = min(lab_s) / min(flat_s)
    monkeypatch.setenv("LAB_HOME", str(home))
    _print_parts(
        model, min(lab_s), min(flat_s), ratio, json.loads((tmp_path / "flat.json").read_text())
    )
    assert SMALLEST or ratio <= LIMIT


def test_the_flat_script_does_what_the_lab_does(small_card, lab_home, tmp_path):
    """Held by every run of the tests, so that the benchmark does not break unseen."""
    spec = spec_arguments(tmp_path, TINY)
    study = lab.sweep(small_card.id, **TINY)
    _wall(_flat(small_card.id, tmp_path / "flat.json", spec[1:]), lab_home)
    flat = json.loads((tmp_path / "flat.json").read_text())
    of_lab = {
        f"{t.name} {t.target.to_json()}": t.measurements["top1_accuracy"].value
        for t in lab.trials(study.id)
    }
    assert flat["accuracy"] == pytest.approx(of_lab)
    assert sum(flat["parts_s"].values()) < flat["wall_s"]


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
    spec = spec_arguments(tmp_path, TINY if SMALLEST else {})
    command = _sweep("digits_lenet", tmp_path / "o.json", spec)
    cold, again = _wall(command, tmp_path), min(_wall(command, tmp_path) for _ in range(3))
    print(f"\ncold {cold:.2f} s, again {again:.2f} s: {cold / again:.1f} times quicker")
    assert SMALLEST or cold / again >= 20
