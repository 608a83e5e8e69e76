"""Chat template and end-of-turn token in a model's files: vLLM takes both from the tokenizer of the base.

The statements about vLLM hold for 0.33.0 (renderers/hf.py, tokenizers/registry.py, config/model.py,
v1/engine/input_processor.py).
"""

from pathlib import Path
from typing import Any

from pytest_llmeval.core.errors import ModelError
from pytest_llmeval.models.hf.adapter_files import own_end_of_turn
from pytest_llmeval.models.hf.sources import Source, read_json

__all__ = ["chat_template", "end_of_turn", "require_template"]

_TEMPLATES = ("*.jinja", "chat_template.json", "tekken.json", "tokenizer.model.v*")
"""Files other than the tokenizer's configuration that define prompts; the last two are Mistral's own tokenizers."""
_OWN_TEMPLATE = ("alpamayo", "blip", "clip", "colpali", "deepseek", "inkling", "kimi", "minicpm", "paligemma", "siglip")
"""Prefixes of the model types for which vLLM has templates of its own."""


def chat_template(base: Path) -> str | None:
    """Return the chat template in the files of a base; None if it is not there as one text."""
    own = base / "chat_template.jinja"
    template = own.read_text("utf-8") if own.is_file() else _read(base / "tokenizer_config.json").get("chat_template")
    return template if isinstance(template, str) else None


def require_template(base: Path, shown: str) -> None:
    """Raise ModelError if, by its files, a base has no chat template, as vLLM would refuse each call."""
    config = base / "tokenizer_config.json"
    is_chat = _read(config).get("chat_template") or any(any(base.glob(name)) for name in _TEMPLATES)
    kind = _read(base / "config.json").get("model_type")
    if config.is_file() and not is_chat and not str(kind).startswith(_OWN_TEMPLATE):
        raise ModelError(
            f"{shown}: {base} has no chat template, and vLLM answers no chat without one; put a chat_template.jinja"
            " there, or ask it with hf:, which sends the contents of the messages as they are"
        )


def end_of_turn(source: Source) -> int | None:
    """Return the token that ends a turn of an adapter if it differs from the base's, else None."""
    assert source.adapter is not None
    text = own_end_of_turn(source.adapter)
    if text is None or text == own_end_of_turn(source.base):
        return None
    return next((token for place in (source.base, source.adapter) if (token := _token(place, text)) is not None), None)


def _token(folder: Path, text: str) -> int | None:
    """Return the id of the token with this text in the files of a tokenizer; None if there is none."""
    whole, added = _read(folder / "tokenizer.json"), _read(folder / "tokenizer_config.json").get("added_tokens_decoder")
    vocabulary = (whole.get("model") or {}).get("vocab")
    tokens = dict(vocabulary) if isinstance(vocabulary, dict) else {}
    tokens |= {each["content"]: int(number) for number, each in (added or {}).items()}
    tokens |= {each["content"]: each["id"] for each in whole.get("added_tokens") or ()}
    return tokens.get(text)


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
