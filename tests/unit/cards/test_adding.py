"""A model can bring its data, or name a data set that is here already."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab import registry
from lab.cards.adding import nearest_runtime
from lab.cli import main
from lab.engine.pools import POOLS
from lab.errors import InvalidFile, UsageError
from lab.store.data import data_folder, is_here
from tests import small
from tests.publisher import publisher


def write_digits_model(path: Path) -> Path:
    """The nearest mean image of a class: input (n, 8, 8, 1), output (n, 10)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from lab.datasets import digits

    x, y = digits.training()
    means = np.stack([x[y == label].mean(axis=0).ravel() for label in range(10)])
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weight", "bias"], ["y"], transB=1),
        ],
        "means",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 8, 8, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [
            numpy_helper.from_array(means, "weight"),
            numpy_helper.from_array(-(means**2).sum(axis=1) / 2, "bias"),
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(path),
    )
    return path


def test_a_model_is_added_with_a_data_set_that_is_here(lab_home: Path, tmp_path: Path) -> None:
    card = lab.add_model(write_digits_model(tmp_path / "means.onnx"), "digits", scale=1.0)
    assert card.dataset == "digits"
    assert card.class_names == registry.dataset("digits").class_names
    assert card.input.shape == (8, 8, 1)
    assert (card.input.scale, card.input.offset) == (1.0, 0.0)
    top1 = card.baseline["top1_accuracy"]
    assert top1.n == 597
    assert 0.8 < top1.value < 0.95
    assert lab.model("means") == card
    assert data_folder(card).name == registry.dataset("digits").digest


@pytest.mark.slow
def test_a_program_of_pytorch_is_added(
    lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch itself evaluates it, in a process of PyTorch's toolchain: nothing is converted."""
    import torch

    from lab.datasets import digits

    x, y = digits.training()
    means = torch.from_numpy(
        np.stack([x[y == label].mean(axis=0).ravel() for label in range(10)])
    ).float()
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)).eval()
    with torch.no_grad():
        model[1].weight.copy_(means)
        model[1].bias.copy_(-(means**2).sum(dim=1) / 2)
    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (torch.zeros(2, 8, 8, 1),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "means.pt2")
    asked = []
    run = POOLS.run
    monkeypatch.setattr(
        POOLS, "run", lambda pool, *a, **k: asked.append(pool) or run(pool, *a, **k)
    )
    card = lab.add_model(tmp_path / "means.pt2", "digits", scale=1.0)
    assert set(asked) == {"torch"}
    assert "in PyTorch" in card.description
    assert (card.format, card.input.shape, card.parameters) == ("torch_export", (8, 8, 1), 650)
    assert card.macs == 640
    assert 0.8 < card.baseline["top1_accuracy"].value < 0.95


@pytest.mark.parametrize(
    ("format_", "runtime"),
    [("onnx", "ort"), ("tflite", "litert"), ("torch_export", "pytorch"), ("keras", "litert")],
)
def test_the_nearest_runtime_evaluates_it(format_: str, runtime: str) -> None:
    assert nearest_runtime(format_).id == runtime


def test_percentages_are_of_the_items_that_were_used(lab_home: Path, tmp_path: Path) -> None:
    said: list[str] = []
    data = small.write_data(tmp_path / "small.npz")  # 200 calibration items
    lab.add_model(small.write_onnx(tmp_path / "small.onnx"), data, say=said.append)
    tried = [line for line in said if "calibration items right" in line]
    assert tried
    assert all("of 200 calibration items" in line for line in tried)


def test_a_data_set_for_another_task_is_refused(lab_home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Add --task classification"):
        lab.add_model(small.write_onnx(tmp_path / "small.onnx"), "digits", task="anomaly_detection")


def test_what_is_neither_file_nor_data_set_is_told_what_there_is(
    lab_home: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidFile, match=r"one of the data sets .*digits"):
        lab.add_model(small.write_onnx(tmp_path / "small.onnx"), "digitz")


def test_a_file_wins_over_a_data_set_of_its_name(
    lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small.write_data(tmp_path / "digits.npz").rename(tmp_path / "digits")
    assert lab.add_model(small.write_onnx(tmp_path / "small.onnx"), "digits").dataset.startswith(
        "npz-"
    )


def listed(home: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "lab", "datasets", *arguments]
    return subprocess.run(
        command, env={"LAB_HOME": str(home)}, capture_output=True, text=True, check=True
    ).stdout


def test_the_command_line_lists_data_sets(lab_home: Path) -> None:
    found: list[dict[str, Any]] = json.loads(listed(lab_home, "--json"))
    assert [d["id"] for d in found] == sorted(registry.datasets())
    by_id = {d["id"]: d for d in found}
    assert by_id["digits"]["here"]
    assert not by_id["cifar10"]["here"]
    assert by_id["cifar10"]["sources"][0]["url"].startswith("https://")
    table = listed(lab_home)
    assert "online, 170 MB" in table
    assert all(d["title"] in table for d in found)


def test_published_files_that_lie_ready_are_here(lab_home: Path) -> None:
    dataset = registry.dataset("fashion_mnist")
    folder = lab_home / "downloads" / dataset.id
    folder.mkdir(parents=True)
    for source in dataset.sources:
        assert not is_here(dataset)
        with (folder / source.name).open("wb") as file:
            file.truncate(source.size_bytes)
    assert is_here(dataset)


def test_files_are_fetched_ahead_with_progress(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with publisher() as site:
        dataset = replace(
            registry.dataset("cifar10"),
            sources=(site.offer("a.bin", b"x" * 1000), site.offer("b.bin", b"y")),
        )
        monkeypatch.setattr(registry, "dataset", lambda id_: dataset)
        main(["datasets", "--fetch", "cifar10"])
    told = capsys.readouterr().err.splitlines()
    assert told[0].strip() == "a.bin: 0 % of 0.0 MB"
    assert told[-1].strip() == "b.bin: 100 % of 0.0 MB"
    assert (lab_home / "downloads" / "cifar10" / "a.bin").read_bytes() == b"x" * 1000
