"""Termination of a measuring process together with the one that waits for it."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Kill this process when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG); that
    thread waits for this process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
