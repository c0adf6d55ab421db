"""The tiny models, as fixtures, and a training that is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.finetuning import loop
from tests.tiny import tiny_torch

__all__ = ["killed_after", "tiny_torch"]


@pytest.fixture
def killed_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Any]:
    """steps -> within it, every step is a checkpoint, and after so many whatever trains is
    killed.
    """

    @contextmanager
    def within(steps: int) -> Iterator[None]:
        save = loop.Course._save

        def saved(self: Any, progress: Any) -> None:
            save(self, progress)
            if progress.step == steps:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(loop, "CHECKPOINT_S", 0.0)
            patched.setattr(loop.Course, "_save", saved)
            with pytest.raises(KeyboardInterrupt):
                yield

    return within
