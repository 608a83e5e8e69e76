"""Parser of bodies that are streams of server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import re
from collections.abc import Iterator

__all__ = ["has_ended", "is_event_stream", "read_events"]

_DONE = b"[DONE]"
_END = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\][\r\n]*\Z")


def is_event_stream(content_type: str) -> bool:
    """Return whether a body with this Content-Type is a stream of server-sent events."""
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


def has_ended(body: bytes) -> bool:
    """Return whether a stream ends with its last event, ``[DONE]``, so that nothing of it is missing."""
    return _END.search(body) is not None


def read_events(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and data of each complete event before ``[DONE]``; the name is empty for an event without one."""
    name, data = "", list[bytes]()
    for line in body.removeprefix(b"\xef\xbb\xbf").splitlines():
        key, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if key == b"data":
            data.append(value)
        elif key == b"event":
            name = value.decode("utf-8", "replace")
        elif not line:
            whole = b"\n".join(data)
            if whole == _DONE:
                return
            if whole:
                yield name, whole
            name, data = "", []
