"""Reads and writes OpenVINO models: graph and weights as two members of one uncompressed ZIP file.

OpenVINO itself writes two files that are worth nothing apart. One file has one digest, and
uncompressed members can be mapped into memory where they lie.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.formats.quiet import no_telemetry
from lab.lazy import np
from lab.plugs import Array

GRAPH, WEIGHTS = "model.xml", "model.bin"
_LOCAL_HEADER, _LENGTHS = 30, 26
"""Bytes of a member's header before its name, and where in it the lengths of name and extra field
stand (PKWARE APPNOTE 4.3.7).
"""
_ALIGNED = 64
_PADDING_FIELD = 0xD935  # what Android's zipalign fills with
_EPOCH = (1980, 1, 1, 0, 0, 0)
_BROKEN = (
    zipfile.BadZipFile,
    KeyError,
    OSError,
    EOFError,
    UnicodeDecodeError,
    NotImplementedError,
    struct.error,
)


def openvino() -> Any:
    """The package, without the telemetry that importing it sends."""
    no_telemetry()
    import openvino

    return openvino


def load_openvino(path: Path) -> Any:
    """The model (openvino.Model) of a file, its weights in memory of its own.

    Raises:
        InvalidFile: it is no OpenVINO file, or a damaged one.
    """
    graph, weights = mapped(path)
    return read_model(openvino().Core(), graph, openvino().Tensor(np.array(weights)), path)


def read_model(core: Any, graph: str, weights: Any, path: str | Path) -> Any:
    """The model of a graph and a tensor (openvino.Tensor) with its weights.

    Raises:
        InvalidFile: the graph is none, or names weights that are not there.
    """
    try:
        return core.read_model(graph, weights)
    except Exception as error:
        raise InvalidFile(
            f"OpenVINO refuses this file: {reason(error)}", given=str(path)
        ) from error


def mapped(path: str | Path) -> tuple[str, Array]:
    """The graph as text, and the weights as bytes that are mapped into memory: whoever uses them
    keeps the array.

    Raises:
        InvalidFile: it is no OpenVINO file, or a damaged one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            weights = archive.getinfo(WEIGHTS)
            graph = archive.read(GRAPH).decode()
            start = _start(archive, weights)
    except _BROKEN as error:
        raise InvalidFile(
            "This is not a readable OpenVINO file",
            allowed=f"an uncompressed ZIP file with {GRAPH} and {WEIGHTS}",
            given=str(path),
        ) from error
    if weights.compress_type != zipfile.ZIP_STORED:
        raise InvalidFile(
            "The weights of this file are compressed",
            allowed="a ZIP file without compression",
            given=str(path),
        )
    if not weights.file_size:
        return graph, np.zeros(0, np.uint8)
    return graph, np.memmap(path, np.uint8, "c", start, (weights.file_size,))


def parts(path: Path) -> dict[str, bytes]:
    """Return graph and weights apart, under the names that OpenVINO itself gives them."""
    with zipfile.ZipFile(path) as archive:
        return {part: archive.read(part) for part in (GRAPH, WEIGHTS)}


def _start(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return the offset of a stored member's bytes."""
    assert archive.fp is not None
    archive.fp.seek(member.header_offset + _LENGTHS)
    name, extra = struct.unpack("<HH", archive.fp.read(4))
    return int(member.header_offset + _LOCAL_HEADER + name + extra)


def write_openvino(
    model: Any, target: Path, keep: Collection[str] = (), half: bool = False
) -> Path:
    """Write a model (openvino.Model) as one file; equal models give equal bytes.

    Args:
        keep: names of nodes that stay as they are, see `_numbered`.
        half: store float weights in 16 bits.
    """
    folder = target.with_suffix(".parts")
    folder.mkdir(exist_ok=True)
    openvino().save_model(model, str(folder / GRAPH), compress_to_fp16=half)
    graph = _bare(_numbered((folder / GRAPH).read_text(), frozenset(keep)))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member(WEIGHTS, aligned=True), (folder / WEIGHTS).read_bytes())
        archive.writestr(_member(GRAPH), graph)
    return target


def _member(name: str, aligned: bool = False) -> zipfile.ZipInfo:
    """A member of no date; an aligned one must come first, and its bytes then begin where vector
    instructions like it.
    """
    info = zipfile.ZipInfo(name, _EPOCH)
    if aligned:
        padding = -(_LOCAL_HEADER + len(name) + 4) % _ALIGNED
        info.extra = struct.pack("<HH", _PADDING_FIELD, padding) + bytes(padding)
    return info


def _bare(graph: str) -> str:
    """Drop what OpenVINO and NNCF note about the model as a whole: versions, paths, settings, a
    name with a running number.
    """
    graph = re.sub(r'<net name="[^"]*"', '<net name="model"', graph, count=1)
    return re.sub(r"^\t<rt_info>\n.*?^\t</rt_info>\n", "", graph, flags=re.DOTALL | re.MULTILINE)


_NAME = re.compile(r'(?<=<layer )(id="\d+" name=")([^"]*)')
_AUTOMATIC = re.compile(r"([A-Z][A-Za-z0-9]*)_\d+")


def _numbered(graph: str, keep: frozenset[str]) -> str:
    """Number anew the nodes that OpenVINO named after their type and a running number of the
    process, such as Reshape_1734.

    Args:
        keep: names, and parts of names between slashes, that come from a file and only look like
            these.
    """
    given: dict[str, str] = {}
    numbers: dict[str, Iterator[int]] = {}

    def renamed(part: str) -> str:
        found = None if part in keep else _AUTOMATIC.fullmatch(part)
        if found and part not in given:
            free = (f"{found[1]}_{n}" for n in numbers.setdefault(found[1], count(1)))
            given[part] = next(name for name in free if name not in keep)
        return given.get(part, part)

    def layer(found: re.Match[str]) -> str:
        name = found[2]
        return found[1] + (name if name in keep else "/".join(map(renamed, name.split("/"))))

    return _NAME.sub(layer, graph)


def node_names(model: Any) -> frozenset[str]:
    """The friendly names of a model's nodes."""
    return frozenset(op.get_friendly_name() for op in model.get_ops())


def reason(error: Exception) -> str:
    """Return OpenVINO's error message without the places in its source that it names."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [
        line
        for line in lines
        if line and not re.match(r"Exception from |Check '.*' failed at ", line)
    ]
    return " ".join(told)[:400] or type(error).__name__
