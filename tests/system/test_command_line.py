"""The whole lab through its command line, on the shipped model that is quickest to sweep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import lab
from tests.system.checkout import ROOT

pytestmark = pytest.mark.slow
INTERVALS = ("top1_accuracy", "latency_s", "peak_rss_bytes")
EXACT = ("size_bytes", "download_bytes", "update_bytes")


class Run(NamedTuple):
    status: int
    out: str
    err: str
    result: dict[str, Any]


def command(home: Path, *arguments: str, json_to: Path | None = None) -> Run:
    """`python -m lab …`, without an error that is not the lab's own."""
    environment = {**os.environ, "LAB_HOME": str(home)}
    environment.pop("LAB_DATABASE_URL", None)
    given = [*arguments, "--json", str(json_to)] if json_to else arguments
    done = subprocess.run(
        [sys.executable, "-m", "lab", *given],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert "Traceback" not in done.stderr, done.stderr
    result = json.loads(json_to.read_text()) if json_to and json_to.exists() else {}
    return Run(done.returncode, done.stdout, done.stderr, result)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def first(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The quick sweep in a fresh LAB_HOME."""
    return command(
        home, "sweep", "digits_lenet", json_to=tmp_path_factory.mktemp("out") / "first.json"
    )


@pytest.fixture(autouse=True)
def same_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(home))
    monkeypatch.delenv("LAB_DATABASE_URL", raising=False)


def artifacts(result: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(t["name"], t["target"]["runtime"]): t["artifact"]["sha256"] for t in result["trials"]}


def dominates(a: list[float], b: list[float]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(
        x < y for x, y in zip(a, b, strict=True)
    )


def costs(trial: dict[str, Any], objectives: list[dict[str, str]]) -> list[float]:
    signs = {"minimize": 1, "maximize": -1}
    return [signs[o["direction"]] * trial["measurements"][o["metric"]]["value"] for o in objectives]


def brute_force_front(result: dict[str, Any]) -> set[str]:
    objectives = result["study"]["spec"]["objectives"]
    points = {t["id"]: costs(t, objectives) for t in result["trials"] if t["state"] == "complete"}
    return {id_ for id_, p in points.items() if not any(dominates(q, p) for q in points.values())}


def test_the_quick_sweep_measures_everything(first: Run) -> None:
    trials = first.result["trials"]
    assert first.status == 0, first.err
    assert {t["state"] for t in trials} == {"complete"}
    assert len(trials) >= 12
    assert {t["target"]["runtime"] for t in trials} == {"ort", "litert"}
    for trial in trials:
        found = trial["measurements"]
        assert all(found[m]["value"] > 0 for m in (*EXACT, *INTERVALS))
        assert all(found[m]["low"] <= found[m]["value"] <= found[m]["high"] for m in INTERVALS)
        assert (
            found["size_bytes"]["value"]
            == trial["artifact"]["size_bytes"]
            == Path(trial["artifact"]["path"]).stat().st_size
        )
        assert found["latency_s"]["n"] > 0
        assert trial["environment"] in first.result["environments"]


def test_the_result_has_the_promised_form(first: Run) -> None:
    assert {"study", "environment", "trials", "front"} <= set(first.result)
    assert {"id", "model", "state", "spec"} <= set(first.result["study"])
    wanted = {"id", "recipe", "target", "state", "error", "artifact", "measurements"}
    assert all(wanted <= set(t) for t in first.result["trials"])
    assert all(
        set(t["artifact"]) == {"path", "format", "sha256", "size_bytes"}
        for t in first.result["trials"]
    )
    assert {"cpu", "os", "versions"} <= set(first.result["environment"])


def test_the_front_is_what_brute_force_finds(first: Run) -> None:
    assert set(first.result["front"]) == brute_force_front(first.result)


def test_nothing_else_of_the_lab_ran_while_it_measured(first: Run) -> None:
    jobs = lab.jobs(first.result["study"]["id"])
    measured = [j for j in jobs if j["kind"] == "measure"]
    assert len(measured) == 2
    for m in measured:
        others = (j for j in jobs if j["id"] != m["id"])
        assert not any(
            j["started_at"] < m["finished_at"] and m["started_at"] < j["finished_at"]
            for j in others
        )


def test_a_shared_prefix_is_built_once(first: Run) -> None:
    labels = [j["label"] for j in lab.jobs(first.result["study"]["id"]) if j["kind"] == "build"]
    assert labels.count("keras_to_onnx") == labels.count("keras_to_tflite") == 1


def test_again_costs_nothing(first: Run, home: Path, tmp_path: Path) -> None:
    before = len(lab.jobs())
    again = command(home, "sweep", "digits_lenet", json_to=tmp_path / "again.json")
    assert again.status == 0
    assert all(t["cached"] for t in again.result["trials"])
    assert len(lab.jobs()) == before
    assert artifacts(again.result) == artifacts(first.result)
    assert [t["measurements"] for t in again.result["trials"]] == [
        t["measurements"] for t in first.result["trials"]
    ]


def test_remeasure_measures_and_builds_nothing(first: Run, home: Path, tmp_path: Path) -> None:
    before = {j["id"] for j in lab.jobs()}
    again = command(home, "sweep", "digits_lenet", "--remeasure", json_to=tmp_path / "again.json")
    assert {j["kind"] for j in lab.jobs() if j["id"] not in before} == {"measure"}
    assert artifacts(again.result) == artifacts(first.result)
    assert not any(t["cached"] for t in again.result["trials"])
    numbers = [
        [t["measurements"]["latency_s"]["value"] for t in r.result["trials"]]
        for r in (first, again)
    ]
    assert numbers[0] != numbers[1]


def test_show(first: Run, home: Path, tmp_path: Path) -> None:
    shown = command(home, "show", first.result["study"]["id"], json_to=tmp_path / "shown.json")
    assert shown.result == first.result
    assert "static_wi8_ai8" in shown.out
    assert first.result["study"]["id"] in command(home, "studies").out


def test_json_to_standard_output_is_json_alone(first: Run, home: Path) -> None:
    assert (
        json.loads(command(home, "show", first.result["study"]["id"], "--json", "-").out)
        == first.result
    )


def test_every_trial_has_what_its_reasons_are_drawn_from(first: Run) -> None:
    for trial in lab.trials(first.result["study"]["id"]):
        profile, anatomy, timing = lab.profile(trial), lab.anatomy(trial), trial.details.timing
        assert profile is not None
        assert anatomy is not None
        assert sum(anatomy.parts.values()) == trial.measurements["size_bytes"].value
        assert len(timing["rounds"]) == len(timing["medians_s"]) >= 2
        assert trial.details.correct["n"] == trial.measurements["top1_accuracy"].n
        assert {"before", "after"} == set(lab.measuring_conditions(trial))
        assert {t["round"] for t in lab.latency_samples(trial)} >= set(timing["rounds"])


def test_variants_are_set_against_float_and_explained(first: Run) -> None:
    for trial in first.result["trials"]:
        if trial["baseline"]:
            continue
        found = trial["differences"]
        assert found["top1_accuracy"]["test"] == "paired items"
        assert found["top1_accuracy"]["value"] == pytest.approx(
            trial["measurements"]["accuracy_change"]["value"]
        )
        assert (
            found["latency_s"]["low"] <= found["latency_s"]["value"] <= found["latency_s"]["high"]
        )
        assert found["latency_s"]["adjusted_p"] >= found["latency_s"]["p"]
        assert all(e["text"] and e["remedy"] for e in trial["explanations"])
    assert first.result["measuring_s"] > 0
    assert set(first.result["ties"]) <= {t["id"] for t in first.result["trials"]} - set(
        first.result["front"]
    )


def test_compare(first: Run, home: Path, tmp_path: Path) -> None:
    a, b = first.result["trials"][1]["id"], first.result["trials"][2]["id"]
    shown = command(home, "compare", a, b, json_to=tmp_path / "compare.json")
    assert (shown.result["trial"], shown.result["other"]) == (a, b)
    assert {"top1_accuracy", "latency_s"} == set(shown.result["differences"])
    assert "item by item (McNemar)" in shown.out
    assert "round by round (Wilcoxon)" in shown.out
    float_ = command(home, "compare", a, json_to=tmp_path / "float.json").result["other"]
    assert next(t for t in first.result["trials"] if t["id"] == float_)["baseline"]
    assert command(home, "compare", "none-0000").status != 0


def test_profile(first: Run, home: Path, tmp_path: Path) -> None:
    trial = next(
        t for t in first.result["trials"] if t["target"]["runtime"] == "ort" and not t["baseline"]
    )
    shown = command(home, "profile", trial["id"], json_to=tmp_path / "profile.json")
    assert shown.result["anatomy"]["size_bytes"] == trial["artifact"]["size_bytes"]
    assert shown.result["profile"]["operators"]
    assert sum(shown.result["profile"]["kinds_s"].values()) == pytest.approx(
        shown.result["profile"]["operators_s"]
    )
    assert all(line["operator"] in shown.out for line in shown.result["profile"]["operators"])


def test_export_of_tables(first: Run, home: Path, tmp_path: Path) -> None:
    import pandas as pd

    study = first.result["study"]["id"]
    for form, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        assert command(home, "export", study, "--to", str(tmp_path / f"x{form}")).status == 0
        table = read(tmp_path / f"x{form}")
        assert list(table["name"]) == [t["name"] for t in first.result["trials"]]
        latencies = [t["measurements"]["latency_s"]["value"] for t in first.result["trials"]]
        assert table["latency_s"].tolist() == pytest.approx(latencies)
    assert command(home, "export", study, "--to", str(tmp_path / "x.json")).status == 0
    assert json.loads((tmp_path / "x.json").read_text()) == first.result


def test_export_for_people(first: Run, home: Path, tmp_path: Path) -> None:
    study, trial = first.result["study"]["id"], first.result["trials"][3]
    for name, holds in (("x.html", "Recipes of the front"), ("x.ipynb", '"nbformat": 4')):
        assert command(home, "export", study, "--to", str(tmp_path / name)).status == 0
        assert holds in (tmp_path / name).read_text()
    assert command(home, "export", trial["id"], "--to", str(tmp_path / "x.zip")).status == 0
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert trial["artifact"]["sha256"] in archive.read("README.md").decode()
    assert command(home, "export", study, "--to", str(tmp_path / "x.zip")).status == 2


def test_a_study_travels_without_its_models(first: Run, home: Path, tmp_path: Path) -> None:
    study, other = first.result["study"]["id"], tmp_path / "other"
    assert (
        command(home, "export", study, "--to", str(tmp_path / "x.lab"), "--without-models").status
        == 0
    )
    assert command(other, "import", str(tmp_path / "x.lab")).out.strip() == study
    there = command(other, "show", study, json_to=tmp_path / "there.json").result
    assert there["front"] == first.result["front"]
    assert {t["artifact"]["path"] for t in there["trials"]} == {""}
    assert [t["explanations"] for t in there["trials"]] == [
        t["explanations"] for t in first.result["trials"]
    ]


def test_a_study_travels_to_an_empty_lab(first: Run, home: Path, tmp_path: Path) -> None:
    study, file, other = first.result["study"]["id"], tmp_path / "x.lab", tmp_path / "other"
    assert command(home, "export", study, "--to", str(file)).status == 0
    assert str(home).encode() not in file.read_bytes()
    assert command(other, "import", str(file)).out.strip() == study
    assert command(other, "import", str(file)).status == 0
    there = command(other, "show", study, json_to=tmp_path / "there.json").result
    assert there["front"] == first.result["front"]
    assert artifacts(there) == artifacts(first.result)
    assert all(Path(t["artifact"]["path"]).is_relative_to(other) for t in there["trials"])
    assert [t["measurements"] for t in there["trials"]] == [
        t["measurements"] for t in first.result["trials"]
    ]
    assert there["environments"] == first.result["environments"]


def test_the_command_that_reproduces_a_trial_does(first: Run, home: Path, tmp_path: Path) -> None:
    trial = next(
        t
        for t in lab.trials(first.result["study"]["id"])
        if t.name == "static_wi8_ai8_s8s8_per_channel"
    )
    line = lab.reproduce(trial)["cli"].replace(
        "python -m lab sweep", f"{sys.executable} -m lab sweep --json {tmp_path}/x.json"
    )
    subprocess.run(
        ["bash", "-c", line],
        cwd=ROOT,
        env={**os.environ, "LAB_HOME": str(tmp_path / "fresh")},
        check=True,
    )
    rows = {t["name"]: t for t in json.loads((tmp_path / "x.json").read_text())["trials"]}
    assert set(rows) == {"float32", trial.name}
    assert trial.artifact is not None
    assert rows[trial.name]["artifact"]["sha256"] == trial.artifact.sha256


def test_the_lines_of_python_that_reproduce_a_trial_do(first: Run) -> None:
    """In the same lab all of it is cached, so that only the lines themselves are tried."""
    trial = next(t for t in lab.trials(first.result["study"]["id"]) if t.name == "fp16")
    done = subprocess.run(
        [sys.executable, "-c", lab.reproduce(trial)["python"]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "fp16" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("sweep", "digits_lnet"), "Did you mean 'digits_lenet'?"),
        (("sweep", "digits_lenet", "--preset", "quik"), "Did you mean 'quick'?"),
        (("sweep", "digits_lenet", "--target", "litrt"), "Did you mean 'litert'?"),
        (("sweep", "digits_lenet", "--target", "ort:threads=0"), "int from 1 to 64"),
        (("sweep", "digits_lenet", "--target", "ort:speed=9"), "no such option"),
        (("sweep", "digits_lenet", "--spec", "not-there.json"), "The spec could not be read"),
        (("sweep", "digits_lenet", "--json", "/not/there/x.json"), "cannot be written"),
        (("show", "0123456789ab"), "There is no study with that id"),
        (("resume", "0123456789ab"), "There is no study with that id"),
        (("cancel", "0123456789ab"), "There is no study with that id"),
        (("export", "0123456789ab", "--to", "x.xls"), ".csv, .parquet, .json, .lab"),
        (("import", "not-there.lab"), "not a readable .lab file"),
        (("add", "not-there.onnx", "--data", "not-there.npz"), "There is no model file here"),
        (("sweep",), "required"),
        (("swep",), "invalid choice"),
    ],
)
def test_bad_usage_ends_with_status_2_and_one_message(
    home: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = command(home, *arguments)
    assert done.status == 2
    assert says in done.err


@pytest.mark.parametrize("name", ["models", "techniques", "runtimes"])
def test_lists(home: Path, name: str) -> None:
    values, table = json.loads(command(home, name, "--json").out), command(home, name).out
    assert all(v["id"] in table for v in values)
