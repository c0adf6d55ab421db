"""Explanations of a study from what its store holds, against what the rules say of the same
evidence.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import lab
from lab import cli
from lab.errors import UnknownId
from lab.evidence import Anatomy, Finding, OperatorFacts, OperatorTime, Profile, Roofline
from lab.questions.reasons import explain_all, not_faster, not_smaller, summary
from lab.store import records
from lab.types import (
    Artifact,
    InputSpec,
    Measurement,
    ModelCard,
    Recipe,
    Step,
    Study,
    StudySpec,
    Target,
    Trial,
    TrialDetails,
    digest_of,
)

CARD = ModelCard("m", "M", "classification", "none", "onnx", "m.onnx", InputSpec((3,)), "none")
FLOAT = (
    OperatorFacts("a", "Conv", "compute", "float32", "float32", 900, 3600, macs=900),
    OperatorFacts("b", "Gemm", "compute", "float32", "float32", 100, 400, macs=100),
)
MIXED = (FLOAT[0], replace(FLOAT[1], precision="int8", weight_dtype="int8", weight_bytes=100))
TIMES = Profile(
    (
        OperatorTime("Conv", "a", 8e-4, kind="compute", precision="float32"),
        OperatorTime("QGemm", "b", 2e-4, kind="compute", precision="int8"),
    ),
    10,
    1e-3,
)


def measured(ms: float) -> dict[str, Measurement]:
    return {
        "latency_s": Measurement("latency_s", ms / 1e3, "s", 10, ms / 1e3 - 1e-5, ms / 1e3 + 1e-5)
    }


def trial(
    number: int,
    ms: float,
    size: int,
    details: dict[str, Any],
    technique: str = "",
    threads: int = 1,
) -> Trial:
    steps = (Step(technique),) if technique else ()
    return Trial(
        f"s-{number:04d}",
        "s",
        number,
        technique or "float32",
        Recipe(steps),
        Target("ort", {"threads": threads}),
        "complete",
        is_baseline=not technique,
        artifact=Artifact("f", "onnx", f"{number:064d}", size),
        measurements=measured(ms),
        environment=ENVIRONMENT,
        details=TrialDetails.from_json(details),
    )


MACHINE = {"cpu": "a CPU", "features": ["avx512_vnni"], "cores": 2}
ENVIRONMENT = digest_of(MACHINE)[:16]


@pytest.fixture
def keep(lab_home: Path) -> Callable[[Any], dict[str, Any]]:
    """Writes evidence where an engine keeps it; gives what it notes on the trial."""
    from lab.store.blobs import keep as keep_file

    def write(value: Any) -> dict[str, Any]:
        file = lab_home / "evidence.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(value)))
        return keep_file(file, "json").to_json()

    return write


@pytest.fixture
def study(keep: Callable[[Any], dict[str, Any]]) -> str:
    """A float baseline, a trial with most of it left in float, one with nothing known of it, and a
    failed one.
    """
    baseline = {"anatomy": keep(Anatomy("onnx", 4100, {"weights": 4000, "structure": 100}, FLOAT))}
    mixed = {
        "anatomy": keep(Anatomy("onnx", 3900, {"weights": 3700, "structure": 200}, MIXED)),
        "profile": keep(TIMES),
    }
    records.keep_environment(MACHINE)
    trials = [
        trial(0, 1.0, 4100, baseline),
        trial(1, 1.0, 3900, mixed, "onnx_dynamic_int8"),
        trial(2, 0.5, 1000, {}, "onnx_static_int8"),
        replace(trial(3, 1.0, 4000, {}, "onnx_fp16"), state="failed"),
        trial(4, 2.0, 4100, {}, "onnx_fuse"),
    ]
    records.add_study(Study("s", "m", "complete", StudySpec("m")), CARD, trials)
    return "s"


def test_findings_come_from_the_files_of_the_store(study: str) -> None:
    found = lab.explanations(study)
    assert list(found) == [f"s-{n:04d}" for n in range(5)]
    rules = {f.rule: f for f in found["s-0001"]}
    assert rules["float_operators"].share == pytest.approx(0.8)
    assert rules["float_weights"].share == pytest.approx(3600 / 3900)
    assert "within_noise" in rules
    assert [f.share for f in found["s-0001"]] == sorted(
        (f.share for f in found["s-0001"]), reverse=True
    )
    assert found["s-0000"] == found["s-0002"] == found["s-0003"] == ()
    assert lab.explain("s-0001") == found["s-0001"]


def test_the_roofline_is_the_one_of_the_machine_and_the_threads(study: str) -> None:
    assert "integer_peak" not in {f.rule for f in lab.explain("s-0001")}
    slow = Roofline(1, {"float32": 1e11, "int8": 1.2e11}, {1000: 1e10})
    for threads in (2, 1):
        key = digest_of(["roofline", ENVIRONMENT, threads])
        records.remember_result(
            key,
            "roofline",
            {
                "roofline": asdict(
                    replace(slow, flops={**slow.flops, "int8": 1e11 * (3 - 1.8 * (threads == 1))})
                )
            },
            1.0,
        )
    found = next(f for f in lab.explain("s-0001") if f.rule == "integer_peak")
    assert found.evidence["ratio"] == pytest.approx(1.2)


def test_evidence_that_cannot_be_read_tells_nothing(study: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"format": "onnx"}')
    trials = [
        replace(
            t,
            details=TrialDetails(
                anatomy=Artifact(str(broken), "json", "0" * 64, 1),
                profile=Artifact("gone", "json", "0" * 64, 1),
            ),
        )
        for t in lab.trials(study)
    ]
    assert {f.rule for f in explain_all(trials)["s-0001"]} == {"within_noise"}


def test_a_baseline_is_compared_with_fewer_threads_only(study: str) -> None:
    trials = [*lab.trials(study), trial(5, 1.0, 4100, {}, threads=2)]
    assert [f.rule for f in explain_all(trials)["s-0005"]] == ["threads_without_effect"]


def test_summary_counts_rules_and_lists_what_is_unexplained(study: str) -> None:
    trials, found = lab.trials(study), lab.explanations(study)
    told = summary(trials, found)
    assert told["rules"]["float_operators"] == 1
    assert set(told["rules"]) == set(lab.registry.rules())
    assert (told["not_faster"], told["not_smaller"]) == (2, 2)
    assert told["unexplained"] == [
        {"trial": "s-0004", "name": "onnx_fuse", "about": about} for about in ("speed", "size")
    ]


def test_not_faster_is_slower_or_overlapping() -> None:
    baseline = trial(0, 1.0, 1000, {})
    assert not_faster(trial(1, 1.1, 900, {}, "x"), baseline)
    assert not_faster(trial(1, 0.985, 900, {}, "x"), baseline)
    assert not not_faster(trial(1, 0.9, 900, {}, "x"), baseline)
    assert not not_faster(trial(1, 1.1, 900, {}, "x"), None)
    assert not_smaller(trial(1, 1, 960, {}, "x"), baseline)
    assert not not_smaller(trial(1, 1, 940, {}, "x"), baseline)


def test_unknown_ids(study: str) -> None:
    with pytest.raises(UnknownId):
        lab.explanations("none")
    with pytest.raises(UnknownId):
        lab.explain("s-0099")


def test_results_as_json_hold_the_findings(study: str) -> None:
    written = {t["id"]: t["explanations"] for t in lab.result_json(study)["trials"]}
    assert {
        id_: [Finding(**f) for f in found] for id_, found in json.loads(json.dumps(written)).items()
    } == {id_: list(found) for id_, found in lab.explanations(study).items()}


def test_the_command_tells_of_a_study_and_of_a_trial(
    study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["explain", study, "--json", str(tmp_path / "study.json")])
    assert "unexplained: s-0004" in capsys.readouterr().out
    assert json.loads((tmp_path / "study.json").read_text())["not_faster"] == 2
    cli.main(["explain", "s-0001", "--json", str(tmp_path / "trial.json")])
    assert "80 % of the time" in capsys.readouterr().out
    found = json.loads((tmp_path / "trial.json").read_text())["explanations"]
    assert found == [asdict(f) for f in lab.explain("s-0001")]
