"""TorchScript files: traced, frozen, and written so that the same model gives the same bytes.

A note beside the code (`extra/lab.json`) says what the file takes and gives, which TorchScript
itself forgets, and with which engine its integers are computed, since an engine packs the weights
in its own way when it loads them.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile

NOTE = "lab.json"
ALIGNMENT = 64
_MANGLED = re.compile(rb"___torch_mangle_\d+")
_PADDING, _EARLIEST = b"FB", (1980, 1, 1, 0, 0, 0)


def write_torchscript(
    model: Any, item: Any, batch: int | None, target: Path, engine: str = ""
) -> Path:
    """Trace and freeze a module of one input and one output, and write it.

    Args:
        item: one example item with its batch axis, shape (1, *input).
        batch: the batch that the model is bound to, or None for a free batch axis.
        engine: what computes its integers, one of torch.backends.quantized.supported_engines; ""
            for a float model.

    Raises:
        InvalidFile: tracing bakes the example's batch into it, or torch cannot trace it.
    """
    import torch

    example = item.repeat(batch or 2, *[1] * (item.ndim - 1))
    try:
        with torch.no_grad():
            frozen = torch.jit.freeze(torch.jit.trace(model, (example,), check_trace=False).eval())
            output = frozen(example)
    except RuntimeError as error:
        raise InvalidFile(
            f"torch cannot trace this model: {str(error).strip()[:300]}", given=target.name
        ) from error
    if batch is None:
        _check_free_batch(model, frozen, item)
    about = {"input": _info(example, batch), "output": _info(output, batch), "engine": engine}
    saved = io.BytesIO()
    torch.jit.save(frozen, saved, _extra_files={NOTE: json.dumps(about)})
    _write_plain(_records(saved.getvalue()), target)
    return target


def _check_free_batch(model: Any, frozen: Any, item: Any) -> None:
    import torch

    more = item.repeat(3, *[1] * (item.ndim - 1))
    try:
        with torch.no_grad():
            same = torch.allclose(frozen(more), model(more), rtol=1e-4, atol=1e-4)
    except RuntimeError:
        same = False
    if not same:
        raise InvalidFile(
            "Tracing bakes the number of items into this model",
            given="other answers for 3 items than for 2",
            remedy="Export the model so that it does no arithmetic on the size of its batch",
        )


def _info(tensor: Any, batch: int | None) -> dict[str, Any]:
    return {"shape": [batch, *tensor.shape[1:]], "dtype": str(tensor.dtype).removeprefix("torch.")}


def _records(saved: bytes) -> dict[str, bytes]:
    """The archive's records, without what names this machine's files, and with class names that
    count from 0.
    """
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        inside = {
            n.partition("/")[2]: archive.read(n)
            for n in archive.namelist()
            if not n.endswith(".debug_pkl")
        }
    numbers: dict[bytes, bytes] = {}

    def renamed(text: bytes) -> bytes:
        return _MANGLED.sub(
            lambda m: numbers.setdefault(m[0], b"___torch_mangle_%d" % len(numbers)), text
        )

    inside.pop(".data/serialization_id", None)
    return {
        renamed(name.encode()).decode(): renamed(data) if name.endswith((".py", ".pkl")) else data
        for name, data in inside.items()
    }


def _write_plain(records: Mapping[str, bytes], target: Path) -> None:
    """A zip archive with code packed and tensors as they are, each at a multiple of 64 bytes, as
    torch writes it.
    """
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in records.items():
            entry = zipfile.ZipInfo(f"model/{name}", _EARLIEST)
            entry.compress_type = (
                zipfile.ZIP_DEFLATED if name.endswith((".py", ".pkl")) else zipfile.ZIP_STORED
            )
            start = archive.fp.tell() + 30 + len(entry.filename) + 4  # type: ignore[union-attr]  # local header, padding's own
            gap = -start % ALIGNMENT
            entry.extra = _PADDING + gap.to_bytes(2, "little") + bytes(gap)
            archive.writestr(entry, data)


def read_note(path: Path) -> dict[str, Any]:
    """Return the file's input, output and engine; see `write_torchscript`.

    Raises:
        InvalidFile: this is no TorchScript file that the lab wrote.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return dict(json.loads(archive.read(f"model/extra/{NOTE}")))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise InvalidFile(
            "This is no TorchScript file of the lab",
            allowed="a file that a technique of the lab wrote",
            given=str(path),
        ) from error


def read_torchscript(path: Path) -> Any:
    """The file's module, with its weights packed for its engine.

    Raises:
        InvalidFile: torch cannot read it, or lacks its engine.
    """
    import torch

    engine = read_note(path)["engine"]
    if engine:
        use_engine(engine)
    try:
        return torch.jit.load(str(path), map_location="cpu")
    except RuntimeError as error:
        raise InvalidFile(
            f"torch cannot read this file: {str(error).strip()[:300]}", given=str(path)
        ) from error


def use_engine(engine: str) -> None:
    """Have torch compute quantized operators with this engine.

    Raises:
        InvalidFile: this machine's torch has no such engine.
    """
    import torch

    known = [name for name in torch.backends.quantized.supported_engines if name != "none"]
    if engine not in known:
        raise InvalidFile(
            "This machine's torch has no such engine for integers",
            allowed=", ".join(known),
            given=engine,
        )
    torch.backends.quantized.engine = engine
