"""Notes, names and refusals of the NNCF techniques."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.inspect import inspect
from lab.registry import technique
from tests import tiny
from tests.unit.techniques.test_nncf import CONV, DENSE, PLAIN


def run(id_: str, source: Path, workdir: Path, **params: Any) -> tuple[Path, dict[str, Any]]:
    """The file and the notes."""
    from dataclasses import replace

    from lab.options import validate

    notes: dict[str, Any] = {}
    plug = technique(id_)
    context = replace(tiny.context(workdir), note=notes.__setitem__)
    return plug.apply(source, validate(plug.options, params, id_), context), notes


@pytest.mark.parametrize(
    "name",
    [
        "nncf_openvino_static_int8",
        "nncf_onnx_static_int8",
        "nncf_openvino_weights",
        "nncf_openvino_accuracy",
    ],
)
def test_equal_parameters_give_equal_bytes(
    name: str, tiny_onnx: Path, tiny_openvino: Path, tmp_path: Path
) -> None:
    source = tiny_onnx if "onnx" in name else tiny_openvino
    once, twice = (tiny.apply(name, source, tmp_path / n).read_bytes() for n in ("once", "twice"))
    assert once == twice


def test_corrected_biases_are_counted(tiny_openvino: Path, tmp_path: Path) -> None:
    _, notes = run(
        "nncf_openvino_static_int8", tiny_openvino, tmp_path / "full", bias_correction="full"
    )
    assert notes["bias_correction"].startswith("full: ")
    _, notes = run(
        "nncf_openvino_static_int8", tiny_openvino, tmp_path / "off", bias_correction="off"
    )
    assert "bias_correction" not in notes


def test_weight_formats_are_counted(tiny_openvino: Path, tmp_path: Path) -> None:
    whole = {"mode": "nf4", "all_layers": True, "group_size": "channel"}
    assert run("nncf_openvino_weights", tiny_openvino, tmp_path / "nf4", **whole)[1]["weights"] == {
        "u8": 1,
        "nf4": 1,
    }
    assert run("nncf_openvino_weights", tiny_openvino, tmp_path / "i8", mode="int8_sym")[1][
        "weights"
    ] == {"i8": 2}


def test_onnx_convolutions_stay_float_because_onnx_runtime_refuses_them(
    tiny_onnx: Path, tmp_path: Path
) -> None:
    file, notes = run("nncf_onnx_weights", tiny_onnx, tmp_path, mode="int8_sym")
    assert notes == {"kept_in_float": ["conv0"], "weights": {"INT8": 1}}
    x = tiny.items(50)
    np.testing.assert_allclose(
        tiny.answers("ort", file, x), tiny.answers("ort", tiny_onnx, x), atol=0.05
    )


def test_what_has_convolutions_only_is_refused_with_a_remedy(
    tiny_onnx: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidFile, match=r"no weights to compress.*Name fewer layers"):
        tiny.apply("nncf_onnx_weights", tiny_onnx, tmp_path, keep_float=["gemm0"])


def test_formats_below_8_bits_that_take_no_layer_are_refused(
    tiny_openvino: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InvalidFile, match=r"no layer of this model in fewer than 8 bits.*all_layers=true"
    ):
        tiny.apply("nncf_openvino_weights", tiny_openvino, tmp_path, mode="int4_sym")


def test_options_below_8_bits_say_nothing_of_8(tiny_openvino: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="no group size"):
        tiny.apply(
            "nncf_openvino_weights", tiny_openvino, tmp_path, mode="int8_sym", group_size="64"
        )


def test_a_failure_of_nncf_names_the_option_to_change() -> None:
    from lab.compress.nncf.quantizing import attempt

    def fails() -> None:
        raise KeyError("node_embedding")

    with pytest.raises(
        InvalidFile, match=r"node_embedding.*bias_correction.*full.*Choose bias_correction=fast"
    ):
        attempt(fails, {"bias_correction": "full", "model_type": "none"})
    with pytest.raises(InvalidFile, match="Choose model_type=none"):
        attempt(fails, {"bias_correction": "fast", "model_type": "transformer"})


def test_accuracy_control_tells_what_it_saw(tiny_openvino: Path, tmp_path: Path) -> None:
    file, notes = run(
        "nncf_openvino_accuracy", tiny_openvino, tmp_path, max_drop=1.0, validation_samples=100
    )
    told, x = notes["validated"], tiny.items(512, seed=2)[:100]
    assert notes["kept_in_float"] == []
    assert (told["metric"], told["items"]) == ("top1_accuracy", 100)
    labels = np.arange(100) % tiny.CLASSES
    for name, path in (("float", tiny_openvino), ("kept", file)):
        assert told[name] == pytest.approx(
            (tiny.answers("openvino", path, x).argmax(1) == labels).mean(), abs=0.02
        )


def controlled(tmp_path: Path, drop: float) -> dict[str, Any]:
    """Notes where the truth is what the float model answers: every answer that changes is a
    drop.
    """
    from dataclasses import replace

    from lab.options import validate

    tmp_path.mkdir(exist_ok=True)
    source, x = tiny.write_openvino(tmp_path / "tiny.zip"), tiny.items(400, seed=2)
    labels, notes = tiny.answers("openvino", source, x).argmax(1), dict[str, Any]()
    plug = technique("nncf_openvino_accuracy")
    context = replace(
        tiny.context(tmp_path / "work"),
        labelled=lambda n: (x[:n], labels[:n]),
        note=notes.__setitem__,
    )
    params = {"max_drop": drop, "validation_samples": 400, **PLAIN}
    notes["file"] = plug.apply(source, validate(plug.options, params, plug.id), context)
    return notes


def test_layers_are_taken_back_until_the_drop_is_small_enough(tmp_path: Path) -> None:
    all_quantized = controlled(tmp_path / "all", 1.0)
    int8 = all_quantized["validated"]["int8"]
    assert all_quantized["validated"]["float"] == 1 > int8 == all_quantized["validated"]["kept"]
    drop = (1 - int8) * 0.9
    some = controlled(tmp_path / "some", drop)
    assert int8 < 1 - drop <= some["validated"]["kept"]
    left = inspect(some["file"], "openvino_ir")["float_operators"]
    assert some["kept_in_float"] in ([CONV], [DENSE])
    assert left == {"Convolution" if CONV in some["kept_in_float"] else "MatMul": 1}


def test_a_drop_that_only_float_keeps_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="returned every layer to float"):
        controlled(tmp_path, 0.0)


def test_a_metric_that_is_undefined_on_the_validation_items_is_said(
    tiny_openvino: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    from lab.options import validate

    plug, base = technique("nncf_openvino_accuracy"), tiny.context(tmp_path)
    card = replace(base.card, task="anomaly_detection")
    x = tiny.items(64)
    context = replace(base, card=card, labelled=lambda n: (x[:n], np.zeros(len(x[:n]), np.int64)))
    with pytest.raises(InvalidFile, match="AUC is undefined"):
        plug.apply(
            tiny_openvino, validate(plug.options, {"validation_samples": 64}, plug.id), context
        )


def test_names_say_what_differs_from_the_defaults() -> None:
    def name(id_: str, **changed: Any) -> str:
        plug = technique(id_)
        return plug.name({option.id: option.default for option in plug.options} | changed)

    assert name("nncf_openvino_static_int8") == "static_wi8_ai8_nncf"
    assert name("nncf_onnx_static_int8") == "static_wi8_ai8_nncf_onnx"
    assert (
        name(
            "nncf_openvino_static_int8",
            preset="mixed",
            bias_correction="off",
            model_type="transformer",
            smooth_quant_alpha=0.5,
            overflow_fix="all",
            calibration_samples=32,
            keep_float=["a"],
        )
        == "static_wi8_ai8_nncf_mixed_no_bias_transformer_alpha0.5_half_range_n32_float_a"
    )
    assert (
        name("nncf_openvino_accuracy", max_drop=0.002) == "static_wi8_ai8_nncf_accuracy_drop0.002"
    )
    assert (
        name("nncf_openvino_weights", mode="int4_sym", group_size="64", ratio=0.5, all_layers=True)
        == "weight_only_wi4_afp32_nncf_sym_g64_r0.5_all_layers"
    )
    assert name("nncf_onnx_weights") == "weight_only_wi8_afp32_nncf_onnx"
