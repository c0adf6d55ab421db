"""Every rule on a real file that it applies to, and on one that it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from lab import registry
from lab.evidence import Finding, Roofline
from lab.plugs import Case, Setting
from lab.types import TrialDetails
from tests.explained import OLD, ROOFLINE, VNNI, Bench, case, latency, trial

Builder = Callable[[Bench], Case]


def made(
    technique: str,
    of: str = "onnx",
    runtime: str = "ort",
    ms: float = 2.0,
    was_ms: float = 1.0,
    options: dict[str, Any] | None = None,
    spread: float = 0.01,
    more: dict[str, Any] | None = None,
    **params: Any,
) -> Builder:
    """A trial of what a technique makes of a float file, against that file.

    Args:
        ms, was_ms: latencies of both; spread: half the width of their intervals.
        options: of the target; more: of the case.
    """

    def build(bench: Bench) -> Case:
        source = getattr(bench, of)
        file = bench.made(source, technique, **params)
        mine = trial(file, runtime, latency(ms, spread), technique, params, **options or {})
        return case(
            bench,
            mine,
            trial(source, runtime, latency(was_ms, spread), id="t-0", **options or {}),
            **more or {},
        )

    return build


PROFILED: dict[str, Any] = {"profiled": True}
PLACED: dict[str, Any] = {"profiled": True, "roofline": ROOFLINE}


def like(build: Builder, *others: tuple[dict[str, Any], float]) -> Builder:
    """The case with trials beside it that differ in options of the target, and their latencies."""

    def with_others(bench: Bench) -> Case:
        found = build(bench)
        target = found.trial.target
        beside = [
            replace(
                found.trial,
                id=f"t-{n}",
                target=replace(target, options={**target.options, **changed}),
                measurements={"latency_s": latency(ms)},
            )
            for n, (changed, ms) in enumerate(others, 2)
        ]
        return replace(found, trials=[*found.trials, *beside])

    return with_others


def other_recipe(build: Builder, ms: float, **params: Any) -> Builder:
    """The case with a trial beside it that differs in parameters of the recipe."""

    def with_other(bench: Bench) -> Case:
        found = build(bench)
        step = found.trial.recipe.steps[0]
        recipe = replace(
            found.trial.recipe, steps=(replace(step, params={**step.params, **params}),)
        )
        beside = replace(
            found.trial, id="t-2", recipe=recipe, measurements={"latency_s": latency(ms)}
        )
        return replace(found, trials=[*found.trials, beside])

    return with_other


def emulated(build: Builder) -> Builder:
    """The case with what the machine without VNNI tells of the file."""

    def with_facts(bench: Bench) -> Case:
        found = build(bench)
        assert found.trial.artifact
        machine = registry.processor("x86_without_vnni")
        facts = machine.differs(
            Path(found.trial.artifact.path), Setting("ort", {}, ("avx512_vnni",), bench.folder)
        )
        emulated = {machine.id: {"facts": [asdict(f) for f in facts]}} if facts else {}
        return replace(found, trial=replace(found.trial, details=TrialDetails(emulated=emulated)))

    return with_facts


def flagged(*flags: str) -> Builder:
    def build(bench: Bench) -> Case:
        file = bench.made(bench.onnx, "onnx_static_int8")
        mine = trial(file, "ort", latency(1.0, 0.2, flags), "onnx_static_int8")
        return case(bench, mine, trial(bench.onnx, "ort", latency(1.0), id="t-0"))

    return build


def file_of(of: str, baseline: str = "onnx", **more: Any) -> Builder:
    """A float file that some step made, against another."""

    def build(bench: Bench) -> Case:
        mine = trial(getattr(bench, of), "ort", latency(2.0), "onnx_fuse")
        return case(
            bench, mine, trial(getattr(bench, baseline), "ort", latency(2.0), id="t-0"), **more
        )

    return build


def with_peaks(int8: float) -> dict[str, Any]:
    return {"roofline": Roofline(1, {"float32": 1e11, "int8": int8}, {1_000_000: 5e10})}


def bandwidth_met(bench: Bench) -> Case:
    """On a machine whose memory is a quarter faster than what the dense layers were seen to
    move.
    """
    found = file_of("dense", "dense", profiled=True)(bench)
    assert found.profile is not None
    assert found.anatomy is not None
    moved = sum(o.moved_bytes or 0 for o in found.anatomy.operators if o.kind == "compute")
    spent = sum(o.time_s for o in found.profile.operators if o.kind == "compute")
    return replace(
        found, roofline=Roofline(1, {"float32": 1e15}, {64_000_000: 1.25 * moved / spent})
    )


def half(features: list[str]) -> Builder:
    """16-bit floats on a CPU with these features; no profile, so the recipe and the file must
    tell.
    """

    def build(bench: Bench) -> Case:
        mine = trial(
            bench.made(bench.torch, "torch_half", dtype="float16"),
            "torchscript",
            latency(9.0),
            "torch_half",
            {"dtype": "float16"},
        )
        baseline = trial(bench.torchscript, "torchscript", latency(1.0), id="t-0")
        return case(bench, mine, baseline, environment={**OLD, "features": features})

    return build


STATIC = made("onnx_static_int8", ms=0.5)
FUSED = made("onnx_fuse", ms=1.0, level="basic")
CASES: dict[str, tuple[Builder, Builder]] = {
    "changes_nothing": (file_of("onnx"), STATIC),
    "compute_bound": (file_of("convolutions", "convolutions", **PLACED), bandwidth_met),
    "dense_zeros": (file_of("pruned"), file_of("onnx")),
    "disturbed": (flagged("contended"), flagged()),
    "embedding_dominates": (file_of("words", "words"), file_of("dense", "dense")),
    "float_operators": (
        made("onnx_dynamic_int8", operators=("Gemm", "MatMul"), more=PROFILED),
        made("onnx_static_int8", more=PROFILED),
    ),
    "float_weights": (file_of("dense", "dense"), made("onnx_static_int8", "dense")),
    "graph_optimization_off": (
        like(
            made("onnx_static_int8", options={"graph_optimization": "disabled"}),
            ({"graph_optimization": "all"}, 1.0),
        ),
        like(STATIC, ({"graph_optimization": "disabled"}, 1.0)),
    ),
    "grown": (STATIC, made("onnx_static_int8", "dense")),
    "half_emulated": (half(["avx2"]), half(["avx2", "avx512_fp16"])),
    "half_storage": (
        made("tflite_fp16", "tflite", "litert", more=PROFILED),
        made("tflite_static_wi8_ai8", "tflite", "litert", more=PROFILED),
    ),
    "integer_peak": (
        made("onnx_static_int8", more=with_peaks(1.3e11)),
        made("onnx_static_int8", more=with_peaks(4e11)),
    ),
    "layers_no_faster": (
        made("tflite_static_wi8_ai16", "tflite", "litert", ms=20, more=PROFILED),
        made("tflite_static_wi8_ai8", "tflite", "litert", ms=0.5, more=PROFILED),
    ),
    "layout": (file_of("moving", "moving", **PROFILED), file_of("dense", "dense", **PROFILED)),
    "low_intensity": (file_of("dense", "dense"), file_of("convolutions", "convolutions")),
    "memory_bound": (bandwidth_met, file_of("convolutions", "convolutions", **PLACED)),
    "more_operators": (
        made("onnx_dynamic_int8", more=PROFILED),
        made("onnx_fuse", more=PROFILED, level="basic"),
    ),
    "no_integer_instructions": (
        made("onnx_static_int8", more={"environment": OLD}),
        made("onnx_static_int8", more={"environment": VNNI}),
    ),
    "other_setting": (
        other_recipe(made("onnx_static_int8", ms=2.0, scheme="s8s8"), 1.0, scheme="u8s8"),
        other_recipe(
            made("onnx_static_int8", ms=2.0, scheme="s8s8"), 1.0, scheme="u8s8", per_channel=True
        ),
    ),
    "overhead": (
        made("onnx_static_int8", more=PLACED),
        made("onnx_fuse", "convolutions", more=PLACED, level="basic"),
    ),
    "partial_delegate": (
        made("tflite_dynamic_wi4_afp32", "tflite", "litert", more=PROFILED),
        made("tflite_fp16", "tflite", "litert", more=PROFILED),
    ),
    "quantizing": (
        made("onnx_dynamic_int8", more=PROFILED),
        made("onnx_fuse", more=PROFILED, level="basic"),
    ),
    "reference_kernel": (
        made("tflite_static_wi8_ai16", "tflite", "litert", ms=20),
        made("tflite_static_wi8_ai8", "tflite", "litert", ms=0.5),
    ),
    "saturation": (
        emulated(made("onnx_static_int8", "two_valued")),
        emulated(made("onnx_static_int8", reduce_range=True)),
    ),
    "scales_dominate": (
        made("onnx_weight_only_wi4", "dense", block_size=16),
        made("onnx_weight_only_wi4", "dense", block_size=128),
    ),
    "structure_dominates": (STATIC, made("onnx_static_int8", "dense")),
    "threads_without_effect": (
        like(made("onnx_static_int8", ms=1.0, options={"threads": 2}), ({"threads": 1}, 1.0)),
        like(made("onnx_static_int8", ms=1.0, options={"threads": 2}), ({"threads": 1}, 1.9)),
    ),
    "unfused_pairs": (made("onnx_static_wi8_ai16"), STATIC),
    "weight_only": (
        made("tflite_weight_only_wi8", "tflite", "litert", more=PROFILED),
        made("tflite_dynamic_wi8_afp32", "tflite", "litert", more=PROFILED),
    ),
    "within_noise": (
        made("onnx_static_int8", ms=1.01, spread=0.05),
        made("onnx_static_int8", ms=1.3, spread=0.05),
    ),
}
"""Rule -> a case that it applies to, and one that it does not."""

SLOW = {"half_emulated"}
"""Those whose files load torch."""


def rules() -> list[Any]:
    return [
        pytest.param(id_, marks=pytest.mark.slow) if id_ in SLOW else id_ for id_ in sorted(CASES)
    ]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def test_every_rule_has_both_tests() -> None:
    assert sorted(CASES) == sorted(registry.rules())


@pytest.mark.parametrize("id_", rules())
def test_a_rule_speaks_where_it_applies(id_: str, bench: Bench) -> None:
    found = registry.rules()[id_].find(CASES[id_][0](bench))
    assert found is not None
    check(found, id_)


def check(found: Finding, id_: str) -> None:
    assert found.rule == id_
    assert found.about in ("speed", "size", "accuracy")
    assert 0 <= found.share <= 1
    assert re.search(r"\d", found.text), "no figure"
    assert found.text.endswith(".")
    assert found.remedy.endswith(".")
    assert not re.search(r"  |,,|\.\.|None|nan|inf\b", found.text + found.remedy), found.text
    assert Finding(**json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize("id_", rules())
def test_a_rule_is_silent_where_it_does_not_apply(id_: str, bench: Bench) -> None:
    assert registry.rules()[id_].find(CASES[id_][1](bench)) is None


MISSING: dict[str, Any] = {
    "baseline": None, "anatomy": None, "baseline_anatomy": None, "profile": None,
    "baseline_profile": None, "roofline": None, "environment": {}, "trials": (),
}  # fmt: skip


@pytest.mark.parametrize("id_", rules())
def test_missing_evidence_never_raises(id_: str, bench: Bench) -> None:
    whole = CASES[id_][0](bench)
    for count in range(1, len(MISSING) + 1):
        for names in combinations(MISSING, count):
            part = replace(whole, **{name: MISSING[name] for name in names})
            for rule in registry.rules().values():
                rule.find(part)


@pytest.mark.parametrize("id_", rules())
def test_remedies_name_what_there_is(id_: str, bench: Bench) -> None:
    found = registry.rules()[id_].find(CASES[id_][0](bench))
    assert found is not None
    plugs = [*registry.techniques().values(), *registry.runtimes().values()]
    options = {o.id for plug in plugs for o in plug.options}
    known = {p.id for p in plugs} | options | set(registry.metrics()) | set(registry.runtimes())
    assert set(re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)+", found.remedy)) <= known


def test_titles_and_helps_are_sentences() -> None:
    for rule in registry.rules().values():
        assert not rule.title[0].islower()
        assert not rule.title.endswith(".")
        assert rule.help.endswith(".")


# --- the figures, against what the files are known to hold ----------------------------------------


def finding(id_: str, bench: Bench) -> Finding:
    found = registry.rules()[id_].find(CASES[id_][0](bench))
    assert found is not None
    return found


def test_zeros_are_those_that_were_pruned(bench: Bench) -> None:
    weights = 16 * 3 * 3 * 3
    assert finding("dense_zeros", bench).evidence["zeros"] == pytest.approx(0.8 * weights, abs=1)


def test_float_weights_are_the_bytes_of_both_dense_layers(bench: Bench) -> None:
    assert finding("float_weights", bench).evidence["bytes"] == 2 * 1024 * 1024 * 4
    assert finding("float_weights", bench).share == pytest.approx(
        2 * 1024 * 1024 * 4 / bench.dense.stat().st_size
    )


def test_embeddings_are_the_bytes_of_the_table(bench: Bench) -> None:
    assert finding("embedding_dominates", bench).evidence["embeddings_bytes"] == 2000 * 16 * 4


def test_scales_are_one_float_for_each_block(bench: Bench) -> None:
    assert finding("scales_dominate", bench).evidence["scales_bytes"] >= 2 * 1024 * 1024 / 16 * 4


def test_multiplications_for_each_byte_follow_from_the_shapes(bench: Bench) -> None:
    moved = 4 * (1024 * 1024 + 2 * 1024)
    assert finding("low_intensity", bench).evidence["macs_per_byte"] == pytest.approx(
        1024 * 1024 / moved, rel=0.01
    )


def test_memory_is_met_as_far_as_the_machine_was_made_for_it(bench: Bench) -> None:
    assert finding("memory_bound", bench).evidence["reach"] == pytest.approx(0.8, abs=0.2)


def test_times_are_those_of_the_profile(bench: Bench) -> None:
    whole = CASES["quantizing"][0](bench)
    assert whole.profile
    spent = sum(o.time_s for o in whole.profile.operators if o.operator == "DynamicQuantizeLinear")
    assert finding("quantizing", bench).evidence["seconds"] == pytest.approx(spent)


def test_other_settings_and_threads_tell_the_given_latencies(bench: Bench) -> None:
    assert finding("other_setting", bench).share == pytest.approx(0.5)
    assert "scheme u8s8 instead of s8s8" in finding("other_setting", bench).text
    assert finding("threads_without_effect", bench).evidence["fewer"] == 1
    assert finding("reference_kernel", bench).share == pytest.approx(0.95)
