"""Checks and parsing that the bodies of all protocols share.

The vendors' SDKs return a page of HTML, ``null`` or an object without choices as a success and raise raw parser errors.
Here every body becomes a Response, or an AttemptError that says what was received.
"""

from collections.abc import Callable, Mapping
from json import loads  # by name: a user's test may patch json.loads
from typing import Any

from pytest_llmeval.core.attempt_error import AttemptError
from pytest_llmeval.core.errors import ErrorKind
from pytest_llmeval.core.strict_json import canonical
from pytest_llmeval.core.types import ToolCall, Usage

__all__ = [
    "EXCERPT_CHARS",
    "Redact",
    "UnexpectedError",
    "arguments_text",
    "excerpt",
    "json_object",
    "malformed",
    "named_call",
    "spoken",
    "token_count",
]

EXCERPT_CHARS = 200
MAX_TOKENS = 2**53
_REDACTION_MARGIN = 16_384
Redact = Callable[[str], str]
"""Removes secrets from a text."""


class UnexpectedError(Exception):
    """A body is not as expected; the message says why. ``found`` is the part to quote, None for the whole body."""

    def __init__(self, problem: str, found: bytes | None = None) -> None:
        super().__init__(problem)
        self.found = found


def malformed(what: str, problem: UnexpectedError, body: bytes, usage: Usage, redact: Redact) -> AttemptError:
    """Return the error for an unusable answer, which is still paid for; ``what`` says what it is ("no message")."""
    shown = excerpt(body if problem.found is None else problem.found, redact)
    message = f"the answer is {what}: {problem}: {shown}"
    return AttemptError(ErrorKind.MALFORMED_RESPONSE, message, retryable=True, usage=usage)


def excerpt(body: bytes, redact: Redact) -> str:
    """Return the first 200 characters of ``body`` on one line, with secrets and control characters replaced."""
    # Redacted before it is cut, as half a key at the end would no longer be recognised.
    text = redact(body[: EXCERPT_CHARS + _REDACTION_MARGIN].decode("utf-8", "backslashreplace"))[:EXCERPT_CHARS]
    shown = "".join(char if char.isprintable() else _escape(char) for char in text).strip()
    return shown or "an empty body"


def json_object(body: bytes, *, may_be_error: Callable[[dict[str, Any]], bool] = lambda data: False) -> dict[str, Any]:
    """Return the JSON object in ``body``; raise UnexpectedError if it is none, or an error that is not accepted.

    Args:
        body: the body of a response.
        may_be_error: whether an object with an ``error`` is accepted.
    """
    try:
        # Some gateways put a byte order mark first, which vendors' SDKs accept.
        data = loads(body.decode("utf-8-sig"))
    except RecursionError:
        raise UnexpectedError("JSON nested too deep", body) from None
    except ValueError:  # bad UTF-8, bad JSON, and integers of thousands of digits
        raise UnexpectedError("not JSON", body) from None
    if not isinstance(data, dict):
        raise UnexpectedError(f"JSON {type(data).__name__}, not an object", body)
    if data.get("error") and not may_be_error(data):
        raise UnexpectedError("an error under status 200", body)
    return data


def named_call(tool: Mapping[str, Any], id_: object, *, is_custom: bool) -> ToolCall:
    """Return a tool call with this id; ``tool`` holds the name of the tool and its arguments or input."""
    name, arguments = spoken(tool.get("name")), tool.get("input" if is_custom else "arguments")
    if name is None:
        raise UnexpectedError("a tool call that names no function")
    if is_custom and not isinstance(arguments, str):
        raise UnexpectedError("a call of a custom tool whose input is not a string")
    if arguments is None:
        arguments = {}
    text = arguments if isinstance(arguments, str) else arguments_text(arguments)
    return ToolCall(name=name, arguments=text, id=spoken(id_))


def arguments_text(arguments: object) -> str:
    """Return the arguments of a tool call, given as an object, as JSON text."""
    if not isinstance(arguments, dict):
        raise UnexpectedError("a tool call whose arguments are no object")
    try:
        return canonical(arguments)
    except (ValueError, RecursionError):  # NaN, say
        raise UnexpectedError("a tool call whose arguments are not JSON") from None


def spoken(value: object) -> str | None:
    """Return ``value`` if it is a non-empty string, else None."""
    return value if isinstance(value, str) and value else None


def token_count(value: object) -> int | None:
    """Return ``value`` if it is a count of tokens below 2**53, which every database can hold, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_TOKENS else None


def _escape(char: str) -> str:
    """Return a control, format or surrogate character as an escape."""
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
