"""Format, operators, weights and multiplications of a model file, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab import registry
from lab.errors import InvalidFile
from lab.formats.archives import member_names
from lab.plugs import Format

_HEAD_BYTES = 64
_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def inspect(path: str | Path, format: str) -> dict[str, Any]:
    """Return the contents of a model file; {} for a format that has no such reader.

    Returns:
        inputs, outputs: [{"name", "shape" (None for a free axis), "dtype"}].
        parameters: number of weights that the file stores.
        macs: multiply-accumulate operations for one item; None where a shape cannot be inferred.
        operators: type -> count.
        float_operators: type -> count of the multiplying operators that compute in float though the
            file has integer weights; empty for a float file.

    Raises:
        InvalidFile: the file is damaged.
    """
    reader = registry.formats().get(format)
    return dict(reader.inspect(Path(path))) if reader and reader.inspect else {}


def can_inspect(format: str) -> bool:
    """Return whether files of this format can be inspected."""
    reader = registry.formats().get(format)
    return reader is not None and reader.has("inspect")


def detect_format(path: str | Path) -> str:
    """Return the format of a file as which a model may be added, from its content alone.

    Nothing of the file is executed, and no framework is loaded.

    Raises:
        InvalidFile: the file is missing, damaged, or of another kind.
    """
    path = Path(path)
    if not path.is_file() or not path.stat().st_size:
        raise InvalidFile(
            "There is no model file here, or it is empty", allowed=sources(), given=str(path)
        )
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    owner = recognised(path, head)
    if owner is None or not owner.source:
        raise _refused(path, head, owner)
    return owner.id


def recognised(path: Path, head: bytes) -> Format | None:
    """Return the registered format whose content a file has, or None.

    Args:
        head: the file's first bytes.

    Raises:
        InvalidFile: the content is of a known format, but damaged.
    """
    return next((f for f in registry.formats().values() if f.recognises(path, head)), None)


def sources() -> str:
    """Return the formats as which a model may be added, in words."""
    known = [f for f in registry.formats().values() if f.source]
    *kinds, last = (f"{f.title} ({' or '.join(f.suffixes)})" for f in known)
    return f"a model of {', '.join(kinds)} or {last}"


def _refused(path: Path, head: bytes, owner: Format | None) -> InvalidFile:
    names = member_names(path, head)
    if head.startswith(_PICKLE) or any(name.endswith("data.pkl") for name in names):
        return _pickle(path)
    if owner is not None:
        return InvalidFile(
            f"Files of {owner.title} are not taken in",
            allowed=sources(),
            given=path.name,
            remedy="Add the file that it was converted from",
        )
    if names:
        return InvalidFile(
            "This archive holds no model that the lab knows",
            allowed=sources(),
            given=sorted(names)[:5],
        )
    return InvalidFile(
        "This is no model file, or a damaged one", allowed=sources(), given=path.name
    )


def _pickle(path: Path) -> InvalidFile:
    return InvalidFile(
        "This is a pickle (torch.save, TorchScript or the like), which can run code and is never"
        " loaded here",
        allowed=sources(),
        given=path.name,
        remedy="Write the model with torch.export.save(torch.export.export(…), file)",
    )
