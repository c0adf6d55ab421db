"""Whole networks: what saturation costs, and that nothing changes where nothing saturates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.formats.feeding import as_input, run_all
from lab.measure.environment import fingerprint
from lab.options import validate
from lab.plugs import Context, Setting
from lab.processors._cpus import saturates
from lab.processors._network import Emulated
from lab.registry import processor, sample_cards, technique
from tests import bright, onnx_graphs
from tests.loaded import splits
from tests.tiny import answers, apply, items

ITEMS = 600
HERE = saturates(fingerprint()["features"])


def accuracy(outputs: Any, labels: Any) -> float:
    return float(np.mean(outputs.argmax(axis=1) == labels))


def there(file: Path) -> Any:
    return run_all(Emulated(file, saturate=True), bright.items(ITEMS)[0], 100)


def exact(file: Path) -> Any:
    return run_all(Emulated(file, saturate=False, everything=True), bright.items(ITEMS)[0], 100)


def test_u8s8_loses_accuracy_without_vnni_that_reduced_range_and_s8s8_keep(
    bright_files: dict[str, Path],
) -> None:
    labels = bright.items(ITEMS)[1]
    float_ = accuracy(answers("ort", bright_files["float"], bright.items(ITEMS)[0]), labels)
    without = {name: accuracy(there(file), labels) for name, file in bright_files.items()}
    with_ = {name: accuracy(exact(file), labels) for name, file in bright_files.items()}
    assert all(abs(found - float_) < 0.03 for found in with_.values())
    assert without["u8s8"] < with_["u8s8"] - 0.1
    assert without["reduced"] == with_["reduced"]
    assert without["s8s8"] == with_["s8s8"]
    assert without["u8u8"] == with_["u8u8"]


@pytest.mark.parametrize("name", ["reduced", "u8u8"])
def test_where_no_pair_can_saturate_a_network_cut_at_each_product_answers_exactly(
    bright_files: dict[str, Path], name: str
) -> None:
    file, x = bright_files[name], bright.items(ITEMS)[0]
    product_by_product = run_all(Emulated(file, saturate=True, everything=True), x, 100)
    np.testing.assert_array_equal(product_by_product, exact(file))
    np.testing.assert_array_equal(product_by_product, answers("ort", file, x))


@pytest.mark.parametrize("name", ["u8s8", "u8s8_per_tensor", "s8s8"])
def test_this_cpu_is_emulated_to_the_last_bit(bright_files: dict[str, Path], name: str) -> None:
    """Exact sums on a CPU with VNNI or on ARM, where S8S8 is left as it is; saturating ones on x86
    without.
    """
    x = bright.items(ITEMS)[0]
    if fingerprint()["architecture"] not in ("x86_64", "AMD64") and name == "s8s8":
        pytest.skip("ONNX Runtime changes S8S8 on x86 only")
    emulated = run_all(Emulated(bright_files[name], saturate=HERE, everything=True), x, 100)
    np.testing.assert_array_equal(emulated, answers("ort", bright_files[name], x))


def test_a_product_of_dynamically_quantized_activations_saturates_too(tmp_path: Path) -> None:
    w = np.random.default_rng(0).uniform(0.5, 1, (40, 6)).astype(np.float32)
    graph = onnx_graphs.write(
        tmp_path / "m.onnx",
        [onnx_graphs.node("MatMul", "x w", "y", "m")],
        {"w": w},
        ["n", 40],
        ["n", 6],
    )
    file = apply("onnx_dynamic_int8", graph, tmp_path / "out", weight_type="int8")
    x = np.random.default_rng(1).uniform(0.5, 1, (20, 40)).astype(np.float32)
    exact_ = run_all(Emulated(file, saturate=False, everything=True), x, 20)
    np.testing.assert_allclose(exact_, x @ w, rtol=0.03)
    cut = run_all(Emulated(file, saturate=True), x, 20)
    assert (cut < exact_).all()
    assert cut.mean() < 0.9 * exact_.mean()


def test_a_float_file_runs_as_it_is(tiny_onnx: Path) -> None:
    x = items(20, channels_first=True)
    np.testing.assert_allclose(
        run_all(Emulated(tiny_onnx, saturate=True), x, 20), answers("ort", tiny_onnx, x), atol=1e-5
    )


def test_a_machine_differs_only_from_those_that_add_up_otherwise(
    bright_files: dict[str, Path], setting: Callable[..., Setting]
) -> None:
    file, without, with_ = (
        bright_files["u8s8"],
        processor("x86_without_vnni"),
        processor("integer_dot_product"),
    )
    for features in (("avx2", "avx512f", "avx512_vnni"), ("avx2", "avx_vnni"), ("asimddp",), ()):
        assert without.differs(file, setting(features=features))
        assert not with_.differs(file, setting(features=features))
    assert not without.differs(file, setting(features=("avx2", "avx512f")))
    assert with_.differs(file, setting(features=("avx2", "avx512f")))


def test_facts_count_the_pairs_that_the_file_holds(
    bright_files: dict[str, Path], setting: Callable[..., Setting]
) -> None:
    import onnx

    without, stored = (
        processor("x86_without_vnni"),
        onnx.load(str(bright_files["u8s8"])).graph.initializer,
    )
    weights = next(
        onnx.numpy_helper.to_array(t)
        for t in stored
        if t.name.startswith("wide2") and len(t.dims) == 4
    )
    rows = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1, 2).astype(int)
    facts = {fact.operator: fact for fact in without.differs(bright_files["u8s8"], setting())}
    assert facts["wide2"].count == int((abs(rows.sum(axis=2)) > 128).sum()) > 0
    assert facts["wide2"].of == rows.shape[0] * rows.shape[1]
    assert (
        without.because([facts["wide2"]])
        == f"{facts['wide2'].count:,} pairs of weights in 1 operator can saturate"
    )
    assert not without.differs(bright_files["reduced"], setting())
    assert not without.differs(bright_files["u8u8"], setting())


def test_what_computes_in_float_cannot_saturate(
    bright_files: dict[str, Path], setting: Callable[..., Setting]
) -> None:
    """Without graph optimization ONNX Runtime dequantizes and multiplies floats; other providers
    have other kernels.
    """
    without, file = processor("x86_without_vnni"), bright_files["u8s8"]
    assert without.differs(file, setting(graph_optimization="all"))
    assert not without.differs(file, setting(graph_optimization="basic"))
    assert not without.differs(file, setting(provider="CUDA"))


@pytest.mark.slow
def test_a_sample_model_loses_without_vnni_what_7_bit_weights_keep(tmp_path: Path) -> None:
    card = sample_cards()["signs_mobilenetv2"]
    data = splits(card.dataset)
    x, calibration = as_input(data.x_test, card.input), as_input(data.x_calibration, card.input)

    def made(technique_: str, source: Path, **params: Any) -> Path:
        plug, workdir = (
            technique(technique_),
            tmp_path / f"{technique_}{len(list(tmp_path.iterdir()))}",
        )
        workdir.mkdir()
        context = Context(
            workdir,
            card,
            lambda n: calibration[:n],
            lambda n: (calibration[:n], data.y_calibration[:n]),
        )
        return plug.apply(source, validate(plug.options, params, technique_), context)

    source, same, lost = made("torch_to_onnx", Path(card.path)), {}, {}
    for name, params in {
        "u8s8": {},
        "reduced": {"reduce_range": True},
        "s8s8": {"scheme": "s8s8"},
    }.items():
        file = made("onnx_static_int8", source, per_channel=True, **params)
        with_, without = (
            run_all(Emulated(file, saturate, everything=True), x, 100) for saturate in (False, True)
        )
        same[name] = float(np.mean(with_.argmax(axis=1) == without.argmax(axis=1)))
        lost[name] = accuracy(with_, data.y_test) - accuracy(without, data.y_test)
    assert same["u8s8"] < min(0.99, same["s8s8"])
    assert same["reduced"] == 1
    assert lost["u8s8"] > lost["s8s8"]
    assert lost["reduced"] == 0
