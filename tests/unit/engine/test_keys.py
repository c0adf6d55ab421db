"""Equal keys, equal results: what makes a key differ, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab import registry
from lab.engine import keys
from lab.measure import environment
from lab.spec.recipes import complete_step, complete_target
from lab.types import InputSpec, ModelCard, Step, StudySpec, Target

CARD = ModelCard("m", "M", "classification", "f", "onnx", "m.onnx", InputSpec((4,)), "d")
SPEC = StudySpec("m", metrics=("size_bytes", "top1_accuracy"))
ONE, TWO = (complete_target(Target("ort", {"threads": n})) for n in (1, 2))
STATIC, FP16 = complete_step(Step("onnx_static_int8")), complete_step(Step("onnx_fp16"))


def evaluation(
    target: Target = ONE, spec: StudySpec = SPEC, card: ModelCard = CARD, **changed: str
) -> str:
    given = {"artifact": "s", "baseline": "b", "data": "d", "environment": "e", **changed}
    return keys.evaluate_key(target=target, card=card, spec=spec, **given)


def measurement(target: Target = ONE, spec: StudySpec = SPEC, **changed: str) -> str:
    return keys.measure_key(
        target=target, spec=spec, **{"artifact": "s", "data": "d", "environment": "e", **changed}
    )


def test_options_that_change_only_speed_share_an_evaluation_and_no_measurement() -> None:
    assert evaluation(ONE) == evaluation(TWO)
    assert measurement(ONE) != measurement(TWO)


def test_an_evaluation_depends_on_all_that_changes_it() -> None:
    others = [
        evaluation(**{name: "other"}) for name in ("artifact", "baseline", "data", "environment")
    ]
    others.append(evaluation(spec=replace(SPEC, test_samples=5)))
    others.append(evaluation(spec=replace(SPEC, metrics=("size_bytes",))))
    others.append(evaluation(card=replace(CARD, input=InputSpec((4,), scale=2.0))))
    assert len({evaluation(), *others}) == len(others) + 1


def test_an_evaluation_depends_on_the_machines_that_it_is_emulated_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A study about layers asks for none."""
    about, real = replace(SPEC, about={"kind": "sensitivity"}), registry.processors()
    before = evaluation(), evaluation(spec=about)
    machine = replace(real["x86_without_vnni"], version=99)
    monkeypatch.setattr(registry, "processors", lambda: {**real, machine.id: machine})
    assert len({*before, evaluation()}) == 3
    assert evaluation(spec=about) == before[1]


def test_a_batch_is_measured_and_changes_no_evaluation() -> None:
    old, eight = (
        Target("ort", {k: v for k, v in ONE.options.items() if k != "batch"}),
        complete_target(Target("ort", {"batch": 8})),
    )
    assert evaluation(old) == evaluation(ONE) == evaluation(eight)
    assert measurement(eight) != measurement(ONE)


def test_a_measurement_depends_on_its_protocol() -> None:
    specs = [
        replace(SPEC, rounds=3),
        replace(SPEC, runs=3),
        replace(SPEC, turn_s=1.0),
        replace(SPEC, seed=9),
    ]
    others = [measurement(spec=s) for s in specs] + [
        measurement(environment="other"),
        measurement(artifact="other"),
    ]
    assert len({measurement(), *others}) == len(others) + 1


def test_the_order_of_metrics_and_the_rest_of_a_spec_do_not_matter() -> None:
    turned = replace(SPEC, metrics=SPEC.metrics[::-1], preset="full", space={"t": {}})
    assert evaluation(spec=turned) == evaluation()
    assert measurement(spec=turned) == measurement()


def test_only_calibrated_chains_depend_on_the_data() -> None:
    assert keys.step_key("s", [FP16], CARD, "one") == keys.step_key("s", [FP16], CARD, "two")
    assert keys.step_key("s", [STATIC], CARD, "one") != keys.step_key("s", [STATIC], CARD, "two")
    assert keys.step_key("s", [STATIC, FP16], CARD, "one") != keys.step_key(
        "s", [STATIC, FP16], CARD, "two"
    )


def test_a_step_depends_on_its_source_and_on_all_before_it() -> None:
    chains = [
        ("s", [FP16]),
        ("t", [FP16]),
        ("s", [FP16, FP16]),
        ("s", [STATIC, FP16]),
        ("s", [FP16, STATIC]),
    ]
    assert len({keys.step_key(source, chain, CARD, "d") for source, chain in chains}) == len(chains)


def test_a_step_depends_on_the_versions_of_what_its_technique_requires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of nothing else that is installed: another quantizer's upgrade rebuilds no file."""

    def key(step: Step, **upgraded: str) -> str:
        installed = {**environment._installed(), **upgraded}
        with monkeypatch.context() as patch:
            patch.setattr(environment, "_installed", lambda: installed)
            return keys.step_key("s", (step,), CARD, "d")

    assert key(STATIC) == key(STATIC)
    assert key(STATIC, onnxruntime="99.0") != key(STATIC)
    assert key(STATIC, nncf="99.0") == key(STATIC)
    assert key(FP16, onnx="99.0") != key(FP16)
