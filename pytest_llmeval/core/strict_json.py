"""Strict JSON: parsing as RFC 8259 defines it, and canonical output.

Python's ``json`` accepts ``NaN``, keeps the last of two equal keys, turns ``1e999`` into infinity and raises
RecursionError or ValueError on deeply nested input or very long numbers. Here each of these is a ``NotJsonError``.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from json import JSONDecodeError, JSONDecoder, dumps, loads
from typing import Any

from pytest_llmeval.core.text import one_line

__all__ = [
    "NotJsonError",
    "canonical",
    "copied",
    "finite",
    "inside_fence",
    "no_constant",
    "parse",
    "parse_at",
    "rebuilt",
    "unique_keys",
]

_LEAST_FENCE = 3
_LANGUAGES = ("", "json", "jsonc")


class NotJsonError(ValueError):
    """The text is not JSON; the message says what was found, without the text itself."""


def parse(text: str | bytes) -> Any:
    """Return the value that ``text`` holds.

    Raises:
        NotJsonError: for anything but one JSON value: bad syntax, bad UTF-8, NaN, Infinity, a number beyond
            double precision, an integer of more than 4,300 digits, a repeated key, nesting that is too deep.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise NotJsonError(f"byte {error.start + 1} is not UTF-8") from None
    except ValueError as error:
        raise _refusal(error) from None
    except RecursionError:
        raise NotJsonError("nested too deeply") from None


def parse_at(text: str, start: int) -> tuple[Any, int]:
    """Return the value that begins at ``text[start]`` and the index behind it; raise NotJsonError as ``parse`` does."""
    try:
        return _DECODER.raw_decode(text, start)
    except ValueError as error:
        raise _refusal(error) from None
    except RecursionError:
        raise NotJsonError("nested too deeply") from None


def inside_fence(text: str) -> str:
    """Return the content if ``text`` is one Markdown code fence of JSON or without a language, else ``text`` itself.

    As in CommonMark, a fence has at least three backticks or tildes, and its end has no fewer than its start.
    """
    first, newline, rest = text.strip().partition("\n")
    info = first.lstrip(first[:1])
    fence, language = first[: len(first) - len(info)], info.strip().partition(" ")[0].lower()
    body, _, last = rest.rpartition("\n")
    last = last.strip()
    opened = newline and first[:1] in ("`", "~") and len(fence) >= _LEAST_FENCE and language in _LANGUAGES
    return body if opened and last.startswith(fence) and not last.strip(fence[0]) else text


def _refusal(error: ValueError) -> NotJsonError:
    if isinstance(error, NotJsonError):
        return error
    if isinstance(error, JSONDecodeError):
        return NotJsonError(f"{error.msg} at character {error.pos + 1}")
    return NotJsonError("a number with too many digits")


def canonical(value: Any) -> str:
    """Return canonical ASCII JSON for ``value``: keys sorted, no spaces; equal values give equal texts.

    Raises:
        ValueError: for NaN and infinity.
        TypeError: for values that JSON cannot represent.
    """
    return dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def copied(value: Any) -> Any:
    """Return a deep copy of lists, tuples and dicts, with dict keys as the strings that JSON makes of them.

    Number keys, such as token ids, become strings here rather than on the way to another process: strings sort
    differently, so the same call would have two names.
    """
    if isinstance(value, dict):
        keys = [_text_of(key) for key in value]
        kept = keys if len({*keys}) == len(keys) else value  # with both 1 and "1" it is left to be refused when sent
        return {key: copied(each) for key, each in zip(kept, value.values(), strict=True)}
    copies = [copied(each) for each in value] if isinstance(value, list | tuple) else value
    return tuple(copies) if isinstance(value, tuple) else copies


def _text_of(key: Any) -> Any:
    """Return a key as the string that JSON makes of it; unchanged if JSON cannot represent it."""
    if isinstance(key, str):
        return key
    try:
        (text,) = loads(dumps({key: None}, allow_nan=False))
    except (TypeError, ValueError):
        return key
    return text


def rebuilt(value: Any, made: Callable[[Any], Any]) -> Any:
    """Return a copy of nested objects and lists with ``made`` applied to each value in them."""
    if isinstance(value, Mapping):
        return {key: rebuilt(each, made) for key, each in value.items()}
    return [rebuilt(each, made) for each in value] if isinstance(value, list | tuple) else made(value)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return ``pairs`` as a dict; raise NotJsonError if a key occurs twice."""
    result = dict(pairs)
    if len(result) != len(pairs):
        doubled = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise NotJsonError(f"key {one_line(repr(doubled), 80)} appears twice in one object")
    return result


def no_constant(name: str) -> Any:
    """Raise NotJsonError for a constant that Python accepts but JSON does not have: NaN, Infinity or -Infinity."""
    raise NotJsonError(f"{name} is not JSON")


def finite(digits: str) -> float:
    """Return ``digits`` as a float; raise NotJsonError if it overflows to infinity."""
    number = float(digits)
    if not math.isfinite(number):
        raise NotJsonError(f"{digits[:40]} is beyond double precision")
    return number


_DECODER = JSONDecoder(object_pairs_hook=unique_keys, parse_constant=no_constant, parse_float=finite)
