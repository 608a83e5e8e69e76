"""Plain HTTP requests to a server that the session runs, to check its health and its adapters before the first call."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

__all__ = ["Reply", "exchange", "in_words"]

Reply = tuple[int, Any]
"""Status and body of a response; the body is parsed JSON, or text if it is not JSON."""


def exchange(
    port: int, path: str, *, key: str = "", body: dict[str, Any] | None = None, timeout_s: float = 5.0
) -> Reply | None:
    """Return the reply of the server at 127.0.0.1; None if there is none.

    Args:
        port: port of the server.
        path: path of the request.
        key: key to send as a bearer token; empty for none.
        body: object to send as JSON by POST; None for GET.
        timeout_s: timeout in seconds of each socket operation.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET" if body is None else "POST", path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        text = response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text.decode("utf-8", "replace")


def in_words(reply: Reply | None) -> str:
    """Return a description, for messages, of a reply other than the expected one."""
    return "no answer" if reply is None else f"status {reply[0]}, {reply[1]!r:.300}"
