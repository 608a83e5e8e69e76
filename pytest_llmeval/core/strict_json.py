"""JSON as RFC 8259 has it, and nothing that Python's reader adds to it.

Python's ``json`` accepts ``NaN``, lets the last of two equal keys win, turns ``1e999`` into infinity and ends in a
RecursionError or a ValueError of its own on deep or long input. Here each of these is one ``NotJsonError``.
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
    """Return what a text holds that is one Markdown code fence of JSON, or of no language, else the text.

    As CommonMark has it: three backticks or tildes or more, and no fewer at the end.
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
    """Return one ASCII text for ``value``: keys sorted, no spaces; equal values give equal texts.

    Raises:
        ValueError: for NaN and infinity.
        TypeError: for what JSON cannot say.
    """
    return dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def copied(value: Any) -> Any:
    """Return the same lists and objects once more, with the same texts and numbers in them, and keys as JSON has them.

    Numbers as keys, such as tokens, become texts here and not on the way to another process: they sort otherwise, and
    what is sent and what comes of it there would have two names.
    """
    if isinstance(value, dict):
        keys = [_text_of(key) for key in value]
        kept = keys if len({*keys}) == len(keys) else value  # 1 and "1" are told apart, and refused, where it is sent
        return {key: copied(each) for key, each in zip(kept, value.values(), strict=True)}
    copies = [copied(each) for each in value] if isinstance(value, list | tuple) else value
    return tuple(copies) if isinstance(value, tuple) else copies


def _text_of(key: Any) -> Any:
    """Return a key as the text that JSON makes of it; one that it cannot hold as it is."""
    if isinstance(key, str):
        return key
    try:
        (text,) = loads(dumps({key: None}, allow_nan=False))
    except (TypeError, ValueError):
        return key
    return text


def rebuilt(value: Any, made: Callable[[Any], Any]) -> Any:
    """Return the same objects and lists with each value in them as ``made`` makes it."""
    if isinstance(value, Mapping):
        return {key: rebuilt(each, made) for key, each in value.items()}
    return [rebuilt(each, made) for each in value] if isinstance(value, list | tuple) else made(value)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of ``pairs``; raise NotJsonError where a key stands in it twice."""
    result = dict(pairs)
    if len(result) != len(pairs):
        doubled = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise NotJsonError(f"key {one_line(repr(doubled), 80)} stands twice in one object")
    return result


def no_constant(name: str) -> Any:
    """Raise NotJsonError for what Python takes for a number: NaN, Infinity and -Infinity."""
    raise NotJsonError(f"{name} is not JSON")


def finite(digits: str) -> float:
    """Return the number of ``digits``; raise NotJsonError for one that becomes infinite."""
    number = float(digits)
    if not math.isfinite(number):
        raise NotJsonError(f"{digits[:40]} is beyond double precision")
    return number


_DECODER = JSONDecoder(object_pairs_hook=unique_keys, parse_constant=no_constant, parse_float=finite)
