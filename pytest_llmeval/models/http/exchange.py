"""Questions to a server of this session before its first call: is it there, and does an adapter work?"""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

__all__ = ["Reply", "exchange", "in_words"]

Reply = tuple[int, Any]
"""A status, and the JSON of the body; its text where it is none."""


def exchange(
    port: int, path: str, *, key: str = "", body: dict[str, Any] | None = None, timeout_s: float = 5.0
) -> Reply | None:
    """Return what 127.0.0.1 answers; None where nothing does.

    Args:
        port: of the server.
        path: of the question.
        key: sent as a bearer token; empty for none.
        body: sent as JSON by POST; None for GET.
        timeout_s: seconds for connection and answer.
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
    """Return what came in place of an answer that was expected, for messages."""
    return "no answer" if reply is None else f"status {reply[0]}, {reply[1]!r:.300}"
