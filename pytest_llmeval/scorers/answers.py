"""Reading a scorer's arguments: the text of a response, and the answers that a target accepts."""

import inspect
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmeval.core.errors import ScorerError
from pytest_llmeval.core.types import Response
from pytest_llmeval.scorers.display import visible_line

__all__ = ["accepted_answers", "normal_text", "text_of", "with_circumstance"]

_TOLD = 200
"""Largest number of characters shown of a refusal."""


def text_of(response: Any) -> str:
    """Return the text of a response.

    Raises:
        ScorerError: for anything but a Response or a str; ``str(None)`` is not an answer.
    """
    if isinstance(response, str):
        return response
    if isinstance(response, Response):
        return response.text
    if inspect.iscoroutine(response):
        response.close()  # nobody will await it
        raise ScorerError(
            "the response is a coroutine: write await model.generate(), or model.generate_sync() where the test is not"
            " async; if an async function of your application returned it, await that"
        )
    raise ScorerError(f"the response is {_article(response)}; a scorer reads a Response or a str: {_as_str(response)}")


def with_circumstance(reason: str | None, response: Any) -> str | None:
    """Return a reason together with what the response's refusal and finish reason add to it.

    A refusal comes first, because it explains the difference; a note that the answer was cut off comes last.
    """
    if not isinstance(response, Response):
        return reason
    refused = not response.text and response.refusal
    parts = [
        f"the model only refused: {visible_line(refused, _TOLD)}" if refused else None,
        reason,
        "the answer was cut off at its maximum length; see max_tokens" if response.finish_reason == "length" else None,
    ]
    return "\n".join(filter(None, parts)) or None


def _as_str(response: Any) -> str:
    """Return advice on what the test should pass instead of ``response``."""
    if response is None:
        return "pass '' where the answer has none"
    if isinstance(response, bytes | bytearray):
        return "pass its decode()"
    if isinstance(response, type):
        return "a class is not an answer"
    if hasattr(response, "choices") or hasattr(response, "content"):  # a vendor's object: its text and much else
        return "pass the text that it holds"
    if hasattr(response, "model_dump_json"):
        return "pass its model_dump_json()"
    if isinstance(response, Mapping | list | tuple):
        return "pass json.dumps(...) of it"
    is_repr = inspect.getattr_static(type(response), "__str__") is object.__str__
    if is_repr and not isinstance(response, int | float):
        return "pass the text that it holds"  # str() gives the repr, as of a dataclass or an agent's result
    return "pass str(...) of it"


def accepted_answers(target: Any) -> tuple[str, ...]:
    """Return the answers that a target accepts: at least one, in the target's order.

    Args:
        target: a text, a list of texts, or an object with ``answer`` (a text) and optionally ``aliases`` (a list of
            texts, or None). Other keys of the object are ignored.

    Raises:
        ScorerError: for any other target, None and an empty list included.
    """
    if isinstance(target, str):
        return (target,)
    if isinstance(target, Mapping):
        if target.get("answer") is None:
            raise ScorerError("the target has no key 'answer'; write {'answer': ..., 'aliases': [...]}")
        aliases = target.get("aliases")
        answers = [target["answer"], *(() if aliases is None else _listed(aliases))]
    else:
        answers = _listed(target)
    if not answers:
        raise ScorerError("the target is an empty list: no answer can be right")
    for answer in answers:
        if not isinstance(answer, str):
            raise ScorerError(f"the target holds {_article(answer)}, not a string; for numbers use score.numeric")
    return tuple(answers)


def _listed(target: Any) -> list[Any]:
    if isinstance(target, Sequence) and not isinstance(target, (str, bytes)):
        return list(target)
    if target is None:
        raise ScorerError("the target is None: the row has no target, or the test did not pass it")
    raise ScorerError(
        f"the target is {_article(target)}; it must be a string, a list of strings or "
        "{'answer': ..., 'aliases': [...]}; for numbers use score.numeric"
    )


def _article(value: object) -> str:
    name = type(value).__name__
    return "None" if value is None else f"an {name}" if name[0] in "aeiouAEIO" else f"a {name}"


def normal_text(text: str, *, strip: bool = True, casefold: bool = False, collapse: bool = False) -> str:
    """Return a text normalised for comparison: Unicode NFC, then whatever the flags ask for.

    Args:
        text: any text; lone surrogates are allowed.
        strip: remove white space at both ends.
        casefold: ignore case (``str.casefold``, so ``ß`` equals ``ss``).
        collapse: replace each run of white space by one space.
    """
    text = unicodedata.normalize("NFC", text)
    if casefold:
        text = unicodedata.normalize("NFC", text.casefold())
    if collapse:
        text = " ".join(text.split()) if strip else _spaces(text)
    return text.strip() if strip else text


def _spaces(text: str) -> str:
    inner = " ".join(text.split())
    return (" " if text[:1].isspace() else "") + inner + (" " if inner and text[-1:].isspace() else "")
