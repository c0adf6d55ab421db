"""Starts the app: the engine in this process first, so that interrupted studies go on before
anybody opens a page.
"""

from __future__ import annotations

import sys

import lab
from lab.home import CHECKOUT


def serve(port: int, headless: bool, address: str) -> None:
    """Run the app until it is stopped.

    Args:
        port: TCP port.
        headless: True where no browser shall be opened.
        address: interface to listen on; "0.0.0.0" for a class room.
    """
    import pandas  # noqa: F401 (what every page needs: here nobody waits for it)
    from streamlit.web import cli

    lab.example_study()
    lab.ensure_engine()
    script = str(CHECKOUT / "streamlit_app.py")
    settings = [
        f"--server.port={port}",
        f"--server.headless={str(headless).lower()}",
        f"--server.address={address}",
    ]
    if address not in ("localhost", "127.0.0.1"):
        settings.append(
            "--server.allowedHosts=*"
        )  # .streamlit/config.toml allows this machine's own names only
    sys.argv = ["streamlit", "run", script, *settings]
    sys.exit(cli.main())
