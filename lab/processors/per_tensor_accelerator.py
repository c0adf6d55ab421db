"""Accelerator whose integer units support only one scale per weight tensor."""

from __future__ import annotations

from pathlib import Path

from lab.plugs import Fact, Processor, Session, Setting
from lab.processors import _one_scale_onnx, _one_scale_tflite
from lab.processors._one_scale import because, fact


def _file(path: Path) -> _one_scale_onnx.File | _one_scale_tflite.File:
    with path.open("rb") as file:
        return (
            _one_scale_tflite.File(path)
            if file.read(8)[4:] == b"TFL3"
            else _one_scale_onnx.File(path)
        )


def _differs(path: Path, setting: Setting) -> list[Fact]:
    del setting
    return [fact(one.name, one.type, one.weights, one.axis) for one in _file(path).several]


def _load(path: Path, setting: Setting) -> Session:
    from lab.registry import runtime

    target = setting.workdir / f"one_scale{path.suffix}"
    return runtime(setting.runtime).load(str(_file(path).write(target)), setting.options)


PROCESSOR = Processor(
    id="per_tensor_accelerator",
    title="Accelerator with one scale per tensor",
    help=(
        "Some accelerators support only one scale per weight tensor. Their tools round per-channel"
        " weights once more, which is coarse for channels with small weights."
    ),
    place="On an accelerator with one scale per weight tensor",
    formats=("onnx", "tflite"),
    differs=_differs,
    load=_load,
    because=because,
)
