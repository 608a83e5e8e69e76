"""A Hugging Face hub of one dataset, ``org/name``: as much of its HTTP interface as loading the dataset asks for."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

__all__ = ["COMMIT", "FILE", "Hub"]

COMMIT = "a" * 40
FILE = "test.parquet"


class Hub:
    """Serves ``content`` as the file FILE of the only commit, on a free port, while the block runs."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers for a path."""
        if "/resolve/" in path:
            name = path.partition("/resolve/")[2].partition("/")[2]
            if name == FILE:
                return 200, self.content, {"ETag": f'"{"b" * 40}"', "X-Repo-Commit": COMMIT}
            return 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
        if "/tree/" in path:
            whole = path.rpartition("/tree/")[2].count("/") == 0
            files = [{"type": "file", "path": FILE, "size": len(self.content), "oid": "b" * 40}] if whole else []
            return (200, json.dumps(files).encode(), {}) if whole else (404, b"", {"X-Error-Code": "EntryNotFound"})
        if path.startswith("/api/datasets/org/name"):
            about = {"id": "org/name", "sha": COMMIT, "siblings": [{"rfilename": FILE}], "private": False, "tags": []}
            return 200, json.dumps(about | {"downloads": 0, "likes": 0}).encode(), {}
        return 404, b"", {"X-Error-Code": "RepoNotFound"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body, headers = self.hub.answer(unquote(urlsplit(self.path).path))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
