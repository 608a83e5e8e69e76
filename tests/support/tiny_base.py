"""A random Llama of a few thousand weights and a project that trains it: real code paths in seconds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

INI = "[pytest]\naddopts = -p no:asyncio -p no:anyio -p no:hypothesispytest\n"
WORDS = ("red", "green", "blue", "black", "white", "pink", "grey", "brown")
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
EVAL = """
import pytest

@pytest.mark.llmeval("data/test.jsonl", prompt="Colour of {thing}", params={"temperature": 0, "max_tokens": 3})
async def test_colour(sample, model, score):
    score.exact(await model.generate(), sample.target)
"""

ENTRY = """
import pytest

@pytest.mark.train("configs")
def test_tiny(training):
    training.run()
"""


def save_tiny_base(folder: Path) -> Path:
    """Write a Llama with random weights and a tokenizer of single characters; return ``folder``."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    vocab = {token: index for index, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    plain = Tokenizer(models.BPE(vocab, []))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="<|end|>", pad_token="<|pad|>", additional_special_tokens=special[2:]
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocab),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
        initializer_range=0.1,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def rows(count: int, start: int = 0, words: Sequence[str] = WORDS) -> list[dict[str, Any]]:
    """Return rows that ask for the colour of a thing."""
    numbers = range(start, start + count)
    return [
        {"id": f"row-{n}", "input": {"thing": f"t{n}"}, "target": words[n % len(words)], "slice": "easy"}
        for n in numbers
    ]


def config(base: Path | str, **changes: Any) -> dict[str, Any]:
    """Return a configuration that takes a few seconds; ``part__key`` changes one key of a part."""
    found: dict[str, Any] = {
        "version": 1,
        "eval": "evals/test_colour.py::test_colour",
        "base": str(base),
        **({} if "dtype" in changes else {"load": "4bit"}),
        "device": "cpu",
        "data": {
            "train": "data/train.jsonl",
            "val": "data/val.jsonl",
            "test": "data/test.jsonl",
            "completion": "text",
            "max_tokens": 64,
        },
        "lora": {"r": 8, "alpha": 16},
        "optim": {"learning_rate": 0.01, "batch": 4, "max_steps": 8},
        "check": {"every": 4, "rows": 4, "metric": "exact"},
        "proof": {"metric": "exact", "margin": 0.1},
    }
    for name, value in changes.items():
        part, _, key = name.partition("__")
        (found[part] if key else found)[key or part] = value
    return found


def write_project(root: Path, base: Path | str, words: Sequence[str] = WORDS, **changes: Any) -> Path:
    """Write data, an eval and one configuration, ``tiny``; return the configuration's file."""
    for name, count, start in (("train", 24, 0), ("val", 12, 24), ("test", 12, 36)):
        path = root / "data" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows(count, start, words)), "utf-8")
    (root / "evals").mkdir(exist_ok=True)
    (root / "evals" / "test_colour.py").write_text(EVAL, "utf-8")
    path = root / "finetune" / "configs" / "tiny.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    (root / "finetune" / "test_tiny_training.py").write_text(ENTRY, "utf-8")
    path.write_text(yaml.safe_dump(config(base, **changes)), "utf-8")
    return path


@pytest.fixture
def training_project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with one training configuration, whose base is not there."""
    pytester.makeini(INI)
    write_project(pytester.path, "no-such-base")
    return pytester
