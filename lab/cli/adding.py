"""The command that registers a model file with its data."""

from __future__ import annotations

import argparse
from pathlib import Path

import lab


def add(
    file: Path,
    data: Path,
    task: str,
    name: str | None,
    layout: str | None,
    scale: float | None,
    offset: float | None,
) -> None:
    """Register a trusted model file (.onnx, .tflite, .keras, .h5, .pt2) with its data."""
    card = lab.add_model(
        file, data, task, name=name, layout=layout, scale=scale, offset=offset, say=print
    )
    print(f"added {card.id}: {card.description}")


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `add`."""
    p.add_argument("file", type=Path, help=".onnx, .tflite, .keras, .h5 or .pt2; trusted")
    p.add_argument(
        "--data",
        type=Path,
        required=True,
        help=(
            ".npz with x_calibration, y_calibration, x_test, y_test, perhaps class_names; or the id"
            " of a data set"
        ),
    )
    p.add_argument("--task", default="classification")
    p.add_argument("--name", help="the id to register it under (default: the file's name)")
    p.add_argument(
        "--layout",
        choices=("NHWC", "NCHW"),
        help="layout of the images in the data (default: inferred)",
    )
    p.add_argument(
        "--scale", type=float, help="model input = data × scale + offset (default: inferred)"
    )
    p.add_argument("--offset", type=float, help="see --scale")
