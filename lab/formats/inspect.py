"""Looks into model files without running them: which format, which operators, how many weights and
multiplications.
"""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile

FORMATS = (
    "a Keras model (.keras or .h5), a torch.export program (.pt2), an ONNX file or a TFLite file"
)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK"
_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def inspect(path: str | Path, format: str) -> dict[str, Any]:
    """What a model file holds; {} for a format that nobody looks into.

    Returns:
        inputs, outputs: [{"name", "shape" (None for a free axis), "dtype"}].
        parameters: how many numbers the file stores as weights.
        macs: multiply-accumulate operations for one item; None where a shape cannot be inferred.
        operators: type -> count.
        float_operators: type -> count of the multiplying operators that compute in float though the
            file has integer
            weights; empty for a float file.

    Raises:
        InvalidFile: the file is damaged.
    """
    return (
        dict(importlib.import_module(_module(format)).inspect(Path(path)))
        if can_inspect(format)
        else {}
    )


def can_inspect(format: str) -> bool:
    """Whether somebody looks into files of this format."""
    return importlib.util.find_spec(_module(format)) is not None


def _module(format: str) -> str:
    return f"lab.formats.{format}_inspect"


def detect_format(path: str | Path) -> str:
    """Format of a model file, told from its content: "keras", "torch_export", "onnx" or "tflite".

    Nothing of the file is executed, and no framework is loaded.

    Raises:
        InvalidFile: the file is missing, damaged, or of another kind.
    """
    path = Path(path)
    if not path.is_file() or not path.stat().st_size:
        raise InvalidFile(
            "There is no model file here, or it is empty", allowed=FORMATS, given=str(path)
        )
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_PICKLE):
        raise _pickle(path)
    if head == _HDF5:
        return _check_hdf5(path)
    if head.startswith(_ZIP):
        return _kind_of_zip(path)
    return _kind_of_buffer(path, head)


def _kind_of_buffer(path: Path, head: bytes) -> str:
    from lab.formats.onnx.files import load_onnx
    from lab.formats.tflite.files import MAGIC, load_tflite

    if head[4:8] == MAGIC:
        load_tflite(path)
        return "tflite"
    try:
        load_onnx(path)
    except InvalidFile as error:
        raise InvalidFile(
            "This is no model file, or a damaged one", allowed=FORMATS, given=path.name
        ) from error
    return "onnx"


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged, names = archive.testzip(), archive.namelist()
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InvalidFile(
            "This file is damaged", allowed="a complete .keras or .pt2 file", given=path.name
        ) from error
    if damaged:
        raise InvalidFile(
            "A part of this file is damaged",
            allowed="a complete .keras or .pt2 file",
            given=damaged,
        )
    if {"config.json", "model.weights.h5"} <= set(names):
        return "keras"
    if any(
        name.endswith(("/models/model.json", "serialized_exported_program.json")) for name in names
    ):
        return "torch_export"
    if any(name.endswith("data.pkl") for name in names):
        raise _pickle(path)
    raise InvalidFile(
        "This archive holds no model that the lab knows", allowed=FORMATS, given=names[:5]
    )


def _check_hdf5(path: Path) -> str:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            whole = "model_config" in file.attrs
    except OSError as error:
        raise InvalidFile(
            "This HDF5 file is damaged", allowed="a complete .h5 file", given=path.name
        ) from error
    if not whole:
        raise InvalidFile(
            "This HDF5 file holds weights without an architecture",
            allowed=FORMATS,
            given=path.name,
            remedy="Save the whole model with model.save(), not its weights alone",
        )
    return "keras"


def _pickle(path: Path) -> InvalidFile:
    return InvalidFile(
        "This is a pickle (torch.save, TorchScript or the like), which can run code and is never"
        " loaded here",
        allowed=FORMATS,
        given=path.name,
        remedy="Write the model with torch.export.save(torch.export.export(…), file)",
    )
