"""A tiny random Llama with a tokenizer and a chat template of its own, and adapters for it, made in a second."""

from pathlib import Path
from typing import Any

__all__ = ["make_adapter", "make_model"]

_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXTS = ["The capital of France is Paris, that of Japan is Tokyo.", '{"name": "Ada", "amount": 12.5}'] * 4
_MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make_model(
    folder: Path,
    *,
    seed: int = 0,
    hidden: int = 64,
    context: int = 512,
    template: str = _TEMPLATE,
    **changes: Any,
) -> Path:
    """Save the model to ``folder`` and return that; its answers are noise, and the same in each process.

    ``changes`` are of its configuration.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from pytest_llmeval.models.hf.loading import quiet

    tokenizer = _tokenizer(template)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=context,
            initializer_range=0.3,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **changes,
        )
    )
    with quiet():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_adapter(
    base: Path,
    folder: Path,
    *,
    trained: bool = True,
    modules: list[str] | None = None,
    embeddings: bool | str = False,
    **changes: Any,
) -> Path:
    """Save a LoRA adapter for ``base`` to ``folder`` and return that; untrained, it changes nothing.

    ``embeddings`` is PEFT's ``save_embedding_layers``, ``changes`` are of its configuration.
    """
    import torch

    from pytest_llmeval.models.hf.loading import quiet

    with quiet():
        from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=modules or _MODULES, task_type="CAUSAL_LM", **changes)
    with quiet():
        model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
        for name, value in model.named_parameters():
            if trained and ("lora_B" in name or "bias" in name):
                torch.nn.init.normal_(value, std=0.3)
        model.save_pretrained(str(folder), save_embedding_layers=embeddings)
    return folder


def _tokenizer(template: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|pad|>")
    wrapped.chat_template = template
    return wrapped
