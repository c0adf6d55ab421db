from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.compress.onnx import ranges
from lab.errors import InvalidFile
from lab.formats import feeding
from lab.options import validate
from lab.registry import technique, techniques
from tests import tiny

HALF_A_STEP = 0.5001
N = 32


def _initializers(path: Path) -> dict[str, Any]:
    import onnx

    return {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(str(path)).graph.initializer
    }


def _plain(
    source: Path, target: Path, preprocess: bool, method: str, per_channel: bool, reduce_range: bool
) -> Path:
    """What onnxruntime itself makes when it is fed the calibration items one by one."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(q.CalibrationDataReader):  # type: ignore[misc]
        feeds = iter(
            [{"x": item[None]} for item in tiny.items(512, seed=2, channels_first=True)[:N]]
        )

        def get_next(self) -> Any:
            return next(self.feeds, None)

    if preprocess:
        quant_pre_process(str(source), str(target) + ".pre", skip_symbolic_shape=True)
    q.quantize_static(
        str(target) + ".pre" if preprocess else source,
        target,
        Reader(),
        activation_type=q.QuantType.QUInt8,
        per_channel=per_channel,
        reduce_range=reduce_range,
        calibrate_method=getattr(q.CalibrationMethod, method),
    )
    return target


@pytest.mark.parametrize(
    ("method", "per_channel", "preprocess"),
    list(product(["MinMax", "Entropy", "Percentile"], [False, True], [False, True])),
)
def test_static_int8_is_what_onnxruntime_makes(
    method: str, per_channel: bool, preprocess: bool, tiny_onnx: Path, tmp_path: Path
) -> None:
    import onnx

    plain = _plain(
        tiny_onnx,
        tmp_path / "plain.onnx",
        preprocess,
        method,
        per_channel,
        reduce_range=per_channel,
    )
    ours = tiny.apply(
        "onnx_static_int8",
        tiny_onnx,
        tmp_path / "ours",
        method=method.lower(),
        per_channel=per_channel,
        reduce_range=per_channel,
        preprocess=preprocess,
        calibration_samples=N,
    )
    assert onnx.load(str(ours)).graph.node == onnx.load(str(plain)).graph.node
    expected, found = _initializers(plain), _initializers(ours)
    assert expected.keys() == found.keys()
    for (
        name,
        value,
    ) in (
        expected.items()
    ):  # a batch of items sums in another order than one item: a last bit may differ
        np.testing.assert_allclose(found[name], value, rtol=1e-6, err_msg=name)


def test_ranges_are_collected_once_for_all_variants_that_share_them(
    tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[str] = []
    collect = ranges._collect
    monkeypatch.setattr(ranges, "_ranges", type(ranges._ranges)())
    monkeypatch.setattr(ranges, "_collect", lambda *a: collected.append(a[1]) or collect(*a))
    for number, (scheme, per_channel) in enumerate(
        product(["u8s8", "s8s8", "u8u8"], [False, True])
    ):
        tiny.apply(
            "onnx_static_int8",
            tiny_onnx,
            tmp_path / str(number),
            scheme=scheme,
            per_channel=per_channel,
        )
    assert collected == ["minmax"]
    tiny.apply("onnx_static_int8", tiny_onnx, tmp_path / "fewer", calibration_samples=16)
    tiny.apply("onnx_static_int8", tiny_onnx, tmp_path / "other", method="percentile")
    assert collected == ["minmax", "minmax", "percentile"]


def test_more_items_than_one_chunk(tiny_onnx: Path, tmp_path: Path) -> None:
    file = tiny.apply(
        "onnx_static_int8", tiny_onnx, tmp_path, method="percentile", calibration_samples=600
    )
    assert tiny.answers("ort", file, tiny.items(3)).shape == (3, tiny.CLASSES)


def test_a_fixed_batch_can_be_calibrated(tmp_path: Path) -> None:
    source = tiny.write_onnx(tmp_path / "fixed.onnx", batch=1)
    assert tiny.apply("onnx_static_int8", source, tmp_path / "out").exists()


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("scheme", ["u8s8", "s8s8", "u8u8"])
def test_static_weights_are_within_half_a_step(
    scheme: str, per_channel: bool, tiny_onnx: Path, tmp_path: Path
) -> None:
    stored = _initializers(
        tiny.apply("onnx_static_int8", tiny_onnx, tmp_path, scheme=scheme, per_channel=per_channel)
    )
    wanted = _initializers(tiny_onnx)
    for name in ("conv", "dense"):
        q, scale, zero = (stored[f"{name}_{part}"] for part in ("quantized", "scale", "zero_point"))
        assert q.dtype == (np.uint8 if scheme == "u8u8" else np.int8)
        shape = (-1, *[1] * (q.ndim - 1))
        step = scale.reshape(shape)
        restored = (q.astype(np.float64) - zero.reshape(shape)) * step
        assert (np.abs(restored - wanted[name]) <= HALF_A_STEP * step).all()


def test_reduced_weights_use_seven_bits(tiny_onnx: Path, tmp_path: Path) -> None:
    stored = _initializers(tiny.apply("onnx_static_int8", tiny_onnx, tmp_path, reduce_range=True))
    assert np.abs(stored["conv_quantized"]).max() <= 64


BITS = {
    "onnx_fp16": 16,
    "onnx_dynamic_int8": 8,
    "onnx_static_int8": 8,
    "onnx_static_wi8_ai16": 8,
    "onnx_fuse": 32,
}


def test_sizes_follow_the_bits(tmp_path: Path) -> None:
    wide = tiny.write_onnx(tmp_path / "wide.onnx", filters=512)
    count = sum(value.size for value in tiny.weights(512).values())
    for name, bits in BITS.items():
        size = tiny.apply(name, wide, tmp_path / name).stat().st_size
        assert size == pytest.approx(count * bits / 8, abs=5000)


def test_16_bit_floats_keep_the_type_of_input_and_output(tiny_onnx: Path, tmp_path: Path) -> None:
    from lab.formats.inspect import inspect

    found = inspect(tiny.apply("onnx_fp16", tiny_onnx, tmp_path), "onnx")
    assert {v["dtype"] for v in found["inputs"] + found["outputs"]} == {"float32"}


def test_the_source_and_its_folder_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    source = tiny.write_onnx(tmp_path / "store" / "model.onnx")
    before = source.read_bytes()
    for plug in ONNX:
        tiny.apply(plug.id, source, tmp_path / plug.id)
    assert [p.name for p in source.parent.iterdir()] == ["model.onnx"]
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    "name", [name for name in BITS if name != "onnx_fuse"] + ["onnx_weight_only_wi4"]
)
def test_quantizing_twice_is_refused(name: str, tiny_onnx: Path, tmp_path: Path) -> None:
    once = tiny.apply("onnx_static_int8", tiny_onnx, tmp_path / "once")
    with pytest.raises(InvalidFile, match="quantized already"):
        tiny.apply(name, once, tmp_path / "twice")


def test_calibration_items_must_be_numbers() -> None:
    with pytest.raises(InvalidFile, match="finite"):
        feeding.check_finite(np.array([[np.nan]]))


def test_names_say_what_differs_from_the_defaults() -> None:
    plug = technique("onnx_static_int8")
    defaults = {option.id: option.default for option in plug.options}
    assert plug.name(defaults) == "static_wi8_ai8"
    changed = {
        "scheme": "s8s8",
        "per_channel": True,
        "reduce_range": True,
        "method": "entropy",
        "calibration_samples": 512,
        "preprocess": False,
    }
    assert (
        plug.name(defaults | changed)
        == "static_wi8_ai8_s8s8_per_channel_reduced_entropy_no_preprocess_n512"
    )
    more = {
        "method": "percentile",
        "percentile": 99.9,
        "symmetric_activations": True,
        "quantize_bias": False,
        "operators": ("MatMul", "Conv"),
        "keep_float": ("conv0",),
    }
    assert (
        plug.name(defaults | more)
        == "static_wi8_ai8_symmetric_percentile99.9_float_bias_ops_Conv_MatMul_float_conv0"
    )


ONNX = [
    plug
    for plug in techniques().values()
    if plug.id.startswith("onnx_") and plug.produces == "onnx"
]


@pytest.mark.parametrize("plug", ONNX, ids=lambda plug: plug.id)
def test_what_the_full_preset_tries_one_by_one_has_names_and_runs(
    plug: Any, tiny_onnx: Path, tmp_path: Path
) -> None:
    settings = [validate(plug.options, params, plug.id) for params in plug.extra.get("full", ())]
    names = [plug.name(params) for params in settings]
    assert len({*names, plug.name(validate(plug.options, {}, plug.id))}) == len(names) + 1
    for number, params in enumerate(settings):
        if params.get("calibration_source", "data") == "data":
            assert tiny.apply(plug.id, tiny_onnx, tmp_path / str(number), **params).exists()


@pytest.mark.parametrize("plug", ONNX, ids=lambda plug: plug.id)
def test_the_same_parameters_give_the_same_bytes(
    plug: Any, tiny_onnx: Path, tmp_path: Path
) -> None:
    once, twice = (
        tiny.apply(plug.id, tiny_onnx, tmp_path / n).read_bytes() for n in ("once", "twice")
    )
    assert once == twice


# --- more settings of the static technique --------------------------------------------------------


def test_symmetric_activations_are_centred(tiny_onnx: Path, tmp_path: Path) -> None:
    stored = _initializers(
        tiny.apply("onnx_static_int8", tiny_onnx, tmp_path, symmetric_activations=True)
    )
    zeros = {
        name: int(value)
        for name, value in stored.items()
        if name.endswith("zero_point") and value.dtype == np.uint8
    }
    assert zeros
    assert {abs(zero - 127.5) for zero in zeros.values()} == {0.5}


def test_biases_may_stay_in_float(tiny_onnx: Path, tmp_path: Path) -> None:
    stored = _initializers(tiny.apply("onnx_static_int8", tiny_onnx, tmp_path, quantize_bias=False))
    np.testing.assert_array_equal(stored["conv_bias"], _initializers(tiny_onnx)["conv_bias"])
    assert np.int32 not in {value.dtype for value in stored.values()}


def test_the_average_is_of_each_items_extremes(tiny_onnx: Path, tmp_path: Path) -> None:
    """The input's range, which needs no inference: 300 items, more than onnxruntime gets at once
    otherwise.
    """
    file = tiny.apply(
        "onnx_static_int8", tiny_onnx, tmp_path, method="average", calibration_samples=300
    )
    flat = tiny.items(512, seed=2)[:300].reshape(300, -1)
    low, high = flat.min(axis=1).mean(), flat.max(axis=1).mean()
    assert _initializers(file)["x_scale"] == pytest.approx((high - low) / 255, rel=1e-5)


@pytest.mark.parametrize("percentile", [99.0, 95.0])
def test_the_percentile_cuts_off_the_rest(
    percentile: float, tiny_onnx: Path, tmp_path: Path
) -> None:
    file = tiny.apply(
        "onnx_static_int8", tiny_onnx, tmp_path, method="percentile", percentile=percentile
    )
    x = tiny.items(512, seed=2)[:128]
    tail = (100 - percentile) / 2
    low, high = np.percentile(x, [tail, 100 - tail])
    assert _initializers(file)["x_scale"] == pytest.approx((high - low) / 255, rel=0.05)
