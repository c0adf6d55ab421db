"""Compiled models in LiteRT's C library with its profiler, which the Python package does not
expose.

The library has no stable binary interface: this code fits the versions in VERSIONS and rejects
others. Source: headers of github.com/google-ai-edge/LiteRT, litert/c.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_bool, c_char_p, c_int, c_size_t, c_uint, c_void_p
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from lab.errors import InvalidFile, LabError
from lab.formats.quiet import silent_libraries
from lab.lazy import np
from lab.plugs import Array

VERSIONS = ("2.3.",)
WHOLE, OPERATOR, DELEGATED = 1, 2, 8
"""Types of events: a part of a call, an operator of LiteRT's own kernels, an operator of a
delegate.
"""
_CPU, _WRITE, _MOST_AXES = 1, 1, 8
_EVENT = [
    ("tag", "u8"), ("type", "u4"), ("pad", "u4"), ("start", "u8"), ("elapsed", "u8"),
    ("memory", "u8", 6), ("index", "i8"), ("graph", "i8"), ("source", "u4"), ("rest", "u4"),
]  # fmt: skip
"""C struct ProfiledEventData."""


class _Layout(ctypes.Structure):
    """C struct LiteRtLayout: rank and a flag for strides in one integer, sizes, strides."""

    _fields_ = (("rank", c_uint), ("dims", c_int * _MOST_AXES), ("strides", c_uint * _MOST_AXES))


class _Type(ctypes.Structure):
    """C struct LiteRtRankedTensorType."""

    _fields_ = (("element", c_int), ("layout", _Layout))


class Event(NamedTuple):
    """Event of the profiler: times in µs and the operator's index in its subgraph or delegate.
    Delegate events have no start time (0).
    """

    tag: str
    type: int
    start: int
    elapsed: int
    node: int
    graph: int


class ProfiledModel:
    """TFLite file loaded by the library on the CPU, whose operators are timed while `recording`."""

    def __init__(self, path: str, settings: str, x: Array) -> None:
        """Open a file.

        Args:
            settings: CPU settings in the library's text format, one per line, such as "num_threads
                = 1".
            x: input of every call, in the file's type.

        Raises:
            LabError: this version of the package is not supported.
            InvalidFile: LiteRT rejects the file.
        """
        self._library, self._path = _library(), path
        with silent_libraries():
            self._open(path, settings)
        graph = self._made("LiteRtGetModelSubgraph", self._model, c_size_t(0))
        self._resize(x.shape)
        self._feeds, self._fetches = self._buffers("Input", graph), self._buffers("Output", graph)
        self._feed(x)

    def _open(self, path: str, settings: str) -> None:
        self._environment = self._made("LiteRtCreateEnvironment", c_int(0), None)
        self._model = self._made("LiteRtCreateModelFromFile", self._environment, path.encode())
        options = self._made("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, c_int(_CPU))
        for name, text in (
            ("runtime_options_string", "enable_profiling = true"),
            ("xnnpack", settings),
        ):
            self._call("LiteRtAddOpaqueOptions", options, self._opaque(name, text))
        self._compiled = self._made(
            "LiteRtCreateCompiledModel", self._environment, self._model, options
        )
        self._call("LiteRtDestroyOptions", options)
        self._profiler = self._made("LiteRtCompiledModelGetProfiler", self._compiled)

    def _opaque(self, name: str, text: str) -> c_void_p:
        """Create options from text; the library frees them itself."""
        system = ctypes.CDLL(None)
        system.strdup.restype = c_void_p
        copy = c_void_p(system.strdup(f"{text}\n".encode()))
        return self._made(
            "LiteRtCreateOpaqueOptions", name.encode(), copy, ctypes.cast(system.free, c_void_p)
        )

    def _resize(self, shape: tuple[int, ...]) -> None:
        """Set the batch size of the input; the file may leave it free or fix another one."""
        dims = (c_int * len(shape))(*shape)
        self._call(
            "LiteRtCompiledModelResizeInputTensorNonStrict",
            self._compiled,
            c_size_t(0),
            c_size_t(0),
            dims,
            c_size_t(len(shape)),
        )

    def _buffers(self, kind: str, graph: c_void_p) -> Any:
        count = c_size_t()
        self._call(f"LiteRtGetNumSubgraph{kind}s", graph, byref(count))
        layouts = (_Layout * count.value)()
        if kind == "Input":
            self._call(
                "LiteRtGetCompiledModelInputTensorLayout",
                self._compiled,
                c_size_t(0),
                c_size_t(0),
                layouts,
            )
        else:
            self._call(
                "LiteRtGetCompiledModelOutputTensorLayouts",
                self._compiled,
                c_size_t(0),
                count,
                layouts,
                c_bool(True),
            )
        return (c_void_p * count.value)(
            *(self._buffer(kind, graph, n, layout).value for n, layout in enumerate(layouts))
        )

    def _buffer(self, kind: str, graph: c_void_p, number: int, layout: _Layout) -> c_void_p:
        type_, index = _Type(), c_size_t(number)
        self._call(
            "LiteRtGetRankedTensorType",
            self._made(f"LiteRtGetSubgraph{kind}", graph, index),
            byref(type_),
        )
        type_.layout = layout
        needs = self._made(
            f"LiteRtGetCompiledModel{kind}BufferRequirements", self._compiled, c_size_t(0), index
        )
        return self._made(
            "LiteRtCreateManagedTensorBufferFromRequirements",
            self._environment,
            byref(type_),
            needs,
        )

    def _feed(self, x: Array) -> None:
        size, data = c_size_t(), np.ascontiguousarray(x)
        self._call("LiteRtGetTensorBufferPackedSize", c_void_p(self._feeds[0]), byref(size))
        if size.value != data.nbytes:
            raise InvalidFile(
                "LiteRT's profiler does not support this input",
                allowed=f"{size.value} bytes",
                given=f"{data.nbytes} bytes",
                remedy="Profile the file with batch 1",
            )
        place = c_void_p()
        self._call("LiteRtLockTensorBuffer", c_void_p(self._feeds[0]), byref(place), c_int(_WRITE))
        ctypes.memmove(place, data.ctypes.data, data.nbytes)
        self._call("LiteRtUnlockTensorBuffer", c_void_p(self._feeds[0]))

    def run(self) -> None:
        """Run one call."""
        self._call(
            "LiteRtRunCompiledModel",
            self._compiled,
            c_size_t(0),
            c_size_t(len(self._feeds)),
            self._feeds,
            c_size_t(len(self._fetches)),
            self._fetches,
        )

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Time operators until the block ends."""
        self._call("LiteRtResetProfiler", self._profiler)
        self._call("LiteRtStartProfiler", self._profiler)
        yield
        self._call("LiteRtStopProfiler", self._profiler)

    def events(self) -> list[Event]:
        """Return the recorded events in the order of their start."""
        count = c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, byref(count))
        records = np.zeros(max(count.value, 1), dtype=_EVENT)
        self._call(
            "LiteRtGetProfilerEvents", self._profiler, count, records.ctypes.data_as(c_void_p)
        )
        return [
            Event(
                _text(e["tag"]),
                *(int(e[field]) for field in ("type", "start", "elapsed", "index", "graph")),
            )
            for e in records[: count.value]
        ]

    def close(self) -> None:
        """Free all resources of the library."""
        for buffer in (*self._feeds, *self._fetches):
            self._library.LiteRtDestroyTensorBuffer(c_void_p(buffer))
        with silent_libraries():
            self._library.LiteRtDestroyCompiledModel(self._compiled)
            self._library.LiteRtDestroyModel(self._model)
            self._library.LiteRtDestroyEnvironment(self._environment)

    def _made(self, name: str, *arguments: Any) -> c_void_p:
        handle = c_void_p()
        self._call(name, *arguments, byref(handle))
        return handle

    def _call(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._library, name)(*arguments):
            raise InvalidFile(
                f"LiteRT's library refuses this file in its profiler: {name} returns {status}",
                given=self._path,
            )


def _library() -> ctypes.CDLL:
    installed = version("ai-edge-litert")
    if not installed.startswith(VERSIONS):
        raise LabError(
            "The lab does not support the profiler of this LiteRT version",
            allowed=", ".join(f"{v}x" for v in VERSIONS),
            given=installed,
            remedy="Install ai-edge-litert 2.3",
        )
    import ai_edge_litert

    return ctypes.CDLL(str(Path(ai_edge_litert.__file__).with_name("libLiteRt.so")))


def _text(address: Any) -> str:
    return (c_char_p(int(address)).value or b"").decode()
