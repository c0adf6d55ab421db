"""A publisher on this machine: serves files from memory over HTTP, and fails in the ways that
publishers fail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from lab.plugs import SourceFile


class Publisher:
    """Attributes:
    files: name -> content.
    cut_after: bytes after which each answer breaks off; None sends all.
    ranges: whether it goes on from the middle of a file.
    asked: (name, first byte) of every request.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, bytes] = {}
        self.cut_after: int | None = None
        self.ranges = True
        self.asked: list[tuple[str, int]] = []

    def offer(self, name: str, content: bytes) -> SourceFile:
        self.files[name] = content
        return SourceFile(
            f"{self.address}/{name}", hashlib.sha256(content).hexdigest(), len(content)
        )


@contextmanager
def publisher() -> Iterator[Publisher]:
    """Open while the context is."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    found = _Handler.publishers[server.server_port] = Publisher(
        f"http://127.0.0.1:{server.server_port}"
    )
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    publishers: dict[int, Publisher] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        here = self.publishers[self.server.server_port]  # type: ignore[attr-defined]
        name, given = self.path[1:], self.headers.get("Range")
        start = int(given.removeprefix("bytes=").rstrip("-")) if given and here.ranges else 0
        here.asked.append((name, start))
        if name not in here.files:
            return self.send_error(404)
        rest = here.files[name][start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest if here.cut_after is None else rest[: here.cut_after])
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass
