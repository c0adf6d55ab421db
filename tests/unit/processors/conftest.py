"""Quantized files to be emulated, and how they run here, as fixtures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.plugs import Setting
from tests.bright import bright_files
from tests.tiny import tiny_onnx, tiny_tflite

__all__ = ["bright_files", "setting", "tiny_onnx", "tiny_tflite"]


@pytest.fixture
def setting(tmp_path: Path) -> Callable[..., Setting]:
    """Options of the target by keyword."""

    def make(
        runtime: str = "ort", features: tuple[str, ...] = ("avx2", "avx512_vnni"), **options: Any
    ) -> Setting:
        return Setting(runtime, options, features, tmp_path)

    return make
