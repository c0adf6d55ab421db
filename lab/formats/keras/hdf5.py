"""HDF5 files of older Keras versions, checked without loading a framework."""

from __future__ import annotations

from pathlib import Path

from lab.errors import InvalidFile

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def check_architecture(path: Path) -> None:
    """Check that an HDF5 file holds a whole model.

    Raises:
        InvalidFile: it is damaged, or holds weights without an architecture.
    """
    import h5py

    whole = "a complete .h5 file that model.save() wrote"
    try:
        with h5py.File(path, "r") as file:
            complete = "model_config" in file.attrs
    except OSError as error:
        raise InvalidFile("This HDF5 file is damaged", allowed=whole, given=path.name) from error
    if not complete:
        raise InvalidFile(
            "This HDF5 file holds weights without an architecture",
            allowed=whole,
            given=path.name,
            remedy="Save the whole model with model.save(), not its weights alone",
        )
