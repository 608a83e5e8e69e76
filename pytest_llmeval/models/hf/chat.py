"""Turn chat messages into the tokens of a prompt, with the model's own chat template, and tokens into text."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2.exceptions import TemplateError

from pytest_llmeval.core.errors import CallError
from pytest_llmeval.core.types import Message
from pytest_llmeval.models.hf.prompt_date import PINNED, template_kwargs
from pytest_llmeval.models.named import unsendable

__all__ = ["Chat"]


def _pinned(chat_template: str) -> str:
    """Return a template whose function ``strftime_now`` returns the pinned day; it is a macro inside the template."""
    if "strftime_now" not in chat_template:
        return chat_template
    calls = "".join(f".replace('%{key}', '{said}')" for key, said in PINNED.items())
    # The empty expression preserves a line break at the template's beginning, which a block before it would remove.
    return f"{{%- macro strftime_now(format) -%}}{{{{ format{calls} }}}}{{%- endmacro %}}{{{{ '' }}}}{chat_template}"


class Chat:
    """The tokenizer of one model, with its chat template and the tokens that end an answer."""

    def __init__(self, tokenizer: Any, name: str, stop_tokens: frozenset[int]) -> None:
        """Wrap a tokenizer.

        Args:
            tokenizer: a tokenizer of transformers.
            name: the model's name, for messages.
            stop_tokens: ids of the tokens that end an answer.
        """
        self.tokenizer = tokenizer
        self._name = name
        self.stop_tokens = stop_tokens

    @property
    def has_template(self) -> bool:
        """Whether the model has a chat template; without one, prompts are the contents joined by blank lines."""
        return bool(self.tokenizer.chat_template)

    @property
    def pad_token(self) -> int:
        """Id of the token that pads short rows."""
        pad = self.tokenizer.pad_token_id
        return pad if pad is not None else next(iter(sorted(self.stop_tokens)), 0)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the prompt for ``messages``, up to where the answer begins.

        Raises:
            CallError: of kind ``bad_request``; the template does not accept the messages.
        """
        contents = [self._content(message) for message in messages]
        if not self.has_template:
            whole = "\n\n".join(content or "" for content in contents)
            return self._read(whole, begins=True) or [self._beginning()]
        plain = [{**message, "content": content} for message, content in zip(messages, contents, strict=True)]
        try:
            text = self.tokenizer.apply_chat_template(
                plain,
                chat_template=_pinned(self.tokenizer.get_chat_template()),
                add_generation_prompt=True,
                tokenize=False,
                **template_kwargs(),
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise self._refused(f"the model's chat template does not take these messages: {error}") from None
        return self.tokens(text)

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text, without special tokens before or after it.

        Raises:
            CallError: of kind ``bad_request``; no tokens can represent the text.
        """
        return self._read(text, begins=False)

    def token(self, text: str | None) -> int | None:
        """Return the id of the token with this text; None if there is none."""
        found: int | None = None if text is None else self.tokenizer.convert_tokens_to_ids(text)
        return found if found is not None and self.tokenizer.convert_ids_to_tokens(found) == text else None

    def ending_with(self, text: str | None) -> "Chat":
        """Return this chat with the token of this text as a further stop token, if there is such a token."""
        token = self.token(text)
        return self if token is None else Chat(self.tokenizer, self._name, self.stop_tokens | {token})

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``, without special tokens."""
        said: str = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return said

    def _read(self, text: str, *, begins: bool) -> list[int]:
        try:
            return list(self.tokenizer(text, add_special_tokens=begins)["input_ids"])
        except (TypeError, UnicodeError):  # lone surrogates, which JSON can represent and UTF-8 cannot
            raise self._refused("the text holds half of a surrogate pair, which no token spells") from None

    def _beginning(self) -> int:
        """Return the token before the beginning of a text: the bos token, else the eos token, as in lm-eval."""
        ids = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        found: int | None = next((each for each in ids if each is not None), None)
        if found is None:
            raise self._refused("the prompt is empty, and the tokenizer has no token to begin with")
        return found

    def _content(self, message: Mapping[str, Any]) -> str | None:
        """Return the text of a message; None for an assistant's message without text, such as one of tool calls."""
        content = message.get("content")
        if isinstance(content, str):
            return content
        if isinstance(content, list | tuple):
            return "".join(self._part(part) for part in content)
        if content is None and message.get("role") == "assistant":
            return None
        role = message.get("role")
        raise self._refused(
            f"the content of a message of {role!r} must be a string or a list of parts, found {content!r:.80}"
        )

    def _part(self, part: Any) -> str:
        found = part if isinstance(part, Mapping) else {}
        if found.get("type") == "text" and isinstance(found.get("text"), str):
            return str(found["text"])
        raise self._refused(f"hf: models read text only, not a part of type {found.get('type')!r}")

    def _refused(self, problem: str) -> CallError:
        return unsendable(self._name, problem, "messages")
