"""A process that measures must not outlive the one that waits for it."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Be killed when the thread that started this process ends (prctl(2), PR_SET_PDEATHSIG): exact,
    since it waits for us.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
