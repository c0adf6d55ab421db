"""Reads Keras files, the present .keras and the older .h5, with TensorFlow kept quiet and off any
accelerator.
"""

from __future__ import annotations

import json
import os
import zipfile
from itertools import count
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile


def tensorflow() -> Any:
    """TensorFlow, without its start-up messages; conversions need no accelerator."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import tensorflow

    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow


def tf2onnx() -> Any:
    """tf2onnx, made to write the same bytes each time.

    It numbers names through a process, and walks over sets of nodes, which are ordered by address:
    here names count
    from one again, and nodes hash in the order in which they are first asked.
    """
    import tf2onnx as package

    numbers = count()
    package.utils.INTERNAL_NAME = 1
    package.graph.Node.__hash__ = lambda node: node.__dict__.setdefault("_number", next(numbers))
    return package


def load_keras(path: Path) -> Any:
    """A model for inference, built and ready to convert.

    Raises:
        InvalidFile: Keras cannot read it.
    """
    tensorflow()
    import keras

    with_suffix = path if path.suffix in (".keras", ".h5", ".hdf5") else _linked(path)
    try:
        return keras.models.load_model(
            with_suffix, compile=False, custom_objects=_older_layers(keras)
        )
    except Exception as error:
        raise InvalidFile(
            f"Keras cannot read this file: {str(error).strip()[:500]}",
            allowed=".keras, or .h5 with layers that Keras 3 still has",
            given=str(path),
        ) from error


def save_keras(model: Any, path: Path) -> Path:
    """Write a model as a .keras file, the same bytes for the same model: Keras writes the time and
    a random id into it.

    Args:
        path: where to, ending in .keras.
    """
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in sorted(archive.namelist())}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            if name == "metadata.json":
                data = json.dumps(
                    {**json.loads(data), "date_saved": "1980-01-01@00:00:00"}
                ).encode()
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


def _linked(path: Path) -> Path:
    """Keras looks at the suffix before the content: a link beside the file gives it the suffix of
    its content.
    """
    suffix = ".keras" if path.read_bytes()[:2] == b"PK" else ".h5"
    link = path.with_name(path.name + suffix)
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return link


def _older_layers(keras: Any) -> dict[str, Any]:
    """Keras 2 wrote `groups=1` into depthwise convolutions; Keras 3 knows no such argument."""

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            return keras.layers.DepthwiseConv2D(
                **{k: v for k, v in config.items() if k != "groups"}
            )

    return {"DepthwiseConv2D": DepthwiseConv2D}
