"""Keeps the tools' progress bars, prints and advice out of the job's log; errors are raised, not
printed.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what Python code prints, logs below ERROR and warns about, until the block ends."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(before)


@contextlib.contextmanager
def silent_libraries() -> Iterator[None]:
    """Swallow what compiled libraries write to standard error, whose chatter nothing else turns
    off, until the block ends.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def no_telemetry() -> None:
    """Keep OpenVINO and NNCF from sending anything; to be called before either is imported.

    They send with the package openvino_telemetry, at import already, unless it cannot be imported:
    no environment variable of
    their own stops both (openvino.tools.ovc.telemetry_utils, nncf.telemetry.wrapper).
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
