"""Prompts: rendering a sample into the messages that a model is sent."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from pytest_llmeval.core.errors import PromptError
from pytest_llmeval.core.ids import digest
from pytest_llmeval.core.sources import source_digest
from pytest_llmeval.core.text import one_line, shown_value
from pytest_llmeval.core.types import Message, Role, Sample
from pytest_llmeval.loaders.paths import inside

__all__ = ["Prompt", "as_messages", "fields_of", "load_prompt"]

_SUFFIXES = (".txt", ".md", ".yaml")
_YAML = (".yaml", ".yml")
_FIELD = re.compile(r"\{([^{}]*)\}")
_DOUBLED = re.compile(r"\{\{([^{}]*)\}\}")
_ROLES = get_args(Role)
_SENT_ROLES = (*_ROLES, "function")
"""Roles that messages may have. ``function`` is that of results from before there were tools: nobody writes it any
more, but applications still send it."""
Renderer = Callable[[Sample], tuple[Message, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt that is ready to be rendered for a sample."""

    source: str
    """Origin of the prompt: a file, the name of a function, ``template`` or ``input``."""
    digest: str
    """sha256, in hex, of the file, the template, or the source of the callable and what a callable object holds."""
    render: Renderer
    """Returns the messages for a sample; raises PromptError if a callable did not return messages."""
    is_code: bool = False
    """Whether the prompt is a callable, which may be slow."""
    names: frozenset[str] | None = None
    """Names in braces in a template, whether fields of a row or not; None if the prompt is not a template."""
    doubled: frozenset[str] = frozenset()
    """Names in two pairs of braces, of which the outer pair is sent."""


def load_prompt(prompt: object, *, rootdir: Path, test_file: Path) -> Prompt:
    """Return the prompt that a marker names.

    Args:
        prompt: None (a string input is one user message, a list is the chat, an object is its JSON), a path (a
            ``Path``, or a str that ends in .txt, .md or .yaml, or that ends in .yml and contains no white space), a
            template in which ``{name}`` of an input field is replaced and every other brace is kept, or a callable
            ``sample -> str | list[message]``. A YAML prompt is a list of messages with ``role`` and ``content``, each
            content a template.
        rootdir: the root of the project, which no path may leave.
        test_file: the file of the marked test.

    Raises:
        PromptError: the file cannot be read or does not contain messages, or ``prompt`` is none of these.
    """
    if prompt is None:
        return Prompt(source="input", digest=digest("input"), render=_from_input)
    if isinstance(prompt, os.PathLike) or (isinstance(prompt, str) and _names_file(prompt)):
        return _from_file(inside(prompt, rootdir=rootdir, test_file=test_file, error=PromptError), rootdir)
    if isinstance(prompt, str):
        return _template([_user(prompt)], source="template", text=prompt)
    if callable(prompt):
        name = getattr(prompt, "__qualname__", type(prompt).__qualname__)
        return Prompt(source=f"{name}()", digest=source_digest(prompt), render=_calling(prompt, name), is_code=True)
    raise PromptError(f"prompt must be a path, a template or a callable, found {shown_value(prompt)}")


def _names_file(prompt: str) -> bool:
    """Whether a text is a path. "See compose.yml" is a prompt, but the single word "qa.yml" is a path."""
    if prompt.endswith(".yml"):
        return not re.search(r"\s", prompt)
    return prompt.endswith(_SUFFIXES) and "\n" not in prompt


def _from_file(path: Path, rootdir: Path) -> Prompt:
    shown = Path(os.path.relpath(path, rootdir.resolve())).as_posix()
    if not path.is_file():
        raise PromptError(f"{shown}: no such prompt file; a path is relative to the rootdir or to the test file")
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{shown}: cannot be read as UTF-8 text: {one_line(str(error))}") from None
    messages = _yaml_messages(path, shown) if path.suffix in _YAML else [_user(text)]
    return _template(messages, source=shown, text=text)


def _yaml_messages(path: Path, shown: str) -> list[Message]:
    # Imported here because PyYAML takes as long to import as 3,000 rows of JSONL to collect.
    from pytest_llmeval.loaders.strict_yaml import load_strict

    document = load_strict(path, error=PromptError, shown_as=shown)
    if not isinstance(document.data, list) or not document.data:
        raise PromptError(f"{shown}: a YAML prompt is a list of messages with role and content")
    for index, message in enumerate(document.data):
        where = document.place((index,))
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise PromptError(f"{where}: a message has the keys role and content, found {shown_value(message)}")
        if message["role"] not in _ROLES or not isinstance(message["content"], str):
            raise PromptError(f"{where}: role must be one of {', '.join(_ROLES)} and content a string")
    return cast(list[Message], document.data)


def _template(messages: list[Message], *, source: str, text: str) -> Prompt:
    names, doubled = (
        frozenset(name for message in messages for name in braces.findall(str(message["content"])))
        for braces in (_FIELD, _DOUBLED)
    )
    return Prompt(source=source, digest=digest(text), render=_filling(messages), names=names, doubled=doubled)


def _filling(messages: list[Message]) -> Renderer:
    def render(sample: Sample) -> tuple[Message, ...]:
        fields = fields_of(sample.input)
        return tuple({**message, "content": _filled(str(message["content"]), fields)} for message in messages)

    return render


def _filled(template: str, fields: Mapping[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        return _as_text(fields[match[1]]) if match[1] in fields else match[0]

    return _FIELD.sub(value, template)


def fields_of(input_: Any) -> Mapping[str, Any]:
    """Return the fields of a row's input that a template can use, by name."""
    return input_ if isinstance(input_, dict) else {"input": input_}


def _from_input(sample: Sample) -> tuple[Message, ...]:
    if isinstance(sample.input, list):
        return tuple(sample.input)
    return (_user(_as_text(sample.input)),)


def _calling(function: Callable[[Sample], Any], name: str) -> Renderer:
    def render(sample: Sample) -> tuple[Message, ...]:
        try:
            return as_messages(function(sample), f"prompt {name}()")
        except SystemExit as error:  # pytest and asyncio would end on it
            raise PromptError(f"prompt {name}() would end the process: {error!r}") from error

    return render


def as_messages(value: Any, what: str) -> tuple[Message, ...]:
    """Return ``value`` as messages; a string becomes one user message. Raise PromptError for anything else."""
    if isinstance(value, str):
        return (_user(value),)
    if isinstance(value, list | tuple) and value and all(_is_message(message) for message in value):
        return tuple(value)
    found = shown_value(value)
    raise PromptError(f"{what} must be a string or a list of messages with role and content, found {found}")


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and value.get("role") in _SENT_ROLES and "content" in value


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
