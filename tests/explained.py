"""Cases for the rules: real small files, looked into and profiled by the lab's own functions;
latencies are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lab.evidence import Anatomy, Profile, Roofline
from lab.formats.anatomy import anatomy
from lab.options import validate
from lab.plugs import Case
from lab.registry import runtime as runtime_of
from lab.registry import technique as technique_of
from lab.store.blobs import sha256_of
from lab.types import Artifact, Measurement, Recipe, Step, Target, Trial
from tests import tiny
from tests.onnx_graphs import node, write

VNNI = {"cpu": "a CPU with VNNI", "features": ["avx2", "avx512_vnni"], "cores": 2}
OLD = {"cpu": "an old CPU", "features": ["avx2"], "cores": 2}
ROOFLINE = Roofline(
    1, {"float32": 1e11, "int8": 4e11}, {16_000: 1e11, 1_000_000: 1e11, 64_000_000: 2e10}
)
RUNS = 10


class Bench:
    """Files by the technique that made them, each made and profiled once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files, self.profiles = folder, dict[Any, Path](), dict[Any, Profile]()

    def made(self, source: Path, technique: str, **params: Any) -> Path:
        """What a technique makes of a file; parameters that are not given at their defaults."""
        key = (source, technique, tuple(params.items()))
        if key not in self.files:
            plug, workdir = technique_of(technique), self.folder / f"made{len(self.files)}"
            shape = _shape(source)
            context = replace(tiny.context(workdir), calibration=lambda n: _items(n, shape))
            self.files[key] = plug.apply(source, validate(plug.options, params, technique), context)
        return self.files[key]

    def profile(self, file: Path, runtime: str, **options: Any) -> Profile:
        """As the runtime tells it."""
        key = (file, runtime, tuple(options.items()))
        if key not in self.profiles:
            plug = runtime_of(runtime)
            assert plug.profile is not None
            item = _items(1, _shape(file))
            self.profiles[key] = plug.profile(
                str(file), validate(plug.options, options, runtime), item, RUNS
            )
        return self.profiles[key]

    # --- float models -----------------------------------------------------------------------------

    @cached_property
    def onnx(self) -> Path:
        return tiny.write_onnx(self.folder / "tiny.onnx", batch=1)

    @cached_property
    def tflite(self) -> Path:
        return tiny.write_tflite(self.folder / "tiny.tflite")

    @cached_property
    def torch(self) -> Path:
        return tiny.write_torch_export(self.folder / "tiny.pt2")

    @cached_property
    def torchscript(self) -> Path:
        return self.made(self.torch, "torch_to_torchscript")

    @cached_property
    def pruned(self) -> Path:
        """The tiny model with 80 % of its convolution's weights at zero."""
        import onnx
        from onnx import numpy_helper

        model = onnx.load(self.onnx)
        conv = next(t for t in model.graph.initializer if t.name == "conv")
        values = numpy_helper.to_array(conv).copy()
        values[np.abs(values) < np.quantile(np.abs(values), 0.8)] = 0
        conv.CopyFrom(numpy_helper.from_array(values, "conv"))
        onnx.save(model, self.folder / "pruned.onnx")
        return self.folder / "pruned.onnx"

    @cached_property
    def two_valued(self) -> Path:
        """The tiny model whose convolution has but two weights, one and its opposite."""
        import onnx
        from onnx import numpy_helper

        model = onnx.load(self.onnx)
        conv = next(t for t in model.graph.initializer if t.name == "conv")
        conv.CopyFrom(
            numpy_helper.from_array(np.float32(0.3) * np.sign(numpy_helper.to_array(conv)), "conv")
        )
        onnx.save(model, self.folder / "two_valued.onnx")
        return self.folder / "two_valued.onnx"

    @cached_property
    def moving(self) -> Path:
        """A small dense layer between transposes of a large image."""
        nodes = [
            node("Transpose", "x", "t", "there", perm=[0, 3, 2, 1]),
            node("Transpose", "t", "b", "back", perm=[0, 2, 1, 3]),
            node("GlobalAveragePool", "b", "g", "pool"),
            node("Flatten", "g", "f", "flat"),
            node("MatMul", "f w", "y", "dense"),
        ]
        weights = {"w": np.ones((128, 4), np.float32)}
        return write(self.folder / "moving.onnx", nodes, weights, [1, 64, 128, 128], [1, 4])

    @cached_property
    def dense(self) -> Path:
        """Two wide dense layers for one item: a multiplication for each weight."""
        rng = np.random.default_rng(0)
        weights = {
            f"w{n}": rng.normal(scale=0.05, size=(1024, 1024)).astype(np.float32) for n in (1, 2)
        }
        nodes = [
            node("MatMul", "x w1", "h", "first"),
            node("Relu", "h", "r", "relu"),
            node("MatMul", "r w2", "y", "second"),
        ]
        return write(self.folder / "dense.onnx", nodes, weights, [1, 1024], [1, 1024])

    @cached_property
    def convolutions(self) -> Path:
        """Two convolutions with much arithmetic for each number."""
        rng = np.random.default_rng(0)
        weights = {
            f"w{n}": rng.normal(scale=0.05, size=(64, 64, 3, 3)).astype(np.float32) for n in (1, 2)
        }
        nodes = [
            node("Conv", "x w1", "h", "first", pads=[1, 1, 1, 1]),
            node("Conv", "h w2", "y", "second", pads=[1, 1, 1, 1]),
        ]
        return write(
            self.folder / "convolutions.onnx", nodes, weights, [1, 64, 16, 16], [1, 64, 16, 16]
        )

    @cached_property
    def words(self) -> Path:
        """A table that is looked up, then a dense layer."""
        rng = np.random.default_rng(0)
        weights = {
            "table": rng.normal(size=(2000, 16)).astype(np.float32),
            "w": rng.normal(size=(16, 8)).astype(np.float32),
        }
        nodes = [
            node("Cast", "x", "ids", "ids", to=7),
            node("Gather", "table ids", "e", "table_row"),
            node("ReduceMean", "e", "m", "mean", axes=[1], keepdims=0),
            node("MatMul", "m w", "y", "dense"),
        ]
        return write(self.folder / "words.onnx", nodes, weights, [1, 6], [1, 8])


def _shape(file: Path) -> tuple[int, ...]:
    """Of one item; what is not an ONNX graph here is the tiny model."""
    if file.suffix == ".onnx":
        import onnx

        axes = onnx.load(file, load_external_data=False).graph.input[0].type.tensor_type.shape.dim
        return tuple(axis.dim_value for axis in axes)[1:]
    channels_last = file.suffix == ".tflite"
    return (
        (tiny.SIDE, tiny.SIDE, tiny.CHANNELS)
        if channels_last
        else (tiny.CHANNELS, tiny.SIDE, tiny.SIDE)
    )


def _items(n: int, shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(1).normal(size=(n, *shape)).astype(np.float32)


def latency(ms: float, spread: float = 0.01, flags: tuple[str, ...] = ()) -> Measurement:
    """A median whose 95 % interval is so much of it to either side."""
    return Measurement(
        "latency_s",
        ms / 1e3,
        "s",
        100,
        ms / 1e3 * (1 - spread),
        ms / 1e3 * (1 + spread),
        flags=flags,
    )


def trial(
    file: Path,
    runtime: str,
    measured: Measurement | None,
    technique: str = "",
    params: Mapping[str, Any] | None = None,
    format: str = "",
    id: str = "t-1",
    **options: Any,
) -> Trial:
    """A complete trial of a file; without a technique it is the float baseline."""
    steps = (Step(technique, dict(params or {})),) if technique else ()
    artifact = Artifact(str(file), format or _format(file), sha256_of(file), file.stat().st_size)
    target = Target(runtime, validate(runtime_of(runtime).options, options, runtime))
    return Trial(
        id,
        "t",
        0,
        technique or "float32",
        Recipe(steps),
        target,
        "complete",
        is_baseline=not technique,
        artifact=artifact,
        measurements={"latency_s": measured} if measured else {},
        environment="e",
    )


def _format(file: Path) -> str:
    return {".onnx": "onnx", ".tflite": "tflite", ".zip": "openvino_ir", ".pt": "torchscript"}.get(
        file.suffix, file.suffix[1:]
    )


def case(
    bench: Bench,
    mine: Trial,
    baseline: Trial | None,
    profiled: bool = False,
    others: Sequence[Trial] = (),
    roofline: Roofline | None = None,
    environment: Mapping[str, Any] = VNNI,
) -> Case:
    """What the engine would know of a trial."""
    known = [t for t in (mine, baseline, *others) if t]
    return Case(
        mine,
        baseline,
        known,
        _anatomy(mine),
        _anatomy(baseline),
        _profile(bench, mine) if profiled else None,
        _profile(bench, baseline) if profiled else None,
        roofline,
        environment,
    )


def _anatomy(of: Trial | None) -> Anatomy | None:
    return anatomy(of.artifact.path, of.artifact.format) if of and of.artifact else None


def _profile(bench: Bench, of: Trial | None) -> Profile | None:
    return (
        bench.profile(Path(of.artifact.path), of.target.runtime, **of.target.options)
        if of and of.artifact
        else None
    )
