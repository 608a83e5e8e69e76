"""Rows as tokens: the prompt exactly as the eval sends it to a model, followed by the answer and its end."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_llmeval.core.errors import CallError, DatasetError
from pytest_llmeval.core.text import and_more, counted
from pytest_llmeval.models.hf.chat import Chat
from pytest_llmeval.models.hf.prompt_date import template_kwargs
from pytest_llmeval.training.rows import TrainingRow, read_at_most

__all__ = ["Encoded", "encode", "require_read"]

_SHOWN = 20
_NEAR_THE_END = 3
"""Number of last tokens among which one must end the answer; a template may put a line break after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One row as tokens."""

    row: TrainingRow
    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    """The tokens that the loss is computed over; they include the end of the answer."""

    @property
    def length(self) -> int:
        """Number of tokens in prompt and completion."""
        return len(self.prompt) + len(self.completion)

    def columns(self) -> dict[str, list[int]]:
        """Return the row as TRL expects a tokenised one."""
        mask = [0] * len(self.prompt) + [1] * len(self.completion)
        return {"input_ids": [*self.prompt, *self.completion], "completion_mask": mask}


def encode(rows: Iterable[TrainingRow], chat: Chat, tokenizer: Any) -> list[Encoded]:
    """Return the rows as tokens, in their order.

    Raises:
        DatasetError: the template does not accept a row, or puts no end of the answer after its completion, so that a
            model would never learn to stop.
    """
    return [_encoded(row, chat, tokenizer) for row in rows]


def require_read(rows: Iterable[TrainingRow], chat: Chat, context: int) -> None:
    """Raise for rows that a model cannot answer.

    Args:
        rows: the rows that are asked.
        chat: of the base.
        context: largest number of tokens that the base reads; one of them is the first of the answer.

    Raises:
        DatasetError: the prompts of some rows leave no room for an answer, or the template does not accept a row.
    """
    sized = ((row.where, len(_prompt(row, chat))) for row in rows)
    long = [f"{where} ({size} tokens)" for where, size in sized if size >= context]
    if long:
        raise DatasetError(
            f"{counted(len(long), 'held-out row')} cannot be answered, as the prompt alone takes the"
            f" {read_at_most(context)}: {and_more(long, _SHOWN)}; shorten them, or take them out"
        )


def _prompt(row: TrainingRow, chat: Chat) -> list[int]:
    try:
        return chat.prompt(row.messages)
    except CallError as error:
        raise DatasetError(f"{row.where}: {error}") from None


def _encoded(row: TrainingRow, chat: Chat, tokenizer: Any) -> Encoded:
    prompt = _prompt(row, chat)
    completion = chat.tokens(_answer(row, chat, tokenizer))
    if not chat.stop_tokens.intersection(completion[-_NEAR_THE_END:]):
        raise DatasetError(
            f"{row.where}: the chat template puts no end of an answer behind the completion; the model would not learn"
            " to stop"
        )
    return Encoded(row=row, prompt=tuple(prompt), completion=tuple(completion))


def _answer(row: TrainingRow, chat: Chat, tokenizer: Any) -> str:
    """Return the completion as the template writes it, with the text that follows it."""
    if not chat.has_template:
        return f"{row.completion}{tokenizer.eos_token}"
    asked: str = tokenizer.apply_chat_template(
        list(row.messages), add_generation_prompt=True, tokenize=False, **template_kwargs()
    )
    whole: str = tokenizer.apply_chat_template(
        [*row.messages, {"role": "assistant", "content": row.completion}], tokenize=False, **template_kwargs()
    )
    if not whole.startswith(asked):
        raise DatasetError(f"{row.where}: the chat template writes the prompt otherwise once an answer follows it")
    return whole[len(asked) :]
