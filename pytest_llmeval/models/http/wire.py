"""What the bodies of all protocols have in common, checked by hand.

A vendor's SDK returns a page of HTML, ``null`` or an object without choices as a success and raises raw parser errors;
here every body becomes a Response or an AttemptError that says what came.
"""

from collections.abc import Callable, Mapping
from json import loads  # by name: a test that patches the module's means its own
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
"""Takes secrets out of a text."""


class UnexpectedError(Exception):
    """What is wrong with a body, in a few words; ``found`` is the part to quote, None the body as a whole."""

    def __init__(self, problem: str, found: bytes | None = None) -> None:
        super().__init__(problem)
        self.found = found


def malformed(what: str, problem: UnexpectedError, body: bytes, usage: Usage, redact: Redact) -> AttemptError:
    """Return the fault for an answer that is not ``what`` was asked for; it is paid for all the same."""
    shown = excerpt(body if problem.found is None else problem.found, redact)
    message = f"the answer is {what}: {problem}: {shown}"
    return AttemptError(ErrorKind.MALFORMED_RESPONSE, message, retryable=True, usage=usage)


def excerpt(body: bytes, redact: Redact) -> str:
    """Return the beginning of ``body`` on one line: at most 200 characters, without secrets and controls."""
    # Redacted before it is cut: half a key at the end would no longer be recognised.
    text = redact(body[: EXCERPT_CHARS + _REDACTION_MARGIN].decode("utf-8", "backslashreplace"))[:EXCERPT_CHARS]
    shown = "".join(char if char.isprintable() else _escape(char) for char in text).strip()
    return shown or "an empty body"


def json_object(body: bytes, *, may_be_error: Callable[[dict[str, Any]], bool] = lambda data: False) -> dict[str, Any]:
    """Return the JSON object that ``body`` holds, and that tells of no error, unless ``may_be_error`` says so of it."""
    try:
        # Some gateways put a byte order mark before it, which vendors' SDKs accept.
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
    """Return a call by its id and what holds the name of the tool and what it is called with."""
    name, arguments = spoken(tool.get("name")), tool.get("input" if is_custom else "arguments")
    if name is None:
        raise UnexpectedError("a tool call that names no function")
    if is_custom and not isinstance(arguments, str):
        raise UnexpectedError("a call of a custom tool whose input is no text")
    if arguments is None:
        arguments = {}
    text = arguments if isinstance(arguments, str) else arguments_text(arguments)
    return ToolCall(name=name, arguments=text, id=spoken(id_))


def arguments_text(arguments: object) -> str:
    """Return the arguments of a tool call that came as an object as JSON text."""
    if not isinstance(arguments, dict):
        raise UnexpectedError("a tool call whose arguments are no object")
    try:
        return canonical(arguments)
    except (ValueError, RecursionError):  # NaN, say
        raise UnexpectedError("a tool call whose arguments are no JSON") from None


def spoken(value: object) -> str | None:
    """Return ``value`` where it is a string that says something."""
    return value if isinstance(value, str) and value else None


def token_count(value: object) -> int | None:
    """Return ``value`` where it is a count of tokens that every database can hold."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_TOKENS else None


def _escape(char: str) -> str:
    """Return a control, format or surrogate character as an escape."""
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
