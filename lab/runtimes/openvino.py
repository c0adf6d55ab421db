"""OpenVINO on the CPU: Intel's runtime for servers, laptops and small x86 and ARM machines."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile, InvalidOption
from lab.evidence import Profile
from lab.formats.batching import BATCH, REMEDY, batch_size
from lab.formats.feeding import batches
from lab.formats.openvino_ir.files import mapped, openvino, read_model, reason
from lab.formats.openvino_ir.graph import workaround
from lab.formats.threads import THREADS
from lab.lazy import np
from lab.options import Option
from lab.plugs import Array, Provider, Runtime, TensorInfo

_LOADED_LATE = (
    "libopenvino_ir_frontend.so*",
    "libopenvino_intel_cpu_plugin.so",
    "libopenvino_arm_cpu_plugin.so",
)
_CAPABILITY = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}


def _preload() -> None:
    """Import the package and load the libraries that it opens with the first model, so that they
    count for no model's memory or time.
    """
    folder = Path(openvino().__file__).parent / "libs"
    for library in (file for pattern in _LOADED_LATE for file in folder.glob(pattern)):
        ctypes.CDLL(str(library))


@cache
def _core() -> Any:
    return openvino().Core()


class OpenVinoSession:
    """Session of one model in OpenVINO, compiled for one batch size; more items are run batch after
    batch.

    With a free batch axis, one item would take up to twice the time, and the CPU plug-in of version
    2026.4 computes wrong results for batches of some quantized models (a mean that is scaled per
    channel and quantized).
    """

    def __init__(self, path: str, options: Mapping[str, Any], counting: bool = False) -> None:
        """Load a file; `counting` times each operator, which adds overhead."""
        graph, self._weights = mapped(path)  # the model reads them without a copy
        model = self._read(graph, path)
        batch, feed = batch_size(options), _info(_the_only_input(model))
        shape = _shape(feed.shape, batch)
        self.input = TensorInfo((batch, *feed.shape[1:]), feed.dtype) if batch > 1 else feed
        self.output = _info(model.output(0))
        config = {
            **_config(options),
            **workaround(graph, model),
            **({"PERF_COUNT": True} if counting else {}),
        }
        try:
            compiled = _compiled(model, shape, config)
        except RuntimeError as error:  # some quantized graphs only compile with free axes
            if batch > 1 and feed.shape[0] is not None:
                raise _no_batch(batch, error) from error
            compiled = self._compiled_free(graph, config, path)
        self.compiled, self._request = compiled, compiled.create_infer_request()
        self._tensor = openvino().Tensor(model.input(0).get_element_type(), openvino().Shape(shape))
        self._request.set_input_tensor(self._tensor)
        self._infer, self._output, self._source = (
            self._request.infer,
            self._request.get_output_tensor,
            self._tensor.data,
        )

    def _read(self, graph: str, path: str) -> Any:
        return read_model(
            _core(), graph, openvino().Tensor(self._weights, shared_memory=True), path
        )

    def _compiled_free(self, graph: str, config: Mapping[str, Any], path: str) -> Any:
        try:
            return _core().compile_model(self._read(graph, path), "CPU", dict(config))
        except RuntimeError as error:
            raise InvalidFile(
                f"OpenVINO cannot compile this file for the CPU: {reason(error)}",
                given=path,
                remedy="Choose another technique, or run the file in another runtime",
            ) from error

    def counters(self) -> list[Any]:
        """Return the ProfilingInfo of each operator if counting: averages of all calls so far."""
        return list(self._request.get_profiling_info())

    def prepare(self, x: Array) -> Array:
        """Return the batch in the model's input type."""
        return x.astype(self.input.dtype, order="C", copy=False)

    def run(self, x: Array) -> Array:
        """Run the model on a batch; shape (batch, *input) -> (batch, *output)."""
        if x.shape == self._source.shape:
            self._source[...] = x
            self._infer()
            answer: Array = self._output(0).data.copy()
            return answer
        parts = batches(x, len(self._source), filled=True)
        return np.concatenate([self.run(part) for part in parts])[: len(x)]


def _no_batch(batch: int, error: RuntimeError) -> InvalidFile:
    return InvalidFile(
        f"OpenVINO cannot reshape this file for a batch of {batch}: {reason(error)}",
        allowed="batch 1",
        given=f"batch {batch}",
        remedy=REMEDY,
    )


def _the_only_input(model: Any) -> Any:
    if len(model.inputs) != 1:
        raise InvalidFile(
            "The model must have exactly one input",
            allowed="1",
            given=[i.get_any_name() for i in model.inputs],
        )
    return model.input(0)


def _info(value: Any) -> TensorInfo:
    shape = tuple(
        None if size.is_dynamic else size.get_length() for size in value.get_partial_shape()
    )
    return TensorInfo(shape, np.dtype(value.get_element_type().to_dtype()).name)


def _shape(shape: tuple[int | None, ...], batch: int) -> list[int]:
    """Return the input's shape with its batch axis set to `batch`; for batch 1 a fixed axis keeps
    its size.

    Raises:
        InvalidFile: the input has other free axes.
    """
    if None in shape[1:]:
        raise InvalidFile(
            "The model's input has free axes",
            allowed="a free batch axis and no others",
            given=shape,
            remedy="Export the model with fixed sizes",
        )
    return [
        batch if batch > 1 or shape[0] is None else shape[0],
        *(size or 1 for size in shape[1:]),
    ]


def _compiled(model: Any, shape: list[int], config: Mapping[str, Any]) -> Any:
    partial = model.input(0).get_partial_shape()
    if partial.is_dynamic or list(partial.to_shape()) != shape:
        model.reshape(shape)
    return _core().compile_model(model, "CPU", dict(config))


def _config(options: Mapping[str, Any]) -> dict[str, Any]:
    threads, hint = int(options.get("threads", 1)), str(options.get("hint", "latency"))
    return {
        "PERFORMANCE_HINT": hint.upper(),
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads if hint == "throughput" else 1,
        "INFERENCE_PRECISION_HINT": _precision(str(options.get("precision", "f32"))),
        "ENABLE_CPU_PINNING": (
            False
        ),  # with pinning, all models that are measured in turns would use the same core
    }


def _precision(wanted: str) -> str:
    """Return the precision if this CPU supports it.

    Raises:
        InvalidOption: it does not; OpenVINO would silently use 32 bits.
    """
    able = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if _CAPABILITY[wanted] not in able:
        known = ", ".join(name for name, capability in _CAPABILITY.items() if capability in able)
        raise InvalidOption(
            "This CPU does not support this precision",
            allowed=known,
            given=wanted,
            remedy="Choose f32, or measure on a CPU with these instructions",
        )
    return wanted


def _load(path: str, options: Mapping[str, Any]) -> OpenVinoSession:
    return OpenVinoSession(str(path), options)


def _profile(path: str, options: Mapping[str, Any], item: Array, runs: int) -> Profile:
    from lab.runtimes._openvino_profile import profile

    counting, (graph, _) = OpenVinoSession(str(path), options, counting=True), mapped(path)
    return profile(_load(path, options), counting, graph, item, runs)


_DEVICES = {
    "CPU": "OpenVINO's CPU plug-in runs on any x86-64 or ARM64 processor",
    "GPU": "needs an Intel graphics processor and its OpenCL driver (package intel-opencl-icd)",
    "NPU": "needs an Intel processor with an NPU (Core Ultra) and its Linux driver",
}


def _providers() -> tuple[Provider, ...]:
    """Return the devices that OpenVINO knows; the lab runs on the CPU."""
    devices = {device.split(".")[0]: device for device in reversed(_core().available_devices)}
    return tuple(
        Provider(
            name,
            name in devices,
            _core().get_property(devices[name], "FULL_DEVICE_NAME") if name in devices else lack,
        )
        for name, lack in _DEVICES.items()
    )


RUNTIME = Runtime(
    id="openvino",
    title="OpenVINO (CPU)",
    help=(
        "Runs models with Intel's kernels, which use the int8, bfloat16 and float16 instructions of"
        " the CPU."
    ),
    formats=("openvino_ir",),
    preload=_preload,
    load=_load,
    options=(
        THREADS,
        Option(
            id="hint",
            label="Performance hint",
            kind="choice",
            default="latency",
            choices=("latency", "throughput"),
            help=(
                "With latency, all threads compute one item. With throughput, each thread computes"
                " its own item, so that single items, as measured here, do not become faster with"
                " more threads."
            ),
            sweep={"full": ("latency", "throughput")},
            affects_output=False,
        ),
        BATCH,
        Option(
            id="precision",
            label="Float precision",
            kind="choice",
            default="f32",
            choices=("f32", "bf16", "f16"),
            help=(
                "Float format of the operators that are not quantized. The 16-bit formats are"
                " faster on CPUs with instructions for them, and are rejected on others."
            ),
            sweep={"full": ("f32", "bf16")},
        ),
    ),
    requires=("openvino",),
    version_of="openvino",
    zeros=(  # observed in profiles and stated in OpenVINO's documentation
        "OpenVINO skips no zeros in float; only on CPUs with AMX it can pack 8-bit dense layers"
        " (CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE)."
    ),
    toolchain="nncf",
    presets=("standard", "full"),
    providers=_providers,
    profile=_profile,
)
