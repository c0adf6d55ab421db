"""The command that serves the app.

The engine starts in this process first, so that interrupted studies continue before anybody opens
a page.
"""

from __future__ import annotations

import argparse
import sys

import lab
from lab.home import CHECKOUT


def serve(port: int, headless: bool, address: str) -> None:
    """Start the app (and finish studies that were interrupted)."""
    import pandas  # noqa: F401 (every page needs it: imported here, nobody waits for it)
    from streamlit.web import cli

    lab.example_study()
    lab.ensure_engine()
    sys.argv = [
        "streamlit",
        "run",
        str(CHECKOUT / "streamlit_app.py"),
        *_settings(port, headless, address),
    ]
    sys.exit(cli.main())


def _settings(port: int, headless: bool, address: str) -> list[str]:
    settings = [
        f"--server.port={port}",
        f"--server.headless={str(headless).lower()}",
        f"--server.address={address}",
    ]
    if address not in ("localhost", "127.0.0.1"):
        # .streamlit/config.toml allows this machine's own names only
        settings.append("--server.allowedHosts=*")
    return settings


def serve_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `serve`."""
    p.add_argument("--port", type=int, default=8501, help="TCP port (default: 8501)")
    p.add_argument("--headless", action="store_true", help="do not open a browser")
    p.add_argument(
        "--address", default="localhost", help="interface to listen on; 0.0.0.0 for a class room"
    )
