"""Progress bars for IPython and notebooks: one line that changes in place."""

from __future__ import annotations

import sys
from typing import Any

from lab.api._progress import Progress

WIDTH, LINE = 24, 110


def progress_bar(wanted: bool | None) -> Bar | None:
    """A bar for the place that this runs in.

    Args:
        wanted: None means in IPython and Jupyter only.
    """
    shell = _shell()
    if not (shell is not None if wanted is None else wanted):
        return None
    return JupyterBar() if hasattr(shell, "kernel") else Bar()


def _shell() -> Any:
    """IPython's shell, where there is one; it is not imported for that."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def progress_text(p: Progress) -> str:
    """ "7 of 14 trials, measuring, about 20 seconds left"."""
    from lab.plots.formatting import duration

    failed = f" ({p.failed} failed)" if p.failed else ""
    ahead = f"{p.queue_position} studies are before it" if p.queue_position else p.stage
    left = f"{duration(p.seconds_left)} left" if p.seconds_left and p.done < p.total else ""
    return ", ".join(filter(None, [f"{p.done} of {p.total} trials{failed}", ahead, left]))


class Bar:
    """A line of a terminal that is written over."""

    def __call__(self, p: Progress) -> None:
        """Show how far it is."""
        filled = WIDTH * p.done // max(p.total, 1)
        line = f"[{'#' * filled}{'.' * (WIDTH - filled)}] {progress_text(p)}"[:LINE]
        print(f"\r{line.ljust(LINE)}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line."""
        print(file=sys.stderr, flush=True)


class JupyterBar(Bar):
    """An output of a notebook's cell that is updated."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, p: Progress) -> None:
        """Show how far it is."""
        from IPython.display import HTML, display

        from lab.share.notebook_display import progress_html

        shown = HTML(progress_html(p.done, p.total, progress_text(p)))
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def close(self) -> None:
        """Do nothing: the last state stays."""
