"""TorchScript files and torch's functions: what they hold, and that they answer as the program
does.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.inspect import inspect
from tests import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_torch_export(tmp_path_factory.mktemp("torch") / "tiny.pt2")


@pytest.mark.parametrize(
    "technique",
    ["torch_to_torchscript", "torch_fx_static_int8", "torch_half", "torch_to_executorch"],
)
def test_the_same_model_is_the_same_bytes_and_names_no_folder(
    technique: str, source: Path, tmp_path: Path
) -> None:
    once, twice = (tiny.apply(technique, source, tmp_path / n) for n in ("once", "twice"))
    assert once.read_bytes() == twice.read_bytes()
    parts = [once.read_bytes()]
    if zipfile.is_zipfile(once):
        with zipfile.ZipFile(once) as archive:
            assert archive.testzip() is None
            parts += [archive.read(name) for name in archive.namelist()]
    assert not any(b"site-packages" in part or str(tmp_path).encode() in part for part in parts)


def test_tensors_lie_where_torch_wants_them(source: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tiny.apply("torch_to_torchscript", source, tmp_path)) as archive:
        stored = [entry for entry in archive.infolist() if "/constants/" in entry.filename]
        assert len(stored) >= 4
        for entry in stored:
            archive.fp.seek(
                entry.header_offset + 26
            )  # lengths of the name and of the extra field, in the local header
            name, extra = np.frombuffer(archive.fp.read(4), "<u2")
            assert (entry.header_offset + 30 + int(name) + int(extra)) % 64 == 0


def test_batch_normalisations_are_folded_as_the_formula_says(source: Path) -> None:
    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.functions import as_functions
    from lab.formats.torch_export.fx import fold_batch_norms, kind, tensor_of

    model = fold_batch_norms(as_functions(load_program(source)))
    (conv,) = [node for node in model.graph.nodes if kind(node) == "conv2d"]
    w, (weight, bias) = tiny.weights(), (tensor_of(model, node) for node in conv.args[1:3])
    np.testing.assert_allclose(weight, w["conv"].transpose(0, 3, 1, 2), rtol=1e-5)
    np.testing.assert_allclose(bias, w["conv_bias"], atol=1e-6)


def test_a_convolution_with_two_readers_keeps_its_batch_normalisation(tmp_path: Path) -> None:
    import torch

    class Split(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4)
            self.norm.running_mean += 1

        def forward(self, x: Any) -> Any:
            y = self.conv(x)
            return y + self.norm(y)

    file = tiny.apply(
        "torch_fx_static_int8", _export(Split(), tmp_path / "model.pt2"), tmp_path / "out"
    )
    operators = inspect(file, "torchscript")["operators"]
    assert (operators["quantized::conv2d"], operators["aten::batch_norm"]) == (1, 1)


def _export(model: Any, path: Path, batch: int | None = None) -> Path:
    import torch

    torch.manual_seed(0)
    axes = None if batch else ({0: torch.export.Dim("batch", min=1)},)
    x = torch.randn(batch or 2, 3, tiny.SIDE, tiny.SIDE)
    torch.export.save(torch.export.export(model.eval(), (x,), dynamic_shapes=axes), path)
    return path


def test_what_programs_hold_beside_convolutions_becomes_functions(tmp_path: Path) -> None:
    import torch

    class Various(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.same, self.even = (
                torch.nn.Conv2d(3, 4, 3, padding="same", dilation=2),
                torch.nn.Conv2d(4, 4, 2, padding="same"),
            )
            self.drop = torch.nn.Dropout()

        def forward(self, x: Any) -> Any:
            batch, order = x.shape[0], torch.tensor([3, 1, 0])
            y = self.drop(self.even(self.same(x)))[:, order][..., 1:7, :][:, :, ::2]
            return y.permute(0, 2, 3, 1).reshape(batch, -1) + y.expand(
                batch, 3, 3, 8
            ).contiguous().view(batch, -1)

    source, x = _export(Various(), tmp_path / "model.pt2"), tiny.items(5)
    expected = tiny.answers("pytorch", source, x)
    for technique in ("torch_to_torchscript", "torch_half", "torch_fx_static_int8"):
        file = tiny.apply(technique, source, tmp_path / technique)
        tolerance = 1e-5 if technique == "torch_to_torchscript" else 0.05 * np.abs(expected).max()
        np.testing.assert_allclose(tiny.answers("torchscript", file, x), expected, atol=tolerance)
    operators = inspect(file, "torchscript")
    assert (operators["operators"]["quantized::conv2d"], operators["float_operators"]) == (
        1,
        {"aten::_convolution_mode": 1},
    )


def test_an_operator_without_a_function_is_named(tmp_path: Path) -> None:
    import torch

    @torch.library.custom_op("lab_test::unheard_of", mutates_args=(), schema="(Tensor x) -> Tensor")
    def unheard_of(x: Any) -> Any:
        return x.clone()

    unheard_of.register_fake(torch.empty_like)

    class Custom(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return unheard_of(x)

    with pytest.raises(InvalidFile, match=r"no Python function.*unheard_of"):
        tiny.apply(
            "torch_to_torchscript", _export(Custom(), tmp_path / "model.pt2"), tmp_path / "out"
        )


def test_a_traced_batch_is_refused(tmp_path: Path) -> None:
    import torch

    from lab.formats.torchscript.files import write_torchscript

    class Baked(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x.reshape(len(x.tolist()), -1)

    with pytest.raises(InvalidFile, match="bakes the number of items"):
        write_torchscript(Baked(), torch.zeros(1, 3), None, tmp_path / "model.pt")


@pytest.mark.parametrize(("dtype", "bits"), [("bfloat16", 8), ("float16", 11)])
def test_16_bit_weights_are_the_folded_ones_rounded(
    dtype: str, bits: int, source: Path, tmp_path: Path
) -> None:
    import torch

    file = tiny.apply("torch_half", source, tmp_path, dtype=dtype)
    graph = torch.jit.load(file).inlined_graph
    found = [
        n.t("value")
        for n in graph.nodes()
        if n.kind() == "prim::Constant" and n.hasAttribute("value") and n.kindOf("value") == "t"
    ]
    weights = {tuple(t.shape): t for t in found if t.dim() > 1}
    w = tiny.weights()
    for expected in (w["conv"].transpose(0, 3, 1, 2), w["dense"]):
        weight = weights[expected.shape]
        assert weight.dtype == getattr(torch, dtype)
        assert (
            np.abs(weight.float().numpy() - expected)
            <= np.abs(expected) * 2.0**-bits * 1.001 + 1e-6
        ).all()
    answers = tiny.answers("torchscript", file, tiny.items(20))
    assert answers.dtype == np.float32
    np.testing.assert_allclose(
        answers, tiny.answers("pytorch", source, tiny.items(20)), atol=2.0 ** -(bits - 4)
    )


def test_parts_of_float_files_are_counted(source: Path, tmp_path: Path) -> None:
    parameters = sum(value.size for value in tiny.weights().values())
    script = inspect(tiny.apply("torch_to_torchscript", source, tmp_path / "script"), "torchscript")
    assert (script["parameters"], script["float_operators"]) == (parameters, {})
    assert (script["operators"]["aten::_convolution"], script["operators"]["aten::linear"]) == (
        1,
        1,
    )
    edge = inspect(tiny.apply("torch_to_executorch", source, tmp_path / "edge"), "executorch")
    assert (edge["parameters"], edge["float_operators"]) == (parameters, {})
    assert (edge["operators"]["XNNConv2d"], edge["operators"]["XNNFullyConnected"]) == (1, 1)
    assert edge["outputs"] == [{"name": "output", "shape": [1, tiny.CLASSES], "dtype": "float32"}]


@pytest.mark.parametrize("format_", ["torchscript", "executorch"])
def test_a_damaged_file_is_refused(format_: str, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no model")
    with pytest.raises(InvalidFile, match="broken"):
        inspect(tmp_path / "broken", format_)
