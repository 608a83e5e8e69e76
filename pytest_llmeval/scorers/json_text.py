"""Strict, bounded parsing of JSON written by a model."""

import json
import math
import re
from typing import Any

from pytest_llmeval.core.strict_json import NotJsonError, finite, inside_fence, no_constant, unique_keys
from pytest_llmeval.scorers.display import shown, visible_line

__all__ = ["MAX_DEPTH", "in_range", "parse_json"]

# RFC 8259 section 9 lets a parser limit depth and the range of numbers. These limits keep every later step
# (comparing, validating) inside Python's own recursion limit and inside a double's range.
MAX_DEPTH = 100
MAX_DIGITS = 308

_NESTING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)


def parse_json(text: str, *, fenced: bool) -> Any:
    """Return the single JSON value that a text consists of, by RFC 8259; white space may surround it.

    Stricter than ``json.loads``: it refuses the words NaN and Infinity, a key that occurs twice in one object, integers
    of more than 308 digits, other numbers beyond the range of a double, and more than 100 levels of nesting.

    Args:
        text: the answer of the model.
        fenced: also accept a text that is a single Markdown code fence (of JSON, or without a language) and nothing
            else.

    Raises:
        NotJsonError: saying what is wrong, and where.
    """
    body = inside_fence(text) if fenced else text
    if not body.strip():
        raise NotJsonError("the answer is empty")
    _check_depth(body)
    try:
        return _decode(body)
    except json.JSONDecodeError as error:
        raise NotJsonError(_where(error)) from None
    except RecursionError:  # the caller's own stack is deep already
        raise NotJsonError("nested too deeply to be read") from None


def in_range(value: int | float) -> bool:
    """Return whether a number is finite and within the range of a double, as every parsed number is."""
    return abs(value) < 10**MAX_DIGITS if isinstance(value, int) else math.isfinite(value)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _NESTING.finditer(text):
        char = text[token.start()]
        depth += (char in "[{") - (char in "]}")
        if depth > MAX_DEPTH:
            raise NotJsonError(f"nested deeper than {MAX_DEPTH} levels")


def _where(error: json.JSONDecodeError) -> str:
    rest = error.doc[error.pos :][:30]
    at = f"before {shown(rest)}" if rest else "at the end"
    return f"{error.msg}, line {error.lineno} column {error.colno}, {at}"


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise NotJsonError(f"{visible_line(digits, 40)} is beyond double precision")
    return int(digits)


_decode = json.JSONDecoder(
    object_pairs_hook=unique_keys, parse_constant=no_constant, parse_int=_integer, parse_float=finite
).decode
